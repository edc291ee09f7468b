"""Files of strangers are data, and docs/security.md names a test for each kind of them."""

import ast
import json
import os
import pickle
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from simmim_bench.analysis.representation.over_checkpoints import has_error
from simmim_bench.config import load_config
from simmim_bench.config_text import read_as_data
from simmim_bench.data.annotations import read_document
from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.prepare.download import download
from simmim_bench.errors import BenchError
from simmim_bench.io import read_json
from simmim_bench.models.frozen import open_network
from simmim_bench.records.curves import read_scalars
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.store import read_record
from simmim_bench.suite.plan import Plan
from simmim_bench.tasks.annotation_file import read_entries
from simmim_bench.training.train import start
from simmim_bench.weights.address import parse_address
from simmim_bench.weights.card import read_card
from simmim_bench.weights.convert.write import check_free, convert_file
from simmim_bench.weights.export import export_backbone, run_export
from simmim_bench.weights.fetch import fetch
from tests.calls import call
from tests.records.conftest import make_manifest, toy  # noqa: F401  (fixtures)
from tests.weights.test_pretrained import SWIN

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security.md"
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
    with pytest.raises(BenchError, match=r"pretraining in .*pth: method is .* is not allowed"):
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


def test_a_config_of_the_command_line_is_a_program(tmp_path):
    (tmp_path / "config.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'marker')!r})\n")
    load_config(str(tmp_path / "config.py"))
    assert (tmp_path / "marker").exists()


@pytest.fixture
def redirect(tmp_path):
    """Address that redirects to a file of this machine."""
    (tmp_path / "mine.pth").write_text("mine")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", (tmp_path / "mine.pth").as_uri())
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a.pth"
        server.shutdown()
        thread.join()


def test_a_redirect_to_a_file_is_refused(redirect, tmp_path):
    with pytest.raises(
        BenchError, match=r"cannot download http.*is not allowed.*check the address"
    ):
        fetch(parse_address(redirect))
    with pytest.raises(BenchError, match=r"a.pth cannot be downloaded"):
        download(redirect, tmp_path / "a.pth", wait=0)
    assert not (tmp_path / "a.pth").exists()


def test_weights_of_a_frozen_network_run_nothing(tmp_path):
    marker, path = tmp_path / "marker", tmp_path / "vgg16.pth"
    torch.save({"features.0.weight": Touch(str(marker))}, path)
    with pytest.raises(BenchError, match=r"holds more than weights and plain values .*mkdir"):
        open_network(path, None)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../a.jpg", "/dev/zero", "http://host/a.jpg", 3])
def test_captions_name_images_in_their_folder(name, tmp_path):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": name}]}))
    with pytest.raises(
        BenchError, match=r"entry 0 of 'images' has the file_name .*, expected a path"
    ):
        read_entries(path, "images", ("id", "file_name"))


WRITERS = {
    "leaderboard export": ("tools/leaderboard.py", "export", "OUT", "--format", "csv"),
    "leaderboard protocols": ("tools/leaderboard.py", "protocols", "--out", "OUT"),
    "reconstruct": (
        "tools/analyze.py",
        "reconstruct",
        "config.py",
        "a.pth",
        "a.png",
        "--out",
        "OUT",
    ),
    "palette": ("tools/prepare_data.py", "palette", "images", "--out", "OUT"),
}


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("kind", ["a link", "a named pipe", "a folder"])
def test_a_tool_refuses_an_output_that_is_not_a_file(words, kind, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "a.csv"
    {
        "a link": lambda p: p.symlink_to("../mine"),
        "a named pipe": os.mkfifo,
        "a folder": Path.mkdir,
    }[kind](path)
    before = path.lstat()
    done = call(*(str(path) if word == "OUT" else word for word in words))
    assert done.returncode == 2
    assert f"a.csv is {kind}" in done.stderr
    assert path.lstat().st_ino == before.st_ino  # not its time of access
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_training_does_not_write_through_a_link(tmp_path):
    """mmengine opens ``last_checkpoint``, the config and its logs, and would follow a link."""
    (tmp_path / "mine").write_text("mine")
    work_dir = tmp_path / "run"
    work_dir.mkdir()
    (work_dir / "last_checkpoint").symlink_to(tmp_path / "mine")
    with pytest.raises(BenchError, match=r"last_checkpoint is a link to .*mine, which is not in"):
        start(Config({}), SimpleNamespace(work_dir=work_dir))


def test_a_conversion_never_replaces_anything(tmp_path):
    for path in (tmp_path / "new", tmp_path / "new.report.json"):
        path.symlink_to("nothing")
        with pytest.raises(BenchError, match="already exists; remove it or give another"):
            check_free(tmp_path / "new")
        path.unlink()
    check_free(tmp_path / "new")


def test_demo_data_do_not_replace_a_link(tmp_path):
    spec = {"train_objects": 1, "val_objects": 1, "unlabelled": 1, "train_scenes": 1}
    disk = build_demo(tmp_path / "disk", DemoSpec(**spec, val_scenes=1), processes=1).folder
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(disk)
    with pytest.raises(BenchError, match=r"demo is a link to .*, whose data have another spec"):
        build_demo(tmp_path / "data", DemoSpec(**spec, val_scenes=2), processes=1)
    assert (tmp_path / "data" / "demo").is_symlink()


def test_there_is_one_writer_of_csv():
    """``io.csv_text`` quotes formulas; a second writer would not."""
    used = [
        path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("simmim_bench/**/*.py"))
        if re.search(r"csv\.(writer|DictWriter)|\.to_csv\(", path.read_text("utf-8"))
    ]
    assert used == ["simmim_bench/io.py"]


LINES = re.findall(r"^\| .* \| `(\S+)::(\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("file", "name"), LINES, ids=[name for _, name in LINES])
def test_each_line_of_the_page_has_its_test(file, name):
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_test_here_is_on_the_page():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| [^|-]", line)]
    assert len(LINES) == len(rows) - 2  # two headings
    assert len(LINES) > 50
    tree = ast.parse(Path(__file__).read_text("utf-8"))
    ours = {node.name for node in tree.body if getattr(node, "name", "").startswith("test_")}
    about = {"test_each_line_of_the_page_has_its_test", "test_each_test_here_is_on_the_page"}
    assert ours - about == {name for file, name in LINES if file == "test_security.py"}
