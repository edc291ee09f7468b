"""A part of a dataset that anyone with the same images gets, balanced over classes."""

import hashlib
import shutil

import pytest
from PIL import Image

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS

COUNTS = {"cat": 40, "dog": 25, "eel": 10}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, count in COUNTS.items():
        (folder / "train" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (4, 4)).save(folder / "train" / name / f"{number:03}.png")
    return folder


def chosen(root, **options):
    dataset = DATASETS.build(
        {
            "type": "simmim_bench.FewShotDataset",
            "data_root": str(root),
            "data_prefix": "train",
            **options,
        }
    )
    paths = [dataset.get_data_info(i)["img_path"] for i in range(len(dataset))]
    return [path.removeprefix(f"{root}/train/") for path in paths]


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"share": 0.1}, {"cat": 4, "dog": 3, "eel": 1}),
        ({"share": 1.0}, COUNTS),
        ({"shots": 5}, {"cat": 5, "dog": 5, "eel": 5}),
    ],
)
def test_every_class_has_its_share(root, options, counts):
    found = chosen(root, **options)
    assert len(found) == len(set(found))
    assert {name: sum(p.startswith(name) for p in found) for name in COUNTS} == counts


def test_the_choice_is_the_written_rule(root):
    names = [f"train/dog/{n:03}.png" for n in range(COUNTS["dog"])]
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"0/{name}".encode()).hexdigest())
    found = [name for name in chosen(root, shots=3) if name.startswith("dog")]
    assert sorted(f"train/{name}" for name in found) == sorted(ranked[:3])


def test_lists_are_the_same_elsewhere_nested_and_numbered(root, tmp_path):
    shutil.copytree(root / "train", tmp_path / "other" / "train")
    assert chosen(tmp_path / "other", share=0.2) == chosen(root, share=0.2)
    assert set(chosen(root, share=0.1)) < set(chosen(root, share=0.2))
    assert chosen(root, share=0.2, list_number=1) != chosen(root, share=0.2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give share or shots"),
        ({"share": 0.1, "shots": 3}, "one of the two"),
        ({"share": 1.5}, "share 1.5 is not between 0 and 1"),
        ({"shots": 0}, "shots 0 is less than 1"),
        ({"shots": 11}, "class eel has 10 images, shots=11 asks for more"),
    ],
)
def test_mistakes(root, options, said):
    with pytest.raises(BenchError, match=said):
        chosen(root, **options)
