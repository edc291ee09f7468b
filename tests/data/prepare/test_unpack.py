"""Archives that climb out, lie, or end too early."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from simmim_bench.data.prepare import unpack as module
from simmim_bench.data.prepare.unpack import unpack
from simmim_bench.errors import BenchError

FILES = {"set/a.txt": b"first" * 300, "set/deep/b.bin": bytes(5000), "c": b""}


@pytest.fixture(params=["zip", "tar", "tar.gz"])
def archive(request, tmp_path, archives):
    path = tmp_path / f"set.{request.param}"
    if request.param == "zip":
        return archives["zip"](path, FILES)
    return archives["tar"](path, FILES, "w:gz" if request.param == "tar.gz" else "w")


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refuse(archive, match):
    """Nothing is written: not inside, not outside, not for a while."""
    parent = archive.parent
    before = sorted(parent.rglob("*"))
    with pytest.raises(BenchError, match=match) as raised:
        unpack(archive, parent / "out")
    assert sorted(parent.rglob("*")) == before
    assert "\n" not in str(raised.value)


def test_everything_arrives(archive, tmp_path):
    told = []
    assert content(unpack(archive, tmp_path / "out", told.append)) == FILES
    assert sum(told) == sum(map(len, FILES.values()))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../outside.txt", "leads out"),
        ("set/../../outside.txt", "leads out"),
        ("/outside.txt", "absolute"),
        ("..\\outside.txt", "leads out"),
        ("C:\\outside.txt", "absolute"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_escape_are_refused_by_name(tmp_path, archives, kind, name, why):
    path = archives[kind](tmp_path / f"bad.{kind}", {"good.txt": b"1", name: b"2"})
    shown = name.replace("\\", "\\\\\\\\")
    refuse(path, f"bad.{kind}: entry '{shown}' .*{why}")


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        (tarfile.SYMTYPE, "/etc/passwd", "symbolic link to '/etc/passwd'"),
        (tarfile.SYMTYPE, "../..", "symbolic link"),
        (tarfile.LNKTYPE, "../../secret", "hard link to '../../secret'"),
        (tarfile.CHRTYPE, "", "character device"),
        (tarfile.BLKTYPE, "", "block device"),
        (tarfile.FIFOTYPE, "", "named pipe"),
    ],
)
def test_tar_links_and_devices_are_refused_by_name(tmp_path, kind, target, said):
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("set/trap")
        info.type, info.linkname = kind, target
        tar.addfile(info)
        inside = tarfile.TarInfo("set/trap/inside.txt")
        inside.size = 1
        tar.addfile(inside, io.BytesIO(b"x"))
    refuse(path, f"'set/trap' is a {said}")


def test_zip_links_are_refused_by_name(tmp_path):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("set/trap")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    refuse(path, "'set/trap' is a symbolic link")


def test_truncated_archives_are_refused(archive):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) * 6 // 10])
    refuse(archive, "truncated")


def test_a_tar_cut_between_two_files_is_refused(tmp_path, archives):
    path = archives["tar"](tmp_path / "cut.tar", {"a": b"1" * 512, "b": b"2" * 512})
    path.write_bytes(path.read_bytes()[:1024])  # header and content of the first file
    refuse(path, "truncated after 1 entries")


def test_damaged_content_is_refused(tmp_path, archives):
    path = archives["zip"](tmp_path / "bad.zip", {"a": bytes(range(256)) * 50})
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 0xFF
    path.write_bytes(damaged)
    refuse(path, "truncated or damaged")


def test_what_is_no_archive_is_said(tmp_path):
    (tmp_path / "page.zip").write_text("<html>sign in</html>")
    refuse(tmp_path / "page.zip", "neither a zip nor a tar")
    refuse(tmp_path / "none.zip", "does not exist")


def test_a_full_disk_is_seen_before_the_first_file(archive, monkeypatch):
    free = type("Usage", (), {"free": 6000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: free)
    refuse(archive, "GB free")


def test_killed_in_the_middle_leaves_nothing_in_the_place(tmp_path, archives):
    path = archives["tar"](tmp_path / "set.tar", {f"{n}.txt": b"x" for n in range(50)})
    script = (
        "import sys, time; from pathlib import Path\n"
        "from simmim_bench.data.prepare.unpack import unpack\n"
        "def slow(count):\n"
        "    print(count, flush=True); time.sleep(0.1)\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]), slow)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(tmp_path / "out")], stdout=subprocess.PIPE
    )
    for _ in range(3):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.05)
    assert not (tmp_path / "out").exists()
    assert len(content(unpack(path, tmp_path / "out"))) == 50
