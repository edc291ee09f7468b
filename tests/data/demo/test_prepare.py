"""The tool, linking of existing copies, and what a missing dataset is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.data import layouts
from simmim_bench.data.prepare.commands import prepare
from simmim_bench.data.prepare.obtain import link_dataset
from simmim_bench.errors import BenchError

ROOT = Path(__file__).parents[3]


def make(folder, dataset):
    """A copy of ``dataset`` with one image in each folder."""
    empty = {"images": [], "annotations": [], "categories": []}
    first = layouts.LAYOUTS[dataset].first_class or "n01440764"
    for entry in layouts.LAYOUTS[dataset].entries:
        path = folder / entry
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(empty))
            continue
        inner = path / first if entry in layouts.LAYOUTS[dataset].class_folders else path
        inner.mkdir(parents=True)
        label_map = entry.startswith("annotations")
        kind = {"nyu": "I;16"}.get(dataset, "L")  # millimetres
        Image.new(kind if label_map else "RGB", (8, 8), 1).save(
            inner / ("one.png" if label_map else "one.jpg")
        )
    return folder


EVERY = [name for name in layouts.LAYOUTS if name != "demo"]


def tool(*words, **environment):
    return subprocess.run(
        [sys.executable, "tools/prepare_data.py", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def run(dataset, *, out=None, source=None, link=False, verify=False):
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    sources = [str(source)] if source else []
    code = prepare(dataset, out=out, sources=sources, link=link, verify=verify, console=console)
    return code, console.export_text()


@pytest.mark.parametrize("dataset", EVERY)
def test_copy_is_linked_and_verified(tmp_path, dataset):
    copy = make(tmp_path / "copy", dataset)
    root = tmp_path / "data"
    for link in (False, True):  # again: the same link
        run(dataset, out=root, source=copy, link=link)
        assert layouts.home(dataset, root).resolve() == copy
    assert layouts.require(dataset, root) == layouts.home(dataset, root)
    code, said = run(dataset, out=root, verify=True)
    assert code == 0
    assert "│        0 │" in said
    assert "subset of" in said
    image = next(copy.rglob("*.jpg"))
    image.write_bytes(image.read_bytes()[:100])
    code, said = run(dataset, out=root, verify=True)
    assert code == 1
    assert f"{image.name}: cannot be read" in said


def test_ade20k_is_found_inside_its_usual_folder(tmp_path):
    copy = make(tmp_path / "unpacked" / "ADEChallengeData2016", "ade20k")
    assert link_dataset("ade20k", tmp_path / "unpacked", tmp_path / "data").resolve() == copy


@pytest.mark.parametrize("dataset", EVERY)
def test_a_link_without_a_folder_says_where_to_get_it(tmp_path, dataset):
    first = layouts.LAYOUTS[dataset].needed[0]
    with pytest.raises(BenchError, match=rf"--link needs --source .*{first}.*https?://"):
        link_dataset(dataset, None, tmp_path)


def test_incomplete_copy_is_refused(tmp_path):
    (tmp_path / "copy" / "train2017").mkdir(parents=True)
    with pytest.raises(
        BenchError, match=r"val2017, annotations/instances_train2017\.json.* missing"
    ):
        link_dataset("coco", tmp_path / "copy", tmp_path)
    with pytest.raises(BenchError, match="is not a folder"):
        link_dataset("coco", tmp_path / "nowhere", tmp_path)


def test_imagenet_without_class_folders_is_refused(tmp_path):
    copy = make(tmp_path / "copy", "imagenet")
    (copy / "val" / "n01440764" / "one.jpg").rename(copy / "val" / "ILSVRC2012_val_00000001.JPEG")
    (copy / "val" / "n01440764").rmdir()
    with pytest.raises(BenchError, match="val has no folder per class"):
        link_dataset("imagenet", copy, tmp_path / "data")


def test_what_lies_in_the_place_is_not_replaced(tmp_path):
    copy = make(tmp_path / "copy", "coco")
    (tmp_path / "data" / "coco").mkdir(parents=True)
    with pytest.raises(BenchError, match="exists and is not"):
        link_dataset("coco", copy, tmp_path / "data")


def test_data_that_are_not_there_cannot_be_verified(tmp_path):
    for dataset in ("demo", "imagenet"):
        with pytest.raises(BenchError, match=f"looked for .*simmim-bench data {dataset}"):
            run(dataset, out=tmp_path, verify=True)


@pytest.mark.parametrize(
    ("path", "dataset"),
    [
        ("data/imagenet", "imagenet"),
        ("/mnt/x/coco/", "coco"),
        ("data/ade/ADEChallengeData2016", "ade20k"),
        ("data/demo", "demo"),
        ("data/demo/coco", "demo"),
        ("data/demo/unlabelled", "demo"),
        ("data/demo/ade/ADEChallengeData2016", "demo"),
        ("/home/demo/data/coco", "coco"),
        ("data/camvid", None),
        (".", None),
    ],
)
def test_dataset_of_a_config_path(path, dataset):
    assert layouts.dataset_of(path) == dataset


def test_commands_in_the_layouts_are_those_of_the_tool():
    shown = tool("--help").stdout
    for name in layouts.LAYOUTS:
        assert layouts.prepare_command(name).startswith(f"simmim-bench data {name}")
        assert name in shown
    assert "--source PATH" in tool("coco", "--help").stdout


def test_data_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("SIMMIM_BENCH_DATA", raising=False)
    assert layouts.data_root() == Path("data")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    assert layouts.data_root() == tmp_path
    assert layouts.data_root(Path("given")) == Path("given")


def test_tool_exit_codes(breakable, tmp_path):
    root = breakable.parent
    assert tool("demo", "--verify", SIMMIM_BENCH_DATA=str(root)).returncode == 0
    broken = breakable / "imagenet/val/digit_0/00000.jpg"
    broken.write_bytes(broken.read_bytes()[:500])
    found = tool("demo", "--verify", "--out", root)
    assert found.returncode == 1
    assert str(broken) in found.stdout.replace("\n", "")
    refused = tool("imagenet", "--out", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: imagenet needs ILSVRC2012_img_train.tar, which has no")
    assert len(refused.stderr.splitlines()) == 1
    assert tool("demo", "--source", tmp_path).returncode == 2
