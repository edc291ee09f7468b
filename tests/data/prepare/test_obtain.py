"""Whole preparations: from paths, file:// and http, from folders, refused and killed ones."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from simmim_bench.data import layouts
from simmim_bench.data.prepare import download
from simmim_bench.data.prepare.archives import ARCHIVES
from simmim_bench.data.prepare.obtain import obtain
from simmim_bench.errors import BenchError

ROOT = Path(__file__).parents[3]
COCO = {
    "train2017.zip": {"train2017/1.jpg": b"1", "train2017/2.jpg": b"2"},
    "val2017.zip": {"val2017/3.jpg": b"3"},
    "annotations_trainval2017.zip": {
        "annotations/instances_train2017.json": b"{}",
        "annotations/instances_val2017.json": b"{}",
        "annotations/captions_val2017.json": b"{}",
    },
}


@pytest.fixture
def coco(tmp_path, archives):
    folder = tmp_path / "coco-archives"
    folder.mkdir()
    for name, files in COCO.items():
        archives["zip"](folder / name, files)
    return folder


TEST_SETS = {
    "imagenet-a": ("imagenet-a.tar", "imagenet-a/n01498041"),
    "imagenet-r": ("imagenet-r.tar", "imagenet-r/n01443537"),
    "imagenet-v2": (
        "imagenetv2-matched-frequency.tar.gz",
        "imagenetv2-matched-frequency-format-val/0",
    ),
    "imagenet-sketch": ("ImageNet-Sketch.zip", "sketch/n01440764"),
}
"""Archive of each and its first class folder, as published."""


@pytest.fixture
def put(tmp_path):
    """Function that prepares below ``data``; says what it was told."""

    def put(dataset, *given, link=False):
        put.said = []
        given = [str(each) for each in given]
        return obtain(dataset, given, tmp_path / "data", link=link, say=put.said.append)

    return put


def nothing_left(root):
    return not [path for path in root.rglob("*") if not path.name.endswith(".lock")]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_archives_by_path(own, put, coco):
    home = put("coco", *coco.iterdir())
    found = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    assert found == {name: each for files in COCO.values() for name, each in files.items()}
    assert not home.is_symlink()
    assert layouts.require("coco", home.parent) == home
    assert all((coco / name).is_file() for name in COCO)  # the user's own stay


def test_archives_by_file_url_and_with_a_checksum_of_ones_own(put, coco):
    given = [f"{path.as_uri()}#sha256={digest(path)}" for path in coco.iterdir()]
    home = put("coco", *given)
    assert home.is_dir()
    assert not (home.parent / "downloads").exists()  # served where they lie


def test_a_folder_of_archives(own, put, imagenet, cityscapes):
    assert (put("imagenet", imagenet) / "val" / "n01440764").is_dir()
    assert (put("cityscapes", cityscapes) / "classes.txt").is_file()


def test_ade20k_goes_below_its_usual_folder(own, put, tmp_path, archives):
    inner = layouts.LAYOUTS["ade20k"].entries
    files = {f"ADEChallengeData2016/{entry}/x.png": b"x" for entry in inner}
    archive = archives["zip"](tmp_path / "ADEChallengeData2016.zip", files)
    home = put("ade20k", archive)
    assert home == tmp_path / "data" / "ade" / "ADEChallengeData2016"
    assert (home / "images" / "training" / "x.png").is_file()


@pytest.mark.parametrize("name", TEST_SETS)
def test_sets_of_one_folder_come_from_an_archive_or_a_copy(own, put, name, tmp_path, archives):
    archive, place = TEST_SETS[name]
    write = archives["zip" if archive.endswith("zip") else "tar"]
    with pytest.raises(BenchError, match=f"{Path(place).name} missing; get {archive} at https://"):
        put(name, tmp_path)  # no class folder in it
    home = put(name, write(tmp_path / archive, {f"{place}/1.JPEG": b"1"}))
    assert home == tmp_path / "data" / name
    assert (home / Path(place).name / "1.JPEG").read_bytes() == b"1"
    home.rename(tmp_path / "copy")
    assert put(name, tmp_path / "copy").resolve() == tmp_path / "copy"


def test_imagenet_c_comes_from_four_archives(own, put, tmp_path, archives):
    parts = {
        "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
        "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        "weather": ("snow", "frost", "fog", "brightness"),
        "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    }
    for archive, names in parts.items():
        files = {f"{name}/1/n01440764/1.JPEG": name.encode() for name in names}
        archives["tar"](tmp_path / f"{archive}.tar", files)
    home = put("imagenet-c", tmp_path)
    for name in (each for names in parts.values() for each in names):
        assert (home / name / "1" / "n01440764" / "1.JPEG").read_bytes() == name.encode()


def test_downloads_survive_cuts_and_are_kept(
    own, put, server, cifar10, archives, tmp_path, monkeypatch
):
    archive = archives["tar"](tmp_path / "made.tar.gz", cifar10, "w:gz")
    server.content = archive.read_bytes()
    server.cuts = [200, 300]
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    home = put("cifar10", server.url)
    assert len(list(home.rglob("*.png"))) == 22
    assert server.sent == len(server.content)
    kept = tmp_path / "data" / "downloads" / "cifar-10-python.tar.gz"
    assert kept.read_bytes() == server.content
    assert any(str(kept) in said for said in put.said)


def test_without_a_source_the_official_address_is_used(
    put, server, cifar10, archives, tmp_path, monkeypatch
):
    archive = archives["tar"](tmp_path / "made.tar.gz", cifar10, "w:gz")
    server.content = archive.read_bytes()
    [official] = ARCHIVES["cifar10"]
    checksum = download.Checksum("sha256", digest(archive))
    here = replace(official, url=server.url, checksum=checksum)
    monkeypatch.setitem(ARCHIVES, "cifar10", (here,))
    assert put("cifar10").is_dir()
    put("cifar10")  # complete: not asked for again
    assert len(server.asked) == 1
    assert "is already there" in put.said[0]


@pytest.mark.parametrize("dataset", ["imagenet", "cityscapes"])
def test_where_to_get_what_needs_a_licence(put, dataset, tmp_path):
    with pytest.raises(BenchError, match=r"https://.* --source PATH`.*with the archives \("):
        put(dataset)
    assert nothing_left(tmp_path)


def test_an_archive_that_is_not_the_published_one(put, coco, tmp_path):
    with pytest.raises(
        BenchError, match=r"\.zip has md5 [0-9a-f]{32}, expected cced6f7f"
    ) as raised:
        put("coco", *sorted(coco.iterdir(), reverse=True)[1:], coco / "val2017.zip")
    given = str(raised.value).rpartition(" give ")[2]
    assert given.startswith(f"{coco}/train2017.zip#md5=")
    assert not (tmp_path / "data" / "coco").exists()


def test_a_checksum_that_is_none(put, coco):
    with pytest.raises(BenchError, match="invalid checksum #md5=123"):
        put("coco", f"{coco}/train2017.zip#md5=123")


def test_an_unknown_archive(put, tmp_path):
    with pytest.raises(BenchError, match=r"is not an archive of coco; expected train2017\.zip or"):
        put("coco", tmp_path / "test2017.zip")


def test_an_archive_that_is_not_there(own, put, tmp_path):
    with pytest.raises(BenchError, match=r"train2017\.zip is not a file"):
        put("coco", tmp_path / "train2017.zip")


def test_an_archive_with_something_else_inside(own, put, archives, coco, tmp_path):
    archives["zip"](coco / "val2017.zip", {"readme.txt": b"x"})
    with pytest.raises(BenchError, match="has no val2017"):
        put("coco", coco)
    assert nothing_left(tmp_path / "data")


def test_an_escape_leaves_nothing(own, put, archives, coco, tmp_path):
    archives["zip"](coco / "val2017.zip", {"../../../val2017/1.jpg": b"x"})
    with pytest.raises(BenchError, match="leads out"):
        put("coco", coco)
    assert nothing_left(tmp_path / "data")


def test_what_lies_in_the_place_is_not_replaced(own, put, coco, tmp_path):
    (tmp_path / "data" / "coco" / "mine").mkdir(parents=True)
    with pytest.raises(BenchError, match="exists; move it away"):
        put("coco", *coco.iterdir())
    assert (tmp_path / "data" / "coco" / "mine").is_dir()


def test_link_takes_folders_in_the_layout_alone(own, put, coco):
    with pytest.raises(BenchError, match="is not coco: train2017"):
        put("coco", coco, link=True)
    with pytest.raises(BenchError, match="--link needs --source"):
        put("coco", link=True)


def test_unpacked_cityscapes_is_converted_and_its_images_are_linked(own, put, cityscapes, tmp_path):
    for name in ("leftImg8bit", "gtFine"):
        command = [sys.executable, "-m", "zipfile", "-e", f"{cityscapes}/{name}_trainvaltest.zip"]
        subprocess.run([*command, str(tmp_path / "raw")], check=True)
    home = put("cityscapes", tmp_path / "raw")
    [image] = (home / "images" / "training").iterdir()
    assert image.resolve() == next((tmp_path / "raw/leftImg8bit/train").rglob("*.png")).resolve()
    [label] = (home / "annotations" / "training").iterdir()
    assert not label.is_symlink()


@pytest.mark.parametrize("inside", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_unpacked_voc_is_converted_and_its_images_are_linked(put, voc, tmp_path, inside):
    for name, content in voc.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    home = put("voc", tmp_path / "raw" / inside)
    [image] = (home / "images" / "validation").iterdir()
    assert image.resolve() == (tmp_path / "raw/VOCdevkit/VOC2012/JPEGImages/2007_2.jpg").resolve()
    assert not any(path.is_symlink() for path in (home / "annotations").rglob("*"))


def test_unpacked_cifar_is_converted(put, cifar100, tmp_path):
    for name, content in cifar100.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for number, given in enumerate((tmp_path / "raw", tmp_path / "raw" / "cifar-100-python")):
        home = obtain("cifar100", [str(given)], tmp_path / f"data{number}", link=False, say=print)
        assert len(list(home.rglob("*.png"))) == 9


def test_a_folder_that_cannot_be_written_is_one_sentence(own, coco, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot be written to"):
        obtain("coco", [str(coco)], tmp_path / "file" / "data", link=False, say=print)


def test_killed_in_the_middle_and_run_again(own, put, tmp_path, archives, coco):
    """Nothing half-written in the place; what the killed run left is gone after the next."""
    files = {f"train2017/{number}.jpg": b"x" for number in range(200)}
    archives["zip"](coco / "train2017.zip", files)
    script = (
        "import sys, time; from pathlib import Path; from dataclasses import replace\n"
        "from simmim_bench.data.prepare import archives, obtain, unpack\n"
        "own = tuple(replace(each, checksum=None) for each in archives.ARCHIVES['coco'])\n"
        "archives.ARCHIVES['coco'] = own\n"
        "space = unpack.check_space\n"
        "def slow(folder, needed, said):\n"
        "    print(said, flush=True)\n"
        "    if said.startswith('val'): time.sleep(60)\n"
        "unpack.check_space = slow\n"
        "obtain.obtain('coco', [sys.argv[1]], Path(sys.argv[2]), link=False, say=print)\n"
    )
    root = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(coco), str(root)], stdout=subprocess.PIPE
    )
    assert [process.stdout.readline() for _ in range(2)] == [b"train2017.zip\n", b"val2017.zip\n"]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.05)
    assert (root / ".coco.building" / "train2017").is_dir()
    assert not (root / "coco").exists()
    home = put("coco", coco)
    assert len(list((home / "train2017").iterdir())) == 200
    assert {path.name for path in root.iterdir() if path.suffix != ".lock"} == {"coco"}


LISTED = "/hall_1/rgb_00001.jpg /hall_1/sync_depth_00001.png 518.8579\n"


def nyu_files(listed=LISTED):
    return {
        "nyu/nyu_train.txt": listed.encode(),
        "nyu/nyu_test.txt": listed.replace("hall_1", "bath").encode(),
        "nyu/hall_1/rgb_00001.jpg": b"1",
        "nyu/hall_1/sync_depth_00001.png": b"2",
        "nyu/bath/rgb_00001.jpg": b"3",
        "nyu/bath/sync_depth_00001.png": b"4",
    }


def test_nyu_gets_the_names_that_mmseg_reads(tmp_path, archives, put):
    archives["zip"](tmp_path / "nyu.zip", nyu_files())
    home = put("nyu", tmp_path / "nyu.zip")
    found = {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
    }
    assert found == {
        "images/train/hall_1_00001.jpg": b"1",
        "annotations/train/hall_1_00001.png": b"2",
        "images/test/bath_00001.jpg": b"3",
        "annotations/test/bath_00001.png": b"4",
    }


@pytest.mark.parametrize("name", ["/hall_1/rgb_2.jpg", "../nyu_test.txt", "/hall_1"])
def test_lists_of_nyu_name_files_of_the_archive(tmp_path, archives, put, name):
    listed = f"{name} /hall_1/sync_depth_00001.png 518.8579\n"
    archives["zip"](tmp_path / "nyu.zip", nyu_files(listed))
    with pytest.raises(BenchError, match=r"nyu_train.txt lists .*, which nyu.zip does not have"):
        put("nyu", tmp_path / "nyu.zip")
    assert not (tmp_path / "data" / "nyu").exists()


def test_nyu_is_not_downloaded(put):
    with pytest.raises(BenchError, match=r"nyu needs nyu\.zip, which has no public address: get"):
        put("nyu")


def test_every_dataset_of_the_table_has_a_layout_and_a_published_source():
    # their owners state no checksums
    unchecked = {"cityscapes", "imagenet-v2", "imagenet-sketch", "nyu"}
    assert set(ARCHIVES) == set(layouts.LAYOUTS) - {"demo"}
    for dataset, archives in ARCHIVES.items():
        for archive in archives:
            assert archive.url is None or archive.url.endswith(f"/{archive.name}")
            assert (archive.checksum is None) == (dataset in unchecked)


def test_checksums_are_those_of_torchvision():
    from torchvision.datasets import CIFAR10, CIFAR100
    from torchvision.datasets.imagenet import ARCHIVE_META
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    md5 = {
        a.name: a.checksum.digest
        for n in ("cifar10", "cifar100", "imagenet", "voc")
        for a in ARCHIVES[n]
    }
    voc = DATASET_YEAR_DICT["2012"]
    published = {
        CIFAR10.filename: CIFAR10.tgz_md5,
        CIFAR100.filename: CIFAR100.tgz_md5,
        voc["filename"]: voc["md5"],
    }
    assert md5 == {**published, **dict(ARCHIVE_META.values())}
