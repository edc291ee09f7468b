"""Near-duplicates between two sets: changed copies are found, other images are not."""

import csv
import io

import imagehash
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.data.inspect.commands import inspect
from simmim_bench.data.inspect.duplicates import (
    Hashed,
    _table_popcount,
    hash_images,
    hash_of,
    nearest_pairs,
)
from simmim_bench.data.inspect.recognise import recognise
from simmim_bench.data.inspect.samples import Sample
from simmim_bench.data.own import Images, OwnDataset, read_dataset, write_dataset
from tests.calls import call
from tests.data.inspect import sets


def scene(seed, size=(120, 90)):
    """A picture with large shapes, as photographs have."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def written(folder, seeds, size=(120, 90), suffix="png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        scene(seed).resize(size).save(folder / f"{seed:03d}.{suffix}", **options)
    return folder


def hashed(folder):
    return hash_images(recognise(folder), lambda _: None)


def report(path, other, out):
    console = Console(file=io.StringIO(), width=80)
    inspect(path, layout=None, against=other, out=out, console=console)
    return console.file.getvalue()


def rows_in(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_hash_is_that_of_the_package(tmp_path):
    image = scene(1)
    image.save(tmp_path / "a.png")
    expected = imagehash.phash(image)
    bits = hash_of(Sample("a", "", tmp_path / "a.png"))
    assert imagehash.hex_to_hash(f"{bits:016x}") - expected == 0


def test_smaller_and_worse_copies_are_found_and_others_are_not(tmp_path):
    one = hashed(written(tmp_path / "a", range(30)))
    two = hashed(written(tmp_path / "b", range(20, 60), (60, 45), "jpg", quality=50))
    pairs = nearest_pairs(one, two)
    assert {(pair.image.name, pair.other.name) for pair in pairs} == {
        (f"{seed:03d}.png", f"{seed:03d}.jpg") for seed in range(20, 30)
    }
    assert [pair.distance for pair in pairs] == sorted(pair.distance for pair in pairs)


def test_a_large_jpeg_is_decoded_small_and_found(tmp_path):
    scene(3, (2400, 1800)).save(tmp_path / "large.jpg")
    scene(3).save(tmp_path / "small.png")
    distance = hash_of(Sample("", "", tmp_path / "large.jpg")) ^ hash_of(
        Sample("", "", tmp_path / "small.png")
    )
    assert distance.bit_count() <= 2


def test_distances_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    bits = [rng.integers(0, 2**63, 40, dtype=np.uint64) for _ in range(2)]
    bits[1][7] = bits[0][3] ^ np.uint64(0b101)
    samples = [Sample(str(i), "", b"") for i in range(40)]
    one, two = (Hashed(samples, each, 0, 0) for each in bits)
    (pair,) = nearest_pairs(one, two, threshold=6)
    assert (pair.image.name, pair.other.name, pair.distance) == ("3", "7", 2)
    assert _table_popcount(np.array([[0, 1, 2**63 + 7]], np.uint64)).tolist() == [[0, 1, 4]]


def test_plain_and_unreadable_images_are_not_compared(tmp_path):
    for name, colour in {"a": "black", "b": "white"}.items():
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    scene(0).save(tmp_path / "c.png")
    (tmp_path / "d.png").write_bytes(b"nothing")
    found = hashed(tmp_path)
    assert (len(found.samples), found.flat, found.unreadable) == (1, 2, 1)


def test_the_report_says_the_share_of_each_part_and_both_ways(tmp_path):
    written(tmp_path / "pre" / "images", range(20))
    written(tmp_path / "other" / "train", range(100, 110))
    written(tmp_path / "other" / "val", range(15, 23), (90, 70), "jpg")
    text = report(tmp_path / "pre", tmp_path / "other", tmp_path / "out")
    lines = [line.split() for line in text.splitlines() if line.startswith("pre")]
    assert lines == [
        ["pre", "other", "train", "0", "of", "20", "0.0", "%", "0", "of", "10", "0.0", "%"],
        ["pre", "other", "val", "5", "of", "20", "25.0", "%", "5", "of", "8", "62.5", "%"],
    ]
    assert "pHash, 64 bits, at most 6 bits differ" in text
    rows = rows_in(tmp_path / "out" / "near_duplicates.csv")
    assert {(row["image"], row["other image"], row["other part"]) for row in rows} == {
        (f"images/{seed:03d}.png", f"val/{seed:03d}.jpg", "val") for seed in range(15, 20)
    }
    with Image.open(tmp_path / "out" / "near_duplicates.png") as picture:
        assert picture.width > 1000


def test_small_pairs_are_enlarged_and_their_names_are_below_them(tmp_path):
    small = scene(1).resize((40, 20))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        small.save(tmp_path / name / "x.png")
    report(tmp_path / "a", tmp_path / "b", tmp_path / "out")
    with Image.open(tmp_path / "out" / "near_duplicates.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    cell = pixels[24:, 6 : 6 + 144]
    coloured = (cell.max(axis=2) - cell.min(axis=2) > 8).nonzero()
    height, width = coloured[0].max() + 1, coloured[1].max() + 1
    assert (width, height) == (96, 48)
    caption = cell[height : height + 18]
    assert caption.min() < 100


def test_a_set_against_itself_and_nothing_in_common(tmp_path):
    written(tmp_path / "a" / "train", range(5))
    written(tmp_path / "a" / "val", [*range(4, 8)], (80, 60))
    text = report(tmp_path / "a", tmp_path / "a", tmp_path / "out")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.startswith("a ")]
    assert lines == [
        "a train a train 0 of 5 0.0 % 0 of 5 0.0 %",
        "a train a val 1 of 5 20.0 % 1 of 4 25.0 %",
        "a val a val 0 of 4 0.0 % 0 of 4 0.0 %",
    ]
    written(tmp_path / "b", range(50, 53))
    text = report(tmp_path / "a", tmp_path / "b", tmp_path / "none")
    assert rows_in(tmp_path / "none" / "near_duplicates.csv") == []
    assert not (tmp_path / "none" / "near_duplicates.png").exists()


@pytest.mark.parametrize("kind", ["parquet", "shards", "lmdb"])
def test_images_in_larger_files(kind, tmp_path):
    folder = sets.MAKERS[kind](tmp_path / "a")
    sets.picture(1).save(tmp_path / "one.png")
    report(folder, tmp_path / "one.png", tmp_path / "out")
    (row,) = rows_in(tmp_path / "out" / "near_duplicates.csv")[:1]
    assert (row["other image"], row["different bits"]) == ("one.png", "0")


def own(folder, name, part="train", task="unlabelled"):
    made = OwnDataset(
        name=name,
        task=task,
        classes=("a",) * (task != "unlabelled"),
        mean=(1.0, 1.0, 1.0),
        std=(1.0, 1.0, 1.0),
        images=Images(train=20, val=0),
        fingerprint=name[0].encode().hex() * 32,
        origin="images",
    )
    write_dataset(made, folder)
    return folder


def test_own_data_keep_what_they_share(tmp_path):
    pre = own(written(tmp_path / "pre" / "train", range(20)).parent, "pre")
    val = written(tmp_path / "birds" / "val" / "x", range(15, 23), (90, 70), "jpg").parents[1]
    written(val / "val" / "y", range(60, 62))
    own(val, "birds")
    text = report(pre, val, tmp_path / "out")
    assert f"noted in {pre / 'dataset.json'}" in text
    (note,) = read_dataset(pre).overlaps
    assert (note.with_, note.fingerprint, note.part, note.of) == (
        "birds",
        "62" * 32,
        "train",
        "val",
    )
    assert (note.images, note.share, note.back, note.share_back) == (5, 0.25, 5, 0.5)
    assert (note.method, note.threshold) == ("pHash, 64 bits", 6)
    report(pre, val, tmp_path / "out")
    assert len(read_dataset(pre).overlaps) == 1  # replaced
    written(tmp_path / "plain", range(3))
    report(pre, tmp_path / "plain", tmp_path / "out")
    assert [each.with_ for each in read_dataset(pre).overlaps] == ["birds", "plain"]


def test_own_data_are_found_by_their_name_and_need_no_import(tmp_path, monkeypatch):
    own(written(tmp_path / "root" / "pre" / "train", range(4)).parent, "pre")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path / "root"))
    done = call("tools/prepare_data.py", "inspect", "pre", "--against", "pre", "--out", tmp_path)
    text = done.stdout
    assert "pre train  pre train  0 of 4" in text
    assert " import " not in text
    assert "configs/small/simmim_swin-demo.py --data pre " in text
    assert "skipped" not in text


def test_the_tool(tmp_path):
    one, two = written(tmp_path / "a", range(3)), written(tmp_path / "b", range(2, 5))
    out = tmp_path / "o"
    done = call("tools/prepare_data.py", "inspect", one, "--against", two, "--out", out)
    assert done.returncode == 0
    assert len(rows_in(out / "near_duplicates.csv")) == 1
    done = call("tools/prepare_data.py", "inspect", one, "--against", "gone", "--out", out / "p")
    assert (done.returncode, done.stdout) == (2, "")
    assert "gone does not exist; check the path" in done.stderr
    assert not (out / "p").exists()
