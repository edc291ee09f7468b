"""A part of a dataset that anyone with the same images gets, balanced over classes."""

import hashlib
import shutil
from types import SimpleNamespace

import pytest
from PIL import Image

from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS
from simmim_bench.tasks.few_shot import IMAGE_LIST, ImageListHook

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


def test_a_list_chooses_and_what_a_training_writes_is_such_a_list(root, tmp_path):
    options = {"data_root": str(root), "data_prefix": "train"}
    few = {"type": "simmim_bench.FewShotDataset", **options}
    dataset = DATASETS.build({**few, "share": 0.1, "list_number": 3})
    loader = SimpleNamespace(dataset=dataset)
    runner = SimpleNamespace(train_dataloader=loader, work_dir=tmp_path)
    ImageListHook().before_train(runner)
    written = tmp_path / IMAGE_LIST
    assert written.read_text("utf-8").splitlines() == chosen(root, share=0.1, list_number=3)
    assert chosen(root, list_file=str(written)) == chosen(root, share=0.1, list_number=3)
    loader.dataset = DATASETS.build({"type": "mmpretrain.CustomDataset", **options})
    written.unlink()
    ImageListHook().before_train(runner)  # all images: no list
    assert not written.exists()


def test_a_published_list_names_files_without_folders(root, tmp_path):
    listed = tmp_path / "1percent.txt"
    listed.write_text("038.png\ncat/003.png\n\n", "utf-8")
    assert chosen(root, list_file=str(listed)) == ["cat/003.png", "cat/038.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat/999.png\ncat/003.png\n", "1 of 2 images .* first is cat/999.png"),
        ("003.png\n", "003.png in .* is in 3 folders; .* for example cat/003.png"),
        ("\n", "list.txt is empty"),
        (None, "cannot be read as a text file"),
    ],
)
def test_lists_that_do_not_fit(root, tmp_path, text, said):
    listed = tmp_path / "list.txt"
    if text is not None:
        listed.write_text(text, "utf-8")
    with pytest.raises(BenchError, match=said):
        chosen(root, list_file=str(listed))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "exactly one of share, shots and list_file"),
        ({"share": 0.1, "shots": 3}, "got share=0.1, shots=3"),
        ({"share": 1.5}, r"share must be in \(0, 1\], got 1.5"),
        ({"shots": 0}, "shots must be >= 1, got 0"),
        ({"shots": 11}, "class eel has 10 images, fewer than shots=11"),
    ],
)
def test_mistakes(root, options, said):
    with pytest.raises(BenchError, match=said):
        chosen(root, **options)
