"""Which files of a folder are images; nothing in it makes the tools wait or fail later."""

import os
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from simmim_bench.data.image_files import (
    SUFFIXES,
    image_files,
    list_images,
    read_regular,
    required_images,
    shown,
)
from simmim_bench.data.layouts import check_data
from simmim_bench.data.lmdb import open_lmdb
from simmim_bench.data.pixels import UnreadableImageError, read_pixels
from simmim_bench.data.shards import shard_files
from simmim_bench.data.transforms import LoadImage
from simmim_bench.errors import BenchError

IMAGE = Image.fromarray(np.zeros((4, 4, 3), np.uint8))


@pytest.fixture(autouse=True)
def never_waits():
    """Opening a named pipe waits for its other end; the test then fails instead of hanging."""
    timer = threading.Timer(20, os._exit, (3,))
    timer.start()
    yield
    timer.cancel()


def test_all_suffixes_in_any_case_are_images_and_others_are_counted_and_named(tmp_path):
    for number, suffix in enumerate(SUFFIXES):
        (tmp_path / f"{number}{suffix.upper() if number % 2 else suffix}").touch()
    for name in ("a.txt", "notes.md", "x.heic", ".hidden.png", ".cache/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = list_images(tmp_path)
    assert len(listing.images) == len(SUFFIXES) == 10
    said = "5 files are not images and are skipped: .cache, .hidden.png, a.txt, ..."
    assert listing.note() == f"{tmp_path}: {said}"


def test_a_folder_of_unsupported_images_names_what_was_found(tmp_path):
    for name in ("a.heic", "b.HEIC", "c.txt"):
        (tmp_path / name).touch()
    with pytest.raises(BenchError, match=r"has no images: found 2 \.heic, 1 \.txt, supported are"):
        required_images(tmp_path)
    with pytest.raises(BenchError, match="does not exist or is not a folder"):
        required_images(tmp_path / "none")


def pipe(path):
    os.mkfifo(path)


def unix_socket(path):
    os.chdir(path.parent)  # paths of sockets are short
    socket.socket(socket.AF_UNIX).bind(path.name)


def dangling(path):
    path.symlink_to("nowhere.jpg")


def itself(path):
    path.symlink_to(path)


def device(path):
    path.symlink_to("/dev/zero")


SPECIAL = {
    pipe: "a named pipe",
    unix_socket: "a socket",
    dangling: "a link to nothing",
    itself: "a link to nothing",
    device: "a device",
}


@pytest.mark.parametrize("make", SPECIAL)
def test_what_is_not_a_file_is_named_and_never_opened(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    IMAGE.save(tmp_path / "a.png")
    make(tmp_path / "x.jpg")
    with pytest.raises(BenchError, match=f"x.jpg is {SPECIAL[make]}, not an image; remove it"):
        image_files(tmp_path)


@pytest.mark.parametrize("make", SPECIAL)
def test_a_reader_that_meets_it_says_so(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.jpg"
    make(path)
    with pytest.raises(OSError):  # noqa: PT011  (the system says which)
        read_regular(path)
    with pytest.raises(UnreadableImageError):
        read_pixels(path)
    with pytest.raises(BenchError, match=r"image \S+x\.jpg cannot be read \(.*restore or remove"):
        LoadImage()({"img_path": str(path)})


def test_a_pipe_with_another_name_is_only_skipped(tmp_path):
    IMAGE.save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    assert list_images(tmp_path).checked().skipped == ["pipe"]


def test_a_link_back_to_a_folder_above_is_refused(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    IMAGE.save(tmp_path / "a" / "b" / "x.png")
    (tmp_path / "a" / "b" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b" / "top").symlink_to(tmp_path)
    with pytest.raises(BenchError, match=r"b/again is a symbolic link that leads back .*1 more"):
        image_files(tmp_path)


def test_links_to_other_folders_are_followed(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "seen").mkdir()
    IMAGE.save(tmp_path / "data" / "x.png")
    (tmp_path / "seen" / "one").symlink_to(tmp_path / "data")
    (tmp_path / "seen" / "two").symlink_to(tmp_path / "data")
    assert sorted(list_images(tmp_path / "seen").images) == ["one/x.png", "two/x.png"]


@pytest.mark.parametrize("name", ["two\nlines.png", "bell\x07.png", os.fsdecode(b"\xff.png")])
def test_a_name_that_no_list_can_hold_is_refused(tmp_path, name):
    IMAGE.save(tmp_path / name, "PNG")
    with pytest.raises(
        BenchError, match="is not UTF-8 or has a control character; rename it"
    ) as it:
        image_files(tmp_path)
    assert str(it.value).isprintable()
    str(it.value).encode()


def test_names_of_any_script_are_fine(tmp_path):
    for name in ("Bild größer.png", "画像 1.png", "Screenshot 3.04\u202fPM.png"):
        IMAGE.save(tmp_path / name)
    assert len(image_files(tmp_path)) == 3
    assert shown("größer\n\udcff") == r"größer\n\udcff"


def test_pipes_in_the_place_of_shards_and_annotations_are_named(tmp_path):
    os.mkfifo(tmp_path / "0.tar")
    with pytest.raises(BenchError, match=r"0\.tar is a named pipe, not a shard; remove it"):
        shard_files(tmp_path)
    os.mkfifo(tmp_path / "data.mdb")
    with pytest.raises(BenchError, match=r"data\.mdb is a named pipe, not an LMDB"):
        open_lmdb(tmp_path)
    (tmp_path / "train2017").mkdir()
    os.mkfifo(tmp_path / "a.json")
    cfg = {
        "train_dataloader": {"dataset": {"data_root": str(tmp_path), "ann_file": "a.json"}},
    }
    with pytest.raises(BenchError, match=r"a\.json is a named pipe, expected an annotation file"):
        check_data(cfg)
