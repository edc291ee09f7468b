"""Downloads against a local server that cuts, changes its file, ignores ranges and fails."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from simmim_bench.data.prepare import download as module
from simmim_bench.data.prepare.archives import Checksum
from simmim_bench.data.prepare.download import download
from simmim_bench.errors import BenchError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def get(server, tmp_path):
    """Function that downloads what the server has."""
    server.content = CONTENT

    def get(**options):
        return download(server.url, tmp_path / "a.bin", wait=0, **options)

    return get


def visible(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_file_comes_whole_and_is_not_asked_for_again(get, server, tmp_path):
    told = []
    path = get(checksum=SHA256, advance=told.append)
    assert path.read_bytes() == CONTENT
    assert sum(told) == len(CONTENT)
    assert visible(tmp_path) == {"a.bin"}
    get(checksum=SHA256)
    assert len(server.asked) == 1


def test_cut_connections_are_continued_where_they_ended(get, server):
    server.cuts = [1_000_000, 500_000, 0, 7]
    told = []
    assert get(advance=told.append).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)  # no byte twice
    assert sum(told) == len(CONTENT)
    assert [headers.get("Range") for headers in server.asked] == [
        None,
        "bytes=1000000-",
        "bytes=1500000-",
        "bytes=1500000-",
        "bytes=1500007-",
    ]
    assert {headers.get("If-Range") for headers in server.asked[1:]} == {'"one"'}


def test_a_later_call_continues(get, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.cuts = [1_000_000, 0]
    with pytest.raises(BenchError, match=r"1000000 bytes are kept in .*a\.bin\.part"):
        get()
    assert not (tmp_path / "a.bin").exists()
    assert get().read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


def test_a_file_that_changed_is_begun_anew(get, server):
    server.cuts = [1_000_000]
    changed = CONTENT[::-1][:2_000_000]

    def advance(count):
        if server.sent == 1_000_000:  # the first answer has been cut
            server.content, server.etag = changed, '"two"'

    assert get(advance=advance).read_bytes() == changed


def test_a_server_without_ranges_sends_all_again(get, server):
    server.ranges = False
    server.cuts = [1_000_000]
    told = []
    assert get(advance=told.append).read_bytes() == CONTENT
    assert server.sent == 1_000_000 + len(CONTENT)
    assert sum(told) == len(CONTENT)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_never_comes_further_is_left(get, server, ranges):
    server.ranges = ranges
    server.cuts = [1000] + [0 if ranges else 1000] * 50
    with pytest.raises(BenchError, match="Check the network"):
        get()
    assert len(server.asked) == module.ATTEMPTS + 1


@pytest.mark.parametrize("checksum", [None, SHA256])
def test_without_a_tag_only_a_checksum_allows_to_continue(get, server, checksum):
    server.etag = None
    server.cuts = [1_000_000]
    assert get(checksum=checksum).read_bytes() == CONTENT
    assert ("Range" in server.asked[1]) == (checksum is not None)


def test_a_weak_tag_is_no_proof_that_the_file_is_the_same(get, server):
    server.etag = 'W/"one"'
    server.cuts = [1_000_000]
    assert get().read_bytes() == CONTENT
    assert "Range" not in server.asked[1]


def test_a_part_that_is_whole_needs_no_byte(get, server, tmp_path):
    """Killed after the last byte, before the file had its name."""
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    version = {"url": server.url, "size": len(CONTENT), "etag": '"one"', "modified": None}
    (tmp_path / "a.bin.part.json").write_text(json.dumps(version))
    assert get().read_bytes() == CONTENT
    assert server.sent == 0
    assert visible(tmp_path) == {"a.bin"}


def test_a_wrong_checksum_is_one_sentence_and_leaves_nothing(get, tmp_path):
    wrong = Checksum("md5", "0" * 32)
    with pytest.raises(BenchError) as raised:
        get(checksum=wrong)
    said = str(raised.value)
    assert hashlib.md5(CONTENT).hexdigest() in said  # noqa: S324
    assert "0" * 32 in said
    assert "\n" not in said
    assert visible(tmp_path) == set()
    assert get(checksum=SHA256).read_bytes() == CONTENT


def test_a_file_that_is_there_but_wrong_is_not_taken(get, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:100])
    with pytest.raises(BenchError, match="expected"):
        get(checksum=SHA256)


def test_a_server_that_is_busy_is_asked_again(get, server):
    server.failures = [503, 429]
    assert get().read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_file_that_is_not_there_is_not_asked_for_twice(get, server, tmp_path):
    server.failures = [404]
    with pytest.raises(BenchError, match="HTTP 404"):
        get()
    assert len(server.asked) == 1
    assert visible(tmp_path) == set()


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    with pytest.raises(BenchError, match=r"cannot be downloaded .* --source"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", wait=0)


def test_a_full_disk_is_seen_before_the_first_byte(get, server, tmp_path, monkeypatch):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: free)
    with pytest.raises(BenchError, match="GB free; choose another disk"):
        get()
    assert visible(tmp_path) == set()


def test_killed_in_the_middle_and_continued(server, tmp_path):
    server.content = CONTENT
    script = (
        "import sys, time; from pathlib import Path\n"
        "from simmim_bench.data.prepare.download import download\n"
        "def slow(count):\n"
        "    print(count, flush=True); time.sleep(0.2)\n"
        "download(sys.argv[1], Path(sys.argv[2]), advance=slow)\n"
    )
    target = tmp_path / "a.bin"
    process = subprocess.Popen(
        [sys.executable, "-c", script, server.url, str(target)], stdout=subprocess.PIPE
    )
    for _ in range(4):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.05)
    arrived = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < arrived < len(CONTENT)
    assert not target.exists()
    assert download(server.url, target, wait=0).read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == f"bytes={arrived}-"
