"""Files are whole or not there."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.io import (
    atomic_path,
    atomic_write_json,
    atomic_write_text,
    check_output_folder,
    csv_text,
    sha256_file,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("write", [atomic_write_text, atomic_write_json])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a named pipe"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
    ],
)
def test_only_a_file_is_replaced(write, make, kind, tmp_path):
    path = tmp_path / "a"
    make(path)
    before = path.lstat().st_ino
    with pytest.raises(BenchError, match=f"a is {kind}, expected a file; give another path"):
        write(path, "new")
    assert path.lstat().st_ino == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("target", ["../elsewhere", "../missing", "/etc/hostname"])
def test_a_link_to_elsewhere_is_neither_followed_nor_replaced(tmp_path, target):
    """A folder of a stranger may hold one that leads to a file of the user."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (folder / "a").symlink_to(target)
    with pytest.raises(BenchError, match=r"a is a link to .*, which is not in .*folder, so it is"):
        atomic_write_text(folder / "a", "new")
    with pytest.raises(BenchError, match="a is a link to"):
        check_output_folder(folder)
    assert (folder / "a").readlink() == Path(target)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["a"]


def test_a_link_inside_its_folder_becomes_the_file(tmp_path):
    (tmp_path / "epoch_1").write_text("1")
    (tmp_path / "last").symlink_to("epoch_1")
    (tmp_path / "next").symlink_to("epoch_2")  # not there yet
    check_output_folder(tmp_path)
    for name in ("last", "next"):
        atomic_write_text(tmp_path / name, "2")
        assert (tmp_path / name).read_text() == "2"
    assert (tmp_path / "epoch_1").read_text() == "1"


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/")], ids=["fifo", "link"]
)
def test_a_folder_is_refused_for_what_lies_deep_in_it(make, tmp_path):
    (tmp_path / "logs").mkdir()
    make(tmp_path / "logs" / "a")
    with pytest.raises(BenchError, match=r"logs/a is a (named pipe|link)"):
        check_output_folder(tmp_path)


def test_a_folder_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "work").symlink_to(tmp_path / "disk")
    check_output_folder(tmp_path / "work")
    check_output_folder(tmp_path / "not-yet")
    atomic_write_text(tmp_path / "work" / "a", "1")
    assert (tmp_path / "disk" / "a").read_text() == "1"


def test_a_socket_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a")
        with pytest.raises(BenchError, match="a is a socket, expected a file"):
            atomic_write_text(Path("a"), "new")
    assert Path("a").is_socket()


@pytest.mark.parametrize(
    "text", ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+A1", "\uff1d1"]
)
def test_text_that_a_spreadsheet_would_compute_is_quoted(text):
    assert csv_text([["a", text]]).replace('"', "") == f"a,'{text}\n"


@pytest.mark.parametrize("value", ["", "a=1", "a-b", "-1.5", "+2", "-1e-5", -1.5, -2, None, True])
def test_other_cells_are_written_as_they_are(value):
    assert csv_text([["a", value]]) == f"a,{'' if value is None else value}\n"


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        atomic_write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_written_files_follow_the_umask(tmp_path):
    atomic_write_json(tmp_path / "a.json", {})
    plain = tmp_path / "plain"
    plain.write_text("")
    assert (tmp_path / "a.json").stat().st_mode == plain.stat().st_mode


def test_the_hash_is_sha256_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 9000  # more than one chunk
    (tmp_path / "a").write_bytes(content)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()
