"""Parts of the data: their own, or a split that depends on names alone."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmim_bench.data.importing.bring_in import Wishes, bring_in
from simmim_bench.data.importing.parts import divide, split_by_hash
from simmim_bench.data.importing.samples import Sample, Skipped
from tests.data.inspect import sets


def sample(name, split="", label=None):
    return Sample(name, Path("/data") / name, split, label)


def decide(samples, contents=None, share=None, seed=0, labelled=True):
    skipped = Skipped()
    contents = contents or {each: each.name for each in samples}
    parts, how = divide(
        samples, contents, share=share, seed=seed, labelled=labelled, skipped=skipped
    )
    return {each.name: part for each, part in parts.items()}, how, list(skipped.sentences())


def test_the_split_is_the_same_for_every_order_and_another_for_another_seed():
    samples = [sample(f"{i}.png", label=str(i % 3)) for i in range(90)]
    first, _, _ = decide(samples)
    random.Random(0).shuffle(samples)
    assert decide(samples)[0] == first
    assert decide(samples, seed=1)[0] != first


def test_a_new_image_moves_no_more_than_its_own_class():
    samples = [sample(f"{i}.png", label=str(i % 3)) for i in range(90)]
    before, after = decide(samples)[0], decide([*samples, sample("new.png", label="0")])[0]
    moved = [name for name in before if before[name] != after[name]]
    assert len(moved) <= 1


def test_each_class_has_its_share_and_at_least_one_of_two():
    samples = [sample(f"a{i}", label="a") for i in range(50)]
    samples += [sample(f"b{i}", label="b") for i in range(2)] + [sample("c", label="c")]
    parts, _, _ = decide(samples, share=0.8)
    counts = Counter((name[0], part) for name, part in parts.items())
    assert counts == {
        ("a", "train"): 40,
        ("a", "val"): 10,
        ("b", "train"): 1,
        ("b", "val"): 1,
        ("c", "train"): 1,
    }


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=1, max_size=60),
    st.floats(0.05, 1),
    st.integers(0, 5),
)
def test_the_same_content_is_never_in_both_parts(images, share, seed):
    samples = [sample(f"{i}.png", label=label) for i, (_, label) in enumerate(images)]
    contents = {each: str(content) for each, (content, _) in zip(samples, images, strict=True)}
    parts = split_by_hash(samples, contents, share=share, seed=seed)
    of = {}
    for each in samples:
        assert of.setdefault(contents[each], parts[each]) == parts[each]
    assert "train" in parts.values()


def test_the_data_s_own_parts_are_kept_unless_a_share_is_given():
    samples = [sample(f"{s}/{i}", split=s) for s in ("train", "val", "test") for i in range(4)]
    parts, how, skipped = decide(samples)
    assert {name: part for name, part in parts.items() if name[:4] == "val/"} == {
        f"val/{i}": "val" for i in range(4)
    }
    assert "own parts" in how
    assert "4 images are of a part that is not used" in skipped[0]
    assert len(decide(samples, share=0.5)[0]) == 12


def test_without_validation_the_test_part_serves():
    samples = [sample(f"{s}/{i}", split=s) for s in ("train", "test") for i in range(2)]
    parts, how, _ = decide(samples)
    assert parts == {"train/0": "train", "train/1": "train", "test/0": "val", "test/1": "val"}
    assert "test for validation" in how


@pytest.mark.parametrize("split", ["train", "", "val"])
def test_a_single_part_is_split_for_labelled_data_alone(split):
    samples = [sample(f"{i}", split=split) for i in range(10)]
    assert Counter(decide(samples)[0].values()) == {"train": 8, "val": 2}
    assert Counter(decide(samples, labelled=False)[0].values()) == {"train": 10}


def test_a_training_image_that_is_also_a_validation_image_is_left_out():
    samples = [sample("train/a", "train"), sample("train/b", "train"), sample("val/c", "val")]
    contents = dict(zip(samples, ("x", "y", "x"), strict=True))
    parts, _, skipped = decide(samples, contents)
    assert parts == {"train/b": "train", "val/c": "val"}
    assert "train/a" in skipped[0]


def test_classes_without_images_of_a_part_are_told(tmp_path):
    for part, classes in {"train": "abcd", "val": "de"}.items():
        for name in classes:
            sets.save(tmp_path / "s" / part / name / f"{part}.png", 10 * ord(name) + len(part))
    notes = bring_in("mine", tmp_path / "s", tmp_path / "data", Wishes()).notes
    assert "train has no image of 1 of 5 classes: e" in notes
    assert "val has no image of 3 of 5 classes: a, b, c" in notes


def test_one_image_is_told_in_the_singular():
    skipped = Skipped()
    skipped.add("images are damaged (2 of its values are NaN)", "a.png")
    skipped.add("boxes are empty or outside of the image", "a.png")
    skipped.add("images have another size than the XML says", "a.png")
    skipped.add("images have another size than the XML says", "b.png")
    assert list(skipped.sentences()) == [
        "1 image is damaged (2 of its values are NaN): a.png",
        "1 box is empty or outside of the image: a.png",
        "2 images have another size than the XML says: a.png, b.png",
    ]
