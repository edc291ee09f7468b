"""Packs: whole, or refused in one sentence."""

import contextlib
import hashlib
import json
import os
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simmim_bench.errors import BenchError
from simmim_bench.records import pack as pack_module
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.own_protocols import make_own
from simmim_bench.records.pack import MANIFEST, Origin, is_pack, read_pack, write_pack
from tests.records.sharing import demo_record, edit_json, own_record, rewrite, write_config

ORIGIN = Origin(name="Alice", git_remote="https://host/a", git_commit="a" * 40, git_dirty=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pack of two records, one of an own protocol."""
    folder = tmp_path_factory.mktemp("a pack")
    own = make_own(write_config(folder))
    path = folder / "alice.zip"
    write_pack(path, [own_record(), demo_record()], [own], ORIGIN)
    return path, own


def test_a_pack_is_read_as_it_was_written(made):
    path, own = made
    pack = read_pack(path)
    assert sorted(pack.records.values(), key=lambda each: each.run_id) == [
        demo_record(), own_record(),
    ]  # fmt: skip
    assert pack.own == [own]
    assert pack.manifest.origin == ORIGIN
    assert is_pack(path)


def test_the_same_records_give_the_same_bytes(made, tmp_path):
    path, own = made
    write_pack(tmp_path / "b.zip", [demo_record(), own_record()], [own], ORIGIN)
    assert (tmp_path / "b.zip").read_bytes() == path.read_bytes()
    other = write_pack(tmp_path / "c.zip", [demo_record()], [], ORIGIN)
    assert other.sha256 != read_pack(path).manifest.sha256


def test_a_pack_that_cannot_be_written_leaves_the_old_one(made, tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    write_pack(path, [demo_record()], [], ORIGIN)
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_: (_ for _ in ()).throw(OSError(28)))
    with pytest.raises(OSError, match="28"):
        write_pack(path, [demo_record(1)], [], ORIGIN)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]


def test_every_truncation_is_a_sentence(made, tmp_path):
    content = made[0].read_bytes()
    path = tmp_path / "cut.zip"
    for end in [
        *range(0, 80),
        *range(80, len(content), 61),
        *range(len(content) - 80, len(content)),
    ]:
        path.write_bytes(content[:end])
        with pytest.raises(
            BenchError, match=r"cut.zip is truncated or damaged .*; ask for the pack"
        ):
            read_pack(path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_are_a_sentence_or_change_nothing(made, tmp_path, data):
    content = made[0].read_bytes()
    start = data.draw(st.integers(0, len(content)))
    other = data.draw(st.binary(min_size=1, max_size=8))
    path = tmp_path / "changed.zip"
    path.write_bytes(content[:start] + other + content[start + len(other) :])
    with contextlib.suppress(BenchError):
        assert read_pack(path) == read_pack(made[0])


RECORD = f"records/scratch__swin-toy/{demo_record().run_id}.json"


def better(entries):
    """A record with another value, sealed again by somebody who knows how."""
    entries[RECORD] = json.dumps(demo_record(metrics={"top1": 99.0}).as_json()).encode()


def sealed_again(entries):
    better(entries)
    manifest = json.loads(entries[MANIFEST])
    manifest["records"][RECORD] = hashlib.sha256(entries[RECORD]).hexdigest()
    entries[MANIFEST] = json.dumps(manifest).encode()


def moved(entries):
    manifest = json.loads(entries[MANIFEST])
    manifest["records"]["records/../../../up.json"] = manifest["records"].pop(RECORD)
    entries["records/../../../up.json"] = entries.pop(RECORD)
    del manifest["sha256"]
    entries[MANIFEST] = json.dumps(manifest | {"sha256": content_sha256(manifest)}).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (better, r"is not the file whose SHA-256 the manifest states; it was changed after"),
        (
            sealed_again,
            r"sha256 is .* but the manifest hashes to .*; it was changed after the pack",
        ),
        (moved, r"'records/../../../up.json' is the record demo-classification-v1-seed0-"),
        (lambda e: e.pop(RECORD), f"lacks '{RECORD}'"),
        (lambda e: e.update({"../up.json": b"{}"}), "does not list: '../up.json'"),
        (lambda e: e.update({"/etc/x": b"{}"}), "does not list: '/etc/x'"),
        (lambda e: e.pop(MANIFEST), "has no manifest.json of a pack; give a file that"),
        (lambda e: e.update({MANIFEST: b"[" * 9999}), "manifest.json is not valid JSON"),
        (lambda e: edit_json(e, MANIFEST, schema_version=2), "schema_version is 2, this simmim_b"),
        (lambda e: edit_json(e, MANIFEST, more=1), "not permitted"),
        (lambda e: edit_json(e, MANIFEST, records={}), "records is {}"),
        (
            lambda e: edit_json(e, MANIFEST, origin={"git_remote": "https://h/\x1b[2J"}),
            "origin.git_remote is .*match pattern",
        ),
    ],
)
def test_a_tampered_pack_is_refused(made, tmp_path, change, said):
    path = rewrite(made[0], tmp_path / "bad.zip", change)
    with pytest.raises(BenchError, match=said) as refused:
        read_pack(path)
    assert str(refused.value).startswith(str(path))


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b" " * 50_000_000)
    with pytest.raises(BenchError, match=r"entry 'manifest.json' is compressed, a pack has plain"):
        read_pack(tmp_path / "bomb.zip")


def test_entries_that_share_their_bytes_are_no_way_around(made, tmp_path, monkeypatch):
    """Sizes are those that the archive states, all together."""
    monkeypatch.setattr(pack_module, "LARGEST_PACK", made[0].stat().st_size - 1)
    with pytest.raises(BenchError, match=r"entries and 0 MiB, a pack at most 50000 and"):
        read_pack(made[0])


@pytest.mark.parametrize(
    ("name", "mode"),
    [("link", stat.S_IFLNK), ("pipe", stat.S_IFIFO), ("folder/", stat.S_IFDIR), ("f/", 0)],
)
def test_links_and_devices_are_refused(made, tmp_path, name, mode):
    path = rewrite(made[0], tmp_path / "bad.zip", lambda _: None)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BenchError, match=f"entry '{name}' is a link, a folder or a device"):
        read_pack(path)


def test_two_entries_of_one_name_are_refused(made, tmp_path):
    path = rewrite(made[0], tmp_path / "bad.zip", lambda _: None)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(MANIFEST, "{}")
    with pytest.raises(BenchError, match="has two entries of the same name"):
        read_pack(path)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("MOST_ENTRIES", "entries and 0 MiB, a pack at most 2"),
        ("LARGEST_RECORD", "bytes, expected at most 2"),
        ("LARGEST_TEXT", "bytes, expected at most 2"),
        ("LARGEST_MANIFEST", "has no manifest.json of a pack"),
    ],
)
def test_limits_of_sizes(made, monkeypatch, limit, said):
    monkeypatch.setattr(pack_module, limit, 2)
    with pytest.raises(BenchError, match=said):
        read_pack(made[0])


def test_what_is_not_a_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    assert not is_pack(tmp_path / "a.zip")
    with pytest.raises(BenchError, match=r"a.zip is a named pipe, expected a pack"):
        read_pack(tmp_path / "a.zip")
