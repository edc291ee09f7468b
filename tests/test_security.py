"""Files of strangers are data, and docs/security.md names a test for each kind of them."""

import os
import pickle

import pytest
import torch
from mmengine.dataset import BaseDataset

from simmim_bench.analysis.representation.over_checkpoints import has_error
from simmim_bench.config import load_config
from simmim_bench.config_text import read_as_data
from simmim_bench.data.annotations import read_document
from simmim_bench.errors import BenchError
from simmim_bench.io import read_json
from simmim_bench.records.curves import read_scalars
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.store import read_record
from simmim_bench.suite.plan import Plan
from simmim_bench.tasks.annotation_file import read_entries
from simmim_bench.weights.card import read_card
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone, run_export
from tests.records.conftest import make_manifest, toy  # noqa: F401  (fixtures)
from tests.weights.test_pretrained import SWIN

READERS = {
    "manifest": Manifest.read,
    "record": read_record,
    "plan": Plan.read,
    "card": lambda path: read_card(path.with_suffix(".pth")),
    "annotations": read_document,
    "captions": lambda path: read_entries(path, "annotations", ()),
    "config": lambda path: load_config(str(path)),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()],
    ids=["pipe", "device", "folder"],
)
def test_what_is_not_a_file_is_not_read(read, make, tmp_path):
    """Reading a pipe or /dev/zero would never end."""
    path = tmp_path / "a.json"
    make(path)
    with pytest.raises(
        BenchError, match=r"a.json (is a (named pipe|device|folder), expected|does)"
    ):
        read(path)
    assert read_json(path) is None


def test_a_log_of_a_run_that_is_a_pipe_is_not_read(tmp_path):
    log = tmp_path / "20250101" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    with pytest.raises(BenchError, match=r"scalars.json is a named pipe, expected a file"):
        read_scalars(tmp_path, "loss")


def changed(path, change):
    content = torch.load(path, weights_only=False)
    content["meta"]["cfg"] = change(content["meta"]["cfg"])
    torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["../../up", "<script>", "simmim\u202e"])
def test_an_export_writes_nothing_with_a_name_that_misleads(name, save_pretraining, tmp_path):
    stated = save_pretraining(SWIN)
    path = changed(stated, lambda text: text.replace("method='simmim'", f"method={name!r}"))
    with pytest.raises(BenchError, match=r"pretraining of the card: method is .* is not allowed"):
        export_backbone(path, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_manifest_without_a_checkpoint_exports_nothing(request, tmp_path):
    make = request.getfixturevalue("make_manifest")
    make(outputs={}).write(tmp_path / "manifest.json")
    with pytest.raises(BenchError, match=r"manifest.json names no checkpoint; give an epoch_N.pth"):
        run_export(tmp_path, tmp_path / "export")


def test_a_converted_backbone_has_a_name(tmp_path):
    with pytest.raises(BenchError, match=r"--method 'a/b' is not a name: '/' is not allowed"):
        convert_file(source="x.pth", destination=tmp_path / "new", method="a/b")


def test_a_checkpoint_whose_config_has_no_model_is_refused(save_pretraining):
    path = changed(save_pretraining(SWIN), lambda text: text.replace("model", "modle"))
    with pytest.raises(
        BenchError, match=r"model in .* is None, which is refused: it is not a dict"
    ):
        has_error(path)


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "yaml", "yml"])
def test_an_annotation_file_that_mmengine_reads_runs_nothing(suffix, tmp_path):
    """mmengine unpickles annotations, and reads YAML with tags that call functions."""
    read_as_data()
    marker, path = tmp_path / "marker", tmp_path / f"train.{suffix}"
    if suffix.startswith("p"):
        path.write_bytes(pickle.dumps(Touch(str(marker))))
        said = "annotation file that ends in .pkl or .pickle can run code .* convert it to JSON"
    else:
        path.write_text(f"!!python/object/apply:os.mkdir ['{marker}']")
        said = "a YAML file cannot be read as plain values: could not determine a constructor"
    with pytest.raises(BenchError, match=said):
        BaseDataset(ann_file=str(path), data_root=str(tmp_path))
    assert not marker.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)
