"""Odd addresses, indexes, lists and palettes end in a sentence, which repeats no secret."""

import json
import socket
import time

import pytest
from PIL import Image

from simmim_bench.data.lmdb import lmdb_keys, write_lmdb
from simmim_bench.data.prepare.archives import gather
from simmim_bench.data.prepare.convert.imagenet import validation_labels
from simmim_bench.data.prepare.download import download
from simmim_bench.data.shards import shard_index, write_shards
from simmim_bench.errors import BenchError
from simmim_bench.io import without_secrets
from simmim_bench.models.targets.colours import read_palette
from simmim_bench.suite.report import check_webhook
from simmim_bench.tasks.annotation_file import read_entries
from simmim_bench.tasks.segmentation import class_names
from simmim_bench.weights import fetch as fetch_module
from simmim_bench.weights.address import parse_address

ADDRESSES = [
    "http://[::1/x.pth", "http://localhost:x/x.pth", "http://a b/x.pth", "https:///\ud800", "http://",
    "ftp://localhost/x.pth", "javascript://[::1/x", "file:///a%00b", "http://localhost:99999/x.pth",
    "http://\n/x.pth", "http://" + "a" * 70 + "/x.pth", "http://.../x", "http://é\u0301..x/",
]  # fmt: skip
CIFAR = "cifar-10-python.tar.gz?token=s3cret"
SECRET = "http://me:s3cret@localhost:1/x.pth?token=s3cret"  # noqa: S105


@pytest.mark.parametrize("url", ADDRESSES, ids=range(len(ADDRESSES)))
def test_odd_addresses_end_in_a_sentence(tmp_path, url):
    for read in (
        lambda url: fetch_module.fetch(parse_address(url)),
        lambda url: download(url, tmp_path / "x", wait=0),
        lambda url: gather("cifar10", [url], tmp_path, lambda _: None),
    ):
        with pytest.raises(BenchError):
            read(url)


@pytest.mark.parametrize(
    "url", ["http://[::1", "ftp://x", "", "http://", "http://a:b", "http:\n//a"]
)
def test_odd_webhooks_end_in_a_sentence(url):
    with pytest.raises(BenchError, match="--webhook must be an http or https URL"):
        check_webhook(url)


def test_secrets_of_an_address_are_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    readers = [
        lambda url: fetch_module.fetch(parse_address(url)),
        lambda url: download(url, tmp_path / "x", wait=0),
        lambda url: gather("cifar10", [url], tmp_path, lambda _: None),
        lambda url: gather("cifar10", [f"http://{url[7:-19]}/{CIFAR}"], tmp_path, print),
        lambda url: check_webhook(url.replace("http", "ftp")),
    ]  # fmt: skip
    for read in readers:
        with pytest.raises(BenchError) as caught:
            read(SECRET)
        assert "s3cret" not in str(caught.value)


def test_what_is_removed_from_an_address():
    assert without_secrets(f"cannot download {SECRET} (refused)") == (
        "cannot download http://localhost:1/x.pth?... (refused)"
    )
    assert without_secrets("https://hf_token@host/x.pth") == "https://host/x.pth"
    assert without_secrets("did you mean a.pth? or C:/x@y") == "did you mean a.pth? or C:/x@y"


def test_a_host_that_refuses_is_given_up_in_seconds(tmp_path):
    begin = time.monotonic()
    with pytest.raises(BenchError, match="cannot be downloaded"):
        download("http://localhost:1/x", tmp_path / "x", wait=0.1)
    assert time.monotonic() - begin < 2


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(fetch_module, "TIMEOUT", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(BenchError, match="timed out"),
    ):
        fetch_module.fetch(parse_address(f"http://127.0.0.1:{silent.getsockname()[1]}/x.pth"))
    assert socket.getdefaulttimeout() is None


@pytest.fixture
def shard(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    write_shards([tmp_path / "a.png"] * 2, tmp_path, lambda _: None)
    return tmp_path / "000000.tar"


@pytest.mark.parametrize(
    "edit",
    [
        lambda kept: kept["entries"][0].__setitem__(1, 0),
        lambda kept: kept["entries"][0].__setitem__(0, []),
        lambda kept: kept["entries"].pop(),
        lambda kept: kept.pop("sha256"),
    ],
)
def test_a_changed_index_of_a_shard_is_not_believed(shard, edit):
    genuine = shard_index(shard)
    index = shard.with_name("000000.tar.index.json")
    kept = json.loads(index.read_text())
    edit(kept)
    index.write_text(json.dumps(kept))
    assert shard_index(shard) == genuine


def test_a_deeply_nested_index_is_not_believed(shard):
    genuine = shard_index(shard)
    shard.with_name("000000.tar.index.json").write_text("[" * 3000)
    assert shard_index(shard) == genuine


def test_a_class_list_of_another_encoding(tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"a\n\xe9\n")
    with pytest.raises(BenchError, match=r"is not UTF-8 text .byte 2 is wrong.; save it as UTF-8"):
        class_names(tmp_path, 2)


@pytest.mark.parametrize("entries", ["[null]", "[1]", '["image_id caption"]', "[" * 3000])
def test_odd_entries_of_captions(tmp_path, entries):
    (tmp_path / "x.json").write_text(f'{{"annotations": {entries}}}')
    with pytest.raises(BenchError):
        read_entries(tmp_path / "x.json", "annotations", ("image_id", "caption"))


@pytest.mark.parametrize("centre", ["[0, 1, true]", "[0, 1, -1]", "[0, 1, 256]", "[0, 1, 1e400]"])
def test_a_palette_has_colours_only(tmp_path, centre):
    (tmp_path / "x.json").write_text(f'{{"centres": [[0, 0, 0], {centre}]}}')
    with pytest.raises(BenchError, match="has no list of RGB centres"):
        read_palette(str(tmp_path / "x.json"))


def test_a_truncated_development_kit(tmp_path):
    (tmp_path / "meta.mat").write_bytes(b"M")
    (tmp_path / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n")
    with pytest.raises(BenchError, match="cannot be read"):
        validation_labels(tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ends a process with signal 11"),
        ("import time; time.sleep(60)", "listing it takes more than 3 s"),
    ],
)
def test_an_lmdb_whose_library_would_crash_or_hang(tmp_path, monkeypatch, code, said):
    monkeypatch.setattr("simmim_bench.data.lmdb._LIST", code)
    monkeypatch.setattr("simmim_bench.data.lmdb._SECONDS", 3)
    with pytest.raises(BenchError, match=said):
        lmdb_keys(tmp_path)


def test_a_damaged_lmdb(tmp_path):
    pytest.importorskip("lmdb")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "db").mkdir()
    write_lmdb([tmp_path / "a.png"] * 3, tmp_path / "db", lambda _: None)
    data = bytearray((tmp_path / "db" / "data.mdb").read_bytes()[: 1 << 15])
    for page in range(2, len(data) // 4096):
        data[page * 4096 + 10] ^= 0xFF  # the kind of the page
    (tmp_path / "db" / "data.mdb").write_bytes(data)
    with pytest.raises(BenchError, match=r"is damaged .* restore it, or pack it again"):
        lmdb_keys(tmp_path / "db")
