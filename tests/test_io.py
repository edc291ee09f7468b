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
    before = path.lstat()
    with pytest.raises(BenchError, match=f"a is {kind}, expected a file; give another path"):
        write(path, "new")
    assert path.lstat() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_socket_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a")
        with pytest.raises(BenchError, match="a is a socket, expected a file"):
            atomic_write_text(Path("a"), "new")
    assert Path("a").is_socket()


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+A1"])
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
