"""Two colleagues, each with a store: pack, add, check, tables."""

import json
import shutil

import pytest

from simmim_bench.leaderboard import sharing
from simmim_bench.leaderboard.build import build
from simmim_bench.records import protocols
from simmim_bench.records import store as store_module
from simmim_bench.records.own_protocols import read_own
from simmim_bench.records.pack import MANIFEST
from simmim_bench.records.store import read_records
from tests.calls import call
from tests.records.sharing import demo_record, edit_json, fill, own_record, rewrite, write_config
from tests.records.test_environment import git


def tool(*words):
    return call("tools/leaderboard.py", *words)


def said(*words):
    done = tool(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*words):
    done = tool(*words)
    assert done.returncode == 2, done.stdout
    return done.stderr


def files(store):
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.fixture
def alice(tmp_path):
    """A store with records of a known and of an own protocol, whose config lies beside it."""
    folder = tmp_path / "alice's results"
    config = write_config(folder / "configs")
    records = [demo_record(0), demo_record(1, kind="smoke"), own_record(0, config=config)]
    return fill(folder / "records", *records)


@pytest.fixture
def bob(tmp_path):
    """A store with one of Alice's records, and one of Bob's."""
    return fill(tmp_path / "bob's results" / "records", demo_record(0), demo_record(5))


def test_a_pack_goes_from_one_store_to_another(alice, bob, tmp_path):
    out = tmp_path / "for bob.zip"
    packed = said("pack", out, "--records", alice, "--as", "Alice Ö")
    assert packed.startswith(f"{out}: 3 records (2 full, 1 smoke)\nseal: ")
    assert "from: Alice Ö\n" in packed
    assert "own protocol: my-cells@2, classification on my cells, primary top1; config " in packed
    assert f"({alice.parent}/configs/my task.py), which everybody can read" in packed
    seal = packed.split("seal: ")[1].split("\n")[0]

    before = files(bob)
    dry = said("add", out, "--records", bob, "--dry-run")
    assert files(bob) == before
    assert f"seal: {seal}" in dry
    assert "  new: 2 records\n" in dry
    assert "scratch on swin-toy, my-cells@2, own protocol: 1" in dry
    assert "scratch on swin-toy, demo-classification@1, smoke: 1" in dry
    assert "  the same: 1 record\n" in dry
    assert '  | raise SystemExit("this text was run")' in dry
    assert dry.endswith("dry run: nothing was written\n")

    added = said("add", out, "--records", bob)
    assert f"kept in {bob}/protocols/my-cells-v2" in added
    assert len(read_records(bob)) == 4
    assert set(before) <= set(files(bob))
    checked = said("check", "--records", bob)
    assert checked.startswith("4 records and ")
    assert "own protocol: my-cells@2\nadded from: Alice Ö\n" in checked
    again = files(bob)
    assert "  the same: 3 records\n" in said("add", out, "--records", bob)
    assert files(bob) == again


def test_what_was_received_can_be_given_on(alice, bob, tmp_path):
    """Without the config that lies at the first store alone."""
    said("pack", tmp_path / "1.zip", "--records", alice)
    said("add", tmp_path / "1.zip", "--records", bob)
    shutil.rmtree(alice.parent)
    said("pack", tmp_path / "2.zip", "--records", bob, "--protocol", "my-cells@2")
    carol = tmp_path / "carol"
    assert "  new: 1 record\n" in said("add", tmp_path / "2.zip", "--records", carol)
    assert said("check", "--records", carol).startswith("1 records")


def test_tables_show_an_own_protocol_as_such(alice):
    shown = said("show", "--records", alice)
    assert "my-cells@2: my cells (val), 64 px, 7 epochs, own protocol, not one of simmim_b" in shown
    [known] = {line for line in shown.splitlines() if "demo-classification@1:" in line}
    assert "own protocol" not in known


def test_a_record_file_of_an_own_protocol_is_added_with_its_config(bob, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record().as_json()))
    message = refused("add", path, "--records", bob)
    assert "'my-cells', which no config defines; " in message
    assert "kept by `simmim-bench leaderboard add RECORD --config CONFIG`" in message
    config = write_config(tmp_path / "mine")
    assert "would be added: " in said(
        "add", path, "--records", bob, "--config", config, "--dry-run"
    )
    added = said("add", path, "--records", bob, "--config", config)
    assert added.startswith(f"added: {path} as my-cells-v2-seed0-")
    assert said("check", "--records", bob).startswith("3 records")


def test_a_pack_needs_the_config_of_an_own_protocol(tmp_path):
    store = fill(tmp_path / "records", own_record())
    message = refused("pack", tmp_path / "a.zip", "--records", store)
    assert (
        "my-cells@2 is your own, and none of its configs states it now (configs/gone.py)" in message
    )
    assert not (tmp_path / "a.zip").exists()
    config = write_config(tmp_path / "mine")
    said("pack", tmp_path / "a.zip", "--records", store, "--config", config)


def test_only_some_records_are_packed(alice, tmp_path):
    out = tmp_path / "a.zip"
    only = ("--protocol", "demo-classification")
    assert "2 records" in said("pack", out, "--records", alice, *only, "--method", "scratch")
    message = refused("pack", out, "--records", alice, "--method", "mae")
    assert message == "error: --method mae has no records; there are: scratch\n"


def test_conflicts_are_all_named_and_nothing_is_added(alice, bob, tmp_path):
    for seed in range(1, 25):
        fill(alice, demo_record(seed, metrics={"top1": 1.0}, backbone="swin-other"))
        fill(bob, demo_record(seed, metrics={"top1": 2.0}, backbone="swin-other"))
    said("pack", tmp_path / "a.zip", "--records", alice)
    before = files(bob)
    for dry in ([], ["--dry-run"]):
        first, *named, more = refused(
            "add", tmp_path / "a.zip", "--records", bob, *dry
        ).splitlines()
        assert first == f"error: 24 of 27 records conflict with {bob}:"
        assert len(named) == 20
        assert "has top1 1.0, but" in named[0]
        assert "has top1 2.0" in named[0]
        assert more == "and 4 more"
        assert files(bob) == before


def test_a_pack_and_a_file_that_contradict_each_other(alice, bob, tmp_path):
    said("pack", tmp_path / "a.zip", "--records", alice)
    path = tmp_path / "record.json"
    other = own_record(0, config=f"{alice.parent}/configs/my task.py", metrics={"top1": 7.0})
    path.write_text(json.dumps(other.as_json()))
    before = files(bob)
    assert "has top1 7.0, but" in refused("add", tmp_path / "a.zip", path, "--records", bob)
    assert files(bob) == before


def test_own_protocols_of_one_name_that_differ_are_refused(alice, bob, tmp_path):
    said("pack", tmp_path / "a.zip", "--records", alice)
    config = write_config(tmp_path / "mine")
    config.write_text(config.read_text().replace("my cells", "cells"))
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record(3, protocol={"dataset": "cells"}).as_json()))
    said("add", path, "--records", bob, "--config", config)
    before = files(bob)
    message = refused("add", tmp_path / "a.zip", "--records", bob)
    assert "protocol.dataset is 'my cells', " in message
    assert "which is known here, states 'cells' for my-cells@2; run with" in message
    assert files(bob) == before


def test_another_text_of_the_same_protocol_is_noted(alice, bob, tmp_path):
    said("pack", tmp_path / "a.zip", "--records", alice)
    config = write_config(tmp_path / "mine")
    config.write_text(config.read_text() + "lr = 2\n")
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record(3).as_json()))
    said("add", path, "--records", bob, "--config", config)
    assert "note: the config of my-cells@2 has another text than the one kept here" in said(
        "add", tmp_path / "a.zip", "--records", bob
    )


def test_a_record_that_differs_from_the_own_protocol_is_refused(bob, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record(protocol={"epochs": 9}).as_json()))
    config = write_config(tmp_path / "mine")
    message = refused("add", path, "--records", bob, "--config", config)
    assert "-my-task.py states 7 for my-cells@2; run with the config unchanged" in message


def test_a_store_whose_tables_could_not_be_made_is_not_written(bob, tmp_path, monkeypatch):
    """Configs say nothing of earlier versions; records of one must agree all the same."""
    newer = {"demo-classification": demo_record().protocol.model_copy(update={"version": 2})}
    monkeypatch.setattr(protocols, "known_protocols", lambda: newer)
    path = tmp_path / "record.json"
    changed = demo_record(9).protocol.as_json() | {"epochs": 99}
    path.write_text(json.dumps(demo_record(9, protocol=changed).as_json()))
    before = files(bob)
    assert "demo-classification@1 differs between the records" in refused(
        "add", path, "--records", bob
    )
    assert files(bob) == before


def test_a_tampered_pack_adds_nothing(alice, bob, tmp_path):
    said("pack", tmp_path / "a.zip", "--records", alice)
    bad = rewrite(
        tmp_path / "a.zip", tmp_path / "bad.zip", lambda e: edit_json(e, MANIFEST, schema_version=9)
    )
    before = files(bob)
    assert "schema_version is 9, this simmim_bench reads packs of version 1" in refused(
        "add", tmp_path / "a.zip", bad, "--records", bob
    )
    assert files(bob) == before


def test_a_merge_that_fails_half_way_leaves_the_store_as_it_was(alice, bob, tmp_path, monkeypatch):
    said("pack", tmp_path / "a.zip", "--records", alice)
    before, write = files(bob), store_module.atomic_write_text
    left = [4]

    def full(path, text):
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(store_module, "atomic_write_text", full)
    assert "the disk is full" in refused("add", tmp_path / "a.zip", "--records", bob)
    assert files(bob) == before


def test_the_origin_is_that_of_the_repository_of_the_records(alice, bob, tmp_path):
    git(tmp_path, "init", "--quiet", str(alice))
    git(alice, "remote", "add", "origin", "https://me:secret@host.example/lab/results.git?key=1")
    git(alice, "commit", "--quiet", "--allow-empty", "-m", "first")
    commit = git(alice, "rev-parse", "HEAD")[:12]
    packed = said("pack", tmp_path / "a.zip", "--records", alice)
    expected = (
        f"from: https://host.example/lab/results.git at commit {commit}, with uncommitted cha"
    )
    assert expected in packed
    assert expected in said("add", tmp_path / "a.zip", "--records", bob)
    assert b"secret" not in (tmp_path / "a.zip").read_bytes()


@pytest.mark.parametrize("name", ["", "a/b", "x" * 200, "\u202egnp"])
def test_a_name_that_misleads_is_refused(alice, tmp_path, name):
    message = refused("pack", tmp_path / "a.zip", "--records", alice, "--as", name)
    assert message.startswith("error: --as NAME: name is ")
    assert message.endswith("; give another name\n")


def test_a_build_keeps_the_config_of_an_own_protocol(write_suite, toy, tmp_path, monkeypatch):
    """Then the records can be packed when the config has changed, or is gone."""
    work = write_suite()
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "configs" / "toy.py"
    config.parent.mkdir()
    config.write_text(f"protocol = {toy.protocol()}\n")
    build(work, tmp_path / "results")
    config.unlink()
    [own] = read_own(tmp_path / "results" / "records").values()
    assert own.protocol.as_json() == toy.protocol() | {"iterations": None}
    said("pack", tmp_path / "a.zip", "--records", tmp_path / "results" / "records")


def test_a_registered_protocol_travels_with_its_config(bob, tmp_path, monkeypatch):
    folder = tmp_path / "plugin configs"
    write_config(folder)
    monkeypatch.setattr(sharing, "registered_configs", lambda: sorted(folder.rglob("*.py")))
    path = tmp_path / "record.json"
    path.write_text(json.dumps(own_record().as_json()))
    said("add", path, "--records", bob)
    assert set(read_own(bob)) == {("my-cells", 2)}
