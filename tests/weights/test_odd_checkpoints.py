"""Damaged and odd checkpoints end in a sentence; a changed byte is never loaded."""

import json
import zipfile

import pytest
import torch

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.suite.sources import hash_sources
from simmim_bench.training.runner import latest_checkpoint
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.files import load_checkpoint
from simmim_bench.weights.identity import check_resumable
from tests.tasks.conftest import SWIN

RUN = {"kind": "full", "method": "simmim", "seed": 0}


@pytest.fixture
def checkpoint(save_pretraining):
    return save_pretraining(SWIN)


def flip_a_weight(path):
    """Flip one bit of the largest entry, as a bad disk does."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    content[largest.header_offset + 200] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_of_a_training_checkpoint_is_noticed(checkpoint, tmp_path):
    flip_a_weight(checkpoint)
    with pytest.raises(BenchError, match="is truncated or damaged"):
        export_backbone(checkpoint, tmp_path / "out")
    assert latest_checkpoint(checkpoint.parent) is None


def change(path, edit):
    content = torch.load(path, weights_only=False)
    edit(content)
    torch.save(content, path)


ODD = {
    "meta": (lambda content: content.update(meta=3), "is not a checkpoint of a training run"),
    "kind": (
        lambda content: content["simmim_bench"]["run"].update(kind=["full"]),
        r"kind in the identity in .* is \['full'\], expected full or smoke",
    ),
    "data": (
        lambda content: content["simmim_bench"]["run"].update(data={"name": 3}),
        r"the run's data in .* is \{'name': 3\}",
    ),
    "epoch": (lambda content: content["meta"].update(epoch="2"), "epochs"),
    "seed": (lambda content: content["meta"].update(seed=10**400), "seed"),
    "no model": (
        lambda content: content["meta"].update(cfg="pretraining = dict(method='a')\n"),
        "has no `model.backbone`",
    ),
    "odd argument": (
        lambda content: content["meta"].update(
            cfg=content["meta"]["cfg"].replace("window_size=2", "window_size={}")
        ),
        r"model.backbone in .* cannot be built \(TypeError",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_content_of_a_checkpoint_is_a_sentence(checkpoint, tmp_path, name):
    edit, sentence = ODD[name]
    change(checkpoint, edit)
    with pytest.raises(BenchError, match=sentence):
        export_backbone(checkpoint, tmp_path / "out")


def test_odd_meta_does_not_stop_the_check_of_a_resumed_run(checkpoint):
    change(checkpoint, lambda content: content.update(meta=[1]))
    check_resumable(checkpoint, RUN)


def test_a_pickle_with_odd_operations_is_a_sentence(checkpoint):
    with zipfile.ZipFile(checkpoint) as archive:
        names = archive.namelist()
        parts = {name: archive.read(name) for name in names}
    pickled = next(name for name in names if name.endswith("data.pkl"))
    for content in (b"\x80\x02.", b"\x80\x02}q\x00(u0.", b"\x80\x02K\x01R.", b""):
        with zipfile.ZipFile(checkpoint, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, content if name == pickled else part)
        with pytest.raises(BenchError):
            load_checkpoint(checkpoint)


def test_an_encrypted_zip_is_no_checkpoint_to_continue_from(checkpoint):
    content = bytearray(checkpoint.read_bytes())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    checkpoint.write_bytes(content)
    damaged = []
    assert latest_checkpoint(checkpoint.parent, damaged) is None
    assert damaged == [checkpoint]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import sys\nsys.exit(3)", "cannot be read: 3"),
        ("train_dataloader = 3", "train_dataloader in the config must be a dict, got 3"),
        ("train_dataloader = dict()", "train_dataloader.dataset in the config must be a dict"),
    ],
)
def test_odd_configs_of_the_user_are_a_sentence(tmp_path, text, sentence):
    (tmp_path / "x.py").write_text(text)
    with pytest.raises(BenchError, match=sentence):
        load_config(str(tmp_path / "x.py"), data_root="elsewhere")


@pytest.mark.parametrize("base", ["1", "[[]]", "[1]", "{'a': 1}"])
def test_odd_bases_of_a_config_are_a_sentence(tmp_path, base):
    (tmp_path / "x.py").write_text(f"_base_ = {base}")
    with pytest.raises(BenchError, match="expected Python in UTF-8 with a plain list of paths"):
        hash_sources("x.py", root=tmp_path)


def test_odd_sizes_in_an_unsealed_card_are_a_sentence(checkpoint, tmp_path):
    from simmim_bench.registry import MODELS
    from simmim_bench.weights.pretrained import load_pretrained

    files = export_backbone(checkpoint, tmp_path / "out")
    state = torch.load(files.weights, weights_only=True)
    torch.save(dict(state), files.weights)  # as an earlier version wrote it
    card = {key: value for key, value in files.content.items() if key != "seal"}
    for odd in ("x", [[1]], -3, 10**30, None):
        sizes = dict.fromkeys(card["sizes"], odd)
        files.card.write_text(json.dumps({**card, "sizes": sizes}))
        with pytest.raises(BenchError):
            load_pretrained(MODELS.build(dict(SWIN)), files.weights)


def test_shapes_of_no_backbone_are_a_sentence():
    from simmim_bench.weights.convert.architecture import Architecture
    from simmim_bench.weights.convert.libraries import own_backbone

    config = {**SWIN, "window_size": None, "img_size": {}}
    odd = object.__new__(Architecture)
    object.__setattr__(odd, "config", config)
    with pytest.raises(
        BenchError, match="the shapes in the checkpoint are not those of a backbone"
    ):
        own_backbone(odd)
