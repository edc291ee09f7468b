"""Folders, data sets and caches of faked disks."""

import json
from collections import namedtuple

import pytest

from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.doctor import places
from simmim_bench.io import cache_home

Usage = namedtuple("Usage", "total used free")
CARD = {
    "name": "crops",
    "task": "unlabelled",
    "mean": [1.0, 2.0, 3.0],
    "std": [1.0, 1.0, 1.0],
    "images": {"train": 3, "val": 0},
    "fingerprint": "0" * 64,
    "origin": "folder",
}


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    """An empty current folder, with data and caches below it."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIMMIM_BENCH_DATA", "HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def by_topic(findings):
    return {finding.topic: finding for finding in findings}


def test_folders_that_do_not_exist_yet(tmp_path):
    found = by_topic(places.check_places())
    assert {*found} == {"outputs", "data", "cache", "temporary files"}
    outputs = found["outputs"]
    assert outputs.status == "ok"
    assert outputs.text.startswith(f"{tmp_path}/work_dirs (does not exist yet): ")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("free", "status"), [(5e8, "problem"), (5e9, "note"), (5e10, "ok")])
def test_little_space(monkeypatch, free, status):
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: Usage(1e11, 0, free))
    for finding in places.check_places():
        assert finding.status == status
        assert bool(finding.remedy) == (status != "ok")


def test_folders_that_cannot_be_written_to(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(places.tempfile, "TemporaryFile", refuse)
    found = by_topic(places.check_places())
    assert found["data"].status == "ok"  # reading is enough
    assert found["data"].text.endswith("read-only")
    for name in ("outputs", "cache", "temporary files"):
        assert found[name].status == "problem"
        assert "cannot be written to (Permission denied)" in found[name].text


def test_a_link_to_nothing_and_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "data").symlink_to("/nowhere/at/all")
    (tmp_path / "work_dirs").touch()
    found = by_topic(places.check_places())
    assert found["data"].text.endswith("data is a link to nothing")
    assert found["outputs"].text.endswith("work_dirs is no folder")
    assert {found["data"].status, found["outputs"].status} == {"problem"}


def test_no_data():
    [found] = places.check_data()
    assert found.status == "note"
    assert found.text == f"none found; not there: {', '.join(LAYOUTS)}"
    assert "demo" in found.remedy


def test_data_that_are_whole_and_data_that_lack_something(tmp_path):
    for name in ("cifar10", "imagenet"):
        (tmp_path / "data" / name / "train").mkdir(parents=True)
    (tmp_path / "data" / "cifar10" / "val").mkdir()
    incomplete, found = places.check_data()
    assert incomplete.status == "note"
    assert incomplete.text == f"imagenet is not complete: {tmp_path}/data/imagenet/val is missing"
    assert "imagenet" in incomplete.remedy
    assert found.status == "ok"
    assert found.text.startswith("cifar10 found; not there: demo, coco, ")


def test_own_data(tmp_path):
    for name, text in (("crops", json.dumps(CARD)), ("broken", "{")):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "dataset.json").write_text(text, "utf-8")
    broken, layouts, own = places.check_data()
    assert broken.status == "problem"
    assert "broken/dataset.json" in broken.text
    assert "import broken" in broken.remedy
    assert layouts.status == "ok"
    assert own.text == "1 found: crops (unlabelled)"


def test_caches_are_added_up_without_following_links(tmp_path):
    hub = tmp_path / "cache" / "huggingface" / "hub"
    hub.mkdir(parents=True)
    (hub / "blob").write_bytes(b"x" * 2500)
    (hub / "name").symlink_to("blob")
    texts = [finding.text for finding in places.check_caches()]
    assert texts == ["simmim_bench: empty", f"Hugging Face: 2.5 kB in {hub}", "torch.hub: empty"]


def test_a_large_cache_takes_limited_time(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "SECONDS", -1)
    cache_home().mkdir(parents=True)
    (cache_home() / "file").write_bytes(b"x")
    assert next(places.check_caches()).text == f"simmim_bench: more than 1 bytes in {cache_home()}"
