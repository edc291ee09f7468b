"""Features on disk: what is read is what was written, and damage is seen before it is used."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from simmim_bench.data import feature_cache
from simmim_bench.data.feature_cache import FACTS, Entry, Features, Sample, make_room, shard_of
from simmim_bench.errors import BenchError

IMAGES, SHARD = 10, 4
OPEN_FILES = Path("/proc/self/fd")


def sample(index):
    rng = np.random.default_rng(index)
    return Sample(
        rng.normal(size=(1 + index % 3, 5)).astype(np.float32),  # windows differ
        rng.integers(0, 255, size=(2, 3 + index % 2)).astype(np.uint8),
        {"ori_shape": [2, 3 + index % 2], "sample_idx": index},
    )


def entry(root, facts=("a",)):
    made = Entry({"weights": list(facts)}, samples=IMAGES, shard=SHARD, root=root)
    made.prepare()
    return made


def fill(made, computed=None):
    def compute(members):
        for index in members:
            if computed is not None:
                computed.append(index)
            yield sample(index)

    return [list(members) for members in made.fill(made.lacking(), compute)]


def test_what_is_read_is_what_was_written(tmp_path):
    made = entry(tmp_path)
    assert fill(made) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    features = Features(made)
    assert len(features) == IMAGES
    for index in (9, 0, 5):  # any order
        kept, expected = features[index], sample(index)
        np.testing.assert_array_equal(kept.rows, expected.rows)
        np.testing.assert_array_equal(kept.target, expected.target)
        assert kept.rows.dtype == np.float32
        assert kept.target.dtype == np.uint8
        assert kept.facts == expected.facts


def test_a_second_run_computes_nothing_and_one_with_other_facts_everything(tmp_path):
    fill(entry(tmp_path))
    again, other = [], []
    fill(entry(tmp_path), again)
    fill(entry(tmp_path, ["b"]), other)
    assert again == []
    assert other == list(range(IMAGES))


def test_an_interrupted_run_goes_on_with_the_shards_that_are_missing(tmp_path):
    made = entry(tmp_path)

    def compute(members):
        for index in members:
            if index == 6:
                raise KeyboardInterrupt
            yield sample(index)

    with pytest.raises(KeyboardInterrupt):
        list(made.fill(made.lacking(), compute))
    rest = []
    fill(made, rest)
    assert rest == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("damage", ["bit", "truncated", "missing", "index", "other"])
def test_a_damaged_shard_is_computed_again(tmp_path, damage):
    made = entry(tmp_path)
    fill(made)
    path = made.folder / "00001.rows.npy"
    content = path.read_bytes()
    if damage == "bit":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "truncated":
        path.write_bytes(content[:-8])
    elif damage == "missing":
        path.unlink()
    elif damage == "index":
        (made.folder / "00001.json").write_text('{"sha256": ')
    else:  # the files of another shard
        path.write_bytes((made.folder / "00000.rows.npy").read_bytes())
    computed = []
    fill(made, computed)
    assert computed == [4, 5, 6, 7]
    np.testing.assert_array_equal(Features(made)[5].rows, sample(5).rows)


def test_a_folder_with_other_facts_is_emptied(tmp_path):
    made = entry(tmp_path)
    fill(made)
    facts = json.loads((made.folder / FACTS).read_text())
    (made.folder / FACTS).write_text(json.dumps({**facts, "weights": ["foreign"]}))
    computed = []
    fill(entry(tmp_path), computed)
    assert computed == list(range(IMAGES))


def test_files_are_never_unpickled(tmp_path):
    made = entry(tmp_path)
    fill(made)
    path = made.folder / "00000.rows.npy"
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    index = made.folder / "00000.json"
    content = json.loads(index.read_text())
    content["sha256"]["rows"] = feature_cache.sha256_file(path)  # as an attacker would
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="Python objects in dtype"):
        Features(made)[0]


def slow(root, first):
    made = Entry({"weights": ["a"]}, samples=IMAGES, shard=SHARD, root=root)
    made.prepare()
    computed = []

    def compute(members):
        for index in members:
            computed.append(index)
            time.sleep(0.02)
            yield sample(index)

    list(made.fill(made.lacking(), compute))
    (root / f"computed{first}.json").write_text(json.dumps(computed))
    assert len(Features(made)) == IMAGES


def test_two_processes_share_the_work(tmp_path):
    fork = multiprocessing.get_context("fork")
    runs = [fork.Process(target=slow, args=(tmp_path, number)) for number in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0, 0]
    parts = [json.loads((tmp_path / f"computed{number}.json").read_text()) for number in range(2)]
    assert sorted(parts[0] + parts[1]) == list(range(IMAGES))  # none twice


def test_the_oldest_entries_make_room(tmp_path):
    old, young, new = (entry(tmp_path, [name]) for name in "abc")
    fill(old)
    fill(young)
    os.utime(old.folder / FACTS, (1, 1))
    size = sum(path.stat().st_size for path in young.folder.glob("*"))
    for each in (old, young):
        each.release()
    assert make_room({new: size}, 2.5 * size) == [old.folder]
    assert not old.folder.exists()
    assert fill(young) == []


def test_an_entry_in_use_is_not_removed(tmp_path):
    old, new = (entry(tmp_path, [name]) for name in "ab")
    fill(old)
    with pytest.raises(BenchError, match=r"other runs use 0\.00 GB of the cache.* --cache-gb 1"):
        make_room({new: 1.0}, 2.0)
    features = Features(old)
    old.release()
    with feature_cache.FileLock(old.folder / "00000.lock"), pytest.raises(BenchError):
        make_room({new: 1.0}, 2.0)
    np.testing.assert_array_equal(features[5].rows, sample(5).rows)
    assert make_room({new: 1.0}, 2.0) == [old.folder]


def test_what_a_process_will_write_counts(tmp_path):
    first, second = (entry(tmp_path, [name]) for name in "ab")
    assert make_room({first: 30e6}, 50e6) == []
    with pytest.raises(BenchError, match=r"need 0\.04 GB, other runs use 0\.03 GB .* --cache-gb 1"):
        make_room({second: 40e6}, 50e6)


def test_parts_of_a_run_make_no_room_for_each_other(tmp_path):
    train, val = (entry(tmp_path, [name]) for name in "ab")
    fill(train)
    with pytest.raises(BenchError, match=r"need 6\.00 GB, the cache may have 5 GB"):
        make_room({train: 4e9, val: 2e9}, 5e9)
    assert fill(train) == []


def test_an_entry_of_many_shards_has_few_files_open(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_cache, "OPEN_SHARDS", 1)
    made = entry(tmp_path)
    fill(made)
    features, before = Features(made), len(list(OPEN_FILES.iterdir()))
    for index in (*range(IMAGES), *range(IMAGES)):
        np.testing.assert_array_equal(features[index].rows, sample(index).rows)
    assert len(list(OPEN_FILES.iterdir())) <= before + 2


def test_features_that_do_not_fit_name_the_switch(tmp_path, monkeypatch):
    made = entry(tmp_path)
    with pytest.raises(BenchError, match=r"need 3\.10 GB, .* have 2 GB; pass --cache-gb 4"):
        make_room({made: 3.1e9}, 2e9)
    usage = feature_cache.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(feature_cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BenchError, match=r"need 0\.10 GB, the disk of .* XDG_CACHE_HOME"):
        make_room({made: 1e8}, 2e9)


def test_a_full_disk_while_writing_names_the_remedy(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    made = entry(tmp_path)
    monkeypatch.setattr(feature_cache.np, "save", full)
    with pytest.raises(BenchError, match=r"No space left on device.*--cache-gb 0"):
        fill(made)
    assert made.lacking() == [0, 1, 2]
    assert not list(made.folder.glob("*.npy"))


def test_shards_are_neither_tiny_nor_huge():
    assert shard_of(1e3) == feature_cache.MOST_SAMPLES
    assert shard_of(1e6) == 64
    assert shard_of(1e9) == 1
