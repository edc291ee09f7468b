"""Fingerprints of data: the same for every copy, another for every change."""

import io
import json
import os
import shutil
import unicodedata
from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.config import load_config
from simmim_bench.data.fingerprint import CARD, fingerprint_config, fingerprint_folder
from simmim_bench.data.prepare import commands
from simmim_bench.data.prepare.commands import pack, verify_unlabelled
from simmim_bench.errors import BenchError
from simmim_bench.training.data import check_name, data_of, data_of_test, identify

CIFAR = "configs/small/cifar10_swin-demo.py"
COCO = "configs/small/mask-rcnn_swin-demo_fpn.py"
CAMVID = "configs/small/upernet_swin-demo.py"
SIMMIM = "configs/small/simmim_swin-demo.py"


def fill(folder, names=("a/1.png", "a/2.jpg", "b/1.png")):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
    return folder


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "images")


def test_a_copy_at_another_place_made_in_another_order_has_the_same_fingerprint(tmp_path, folder):
    copy = tmp_path / "elsewhere" / "photos"
    for path in sorted(folder.rglob("*.*"), reverse=True):
        target = copy / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        os.utime(target, (1, 1))
    (copy / "notes.txt").write_text("other files do not count")
    (copy / ".git").mkdir()
    (copy / "._1.png").write_bytes(b"of macOS")
    link = tmp_path / "link"
    link.symlink_to(copy)
    expected = fingerprint_folder(folder)
    assert (expected.images, len(expected.sha256)) == (3, 64)
    assert fingerprint_folder(copy) == fingerprint_folder(link) == expected


def test_the_order_of_the_file_system_does_not_count(folder, monkeypatch):
    expected, scan = fingerprint_folder(folder), os.scandir

    class Reversed:
        def __init__(self, place):
            with scan(place) as entries:
                self.entries = list(entries)[::-1]

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert fingerprint_folder(folder) == expected


def test_names_in_another_form_of_unicode_are_the_same(tmp_path):
    name = "Gänseblümchen/Größe.png"
    one = fill(tmp_path / "one", [unicodedata.normalize("NFC", name)])
    other = fill(tmp_path / "other", [unicodedata.normalize("NFD", name)])
    assert next(one.iterdir()).name != next(other.iterdir()).name
    assert fingerprint_folder(one) == fingerprint_folder(other)


@pytest.mark.parametrize("change", ["rename", "add", "remove", "resize", "move", "class", "retype"])
def test_every_change_of_the_images_gives_another_fingerprint(folder, change):
    before, image = fingerprint_folder(folder), folder / "a" / "1.png"
    match change:
        case "rename":
            image.rename(image.with_name("3.png"))
        case "add":
            image.with_name("3.png").write_bytes(b"x")
        case "remove":
            image.unlink()
        case "resize":
            image.write_bytes(b"xx")
        case "move":
            image.rename(folder / "b" / "3.png")
        case "class":  # class folders are numbered by name, so an empty one changes the labels
            (folder / "aa").mkdir()
        case "retype":
            image.rename(image.with_suffix(".bmp"))
    assert fingerprint_folder(folder).sha256 != before.sha256


def test_with_content_the_same_sizes_are_not_the_same_images(folder):
    before = fingerprint_folder(folder), fingerprint_folder(folder, content=True)
    (folder / "a" / "1.png").write_bytes(b"y")
    assert fingerprint_folder(folder) == before[0]
    assert fingerprint_folder(folder, content=True) != before[1]


def test_a_folder_that_contains_itself_ends(folder):
    expected = fingerprint_folder(folder)
    (folder / "a" / "loop").symlink_to(folder)
    os.mkfifo(folder / "a" / "pipe.png")
    assert fingerprint_folder(folder) == expected


@pytest.mark.parametrize("kind", ["shards", "lmdb"])
def test_packed_images_have_the_fingerprint_of_their_folder_until_they_change(
    tmp_path, folder, kind, monkeypatch
):
    monkeypatch.setattr(commands, "unreadable", lambda *_: [])  # the files are no real images
    if kind == "lmdb":
        pytest.importorskip("lmdb")
    out = tmp_path / kind
    pack(kind, sources=[str(folder)], out=out, console=Console(quiet=True))
    cfg = load_config(SIMMIM)
    dataset = cfg.train_dataloader.dataset
    dataset.data_root, dataset.data_prefix = str(folder), ""
    before = fingerprint_config(cfg)
    dataset.type = {"shards": "simmim_bench.UnlabelledShards", "lmdb": "UnlabelledLMDB"}[kind]
    dataset.data_root = str(out)
    assert fingerprint_config(cfg) == before
    card = json.loads((out / CARD).read_text())
    fill(tmp_path / "other", ["a/1.png", "a/2.jpg", "a/3.png"])
    pack(kind, sources=[str(tmp_path / "other")], out=tmp_path / "new", console=Console(quiet=True))
    other = json.loads((tmp_path / "new" / CARD).read_text())
    assert other["sha256"] != card["sha256"]
    (out / CARD).write_text(json.dumps({**other, "packed": "0" * 64}))
    assert fingerprint_config(cfg).parts != before.parts  # the card is of other images
    (out / CARD).unlink()
    assert fingerprint_config(cfg).parts != before.parts


def at(config, root, *, options=()):
    return load_config(config, data_root=str(root), overrides=list(options))


@pytest.fixture
def cifar(tmp_path):
    root = tmp_path / "Flowers"
    fill(root / "train")
    fill(root / "val", ["a/9.png", "b/8.png"])
    return root


def test_the_parts_of_a_config(cifar):
    found = fingerprint_config(at(CIFAR, cifar))
    assert (set(found.parts), found.images) == ({"train", "val"}, 5)  # test is val
    (cifar / "val" / "b" / "8.png").unlink()
    other = fingerprint_config(at(CIFAR, cifar))
    assert other.parts["train"] == found.parts["train"]
    assert other.parts["val"] != found.parts["val"]


@pytest.mark.parametrize(
    ("config", "files", "changed"),
    [
        (
            COCO,
            ["train2017/1.jpg", "val2017/2.jpg", "annotations/instances_train2017.json",
             "annotations/instances_val2017.json"],
            "annotations/instances_val2017.json",
        ),
        (
            CAMVID,
            ["images/training/1.jpg", "images/validation/2.jpg", "annotations/training/1.png",
             "annotations/validation/2.png"],
            "annotations/training/1.png",
        ),
    ],
)  # fmt: skip
def test_annotations_count(tmp_path, config, files, changed):
    root = fill(tmp_path / "mine", files)
    before = identify(config, at(config, root))
    assert (before.name, before.images) == ("mine", 2)
    same_size = (root / changed).read_bytes().replace(b"x", b"y")
    (root / changed).write_bytes(same_size if changed.endswith("json") else b"")
    assert identify(config, at(config, root)).sha256 != before.sha256


def args_of(config=CIFAR, **changes):
    given = {"config": config, "data": None, "data_root": None, "dataset_name": None}
    given["launcher"] = "none"
    return Namespace(**{**given, **changes})


def test_own_data_have_their_own_name(cifar, monkeypatch):
    cfg = at(CIFAR, cifar)
    assert data_of(args_of(), cfg).name == "Flowers"
    assert data_of(args_of(dataset_name="My 1000 photos"), cfg).name == "My 1000 photos"
    loaders = ("train", "val", "test")
    options = [f"{loader}_dataloader.dataset.data_root={cifar}" for loader in loaders]
    assert data_of(args_of(), load_config(CIFAR, overrides=options)).name == "Flowers"
    # in the place of CIFAR-10, but with another number of images
    place = cifar.parent / "data" / "cifar10"
    shutil.copytree(cifar, place)
    monkeypatch.chdir(cifar.parent)
    config = Path(__file__).parents[2] / CIFAR
    assert data_of(args_of(str(config)), load_config(str(config))).name == "cifar10, 5 images"


def test_the_published_number_of_images_has_the_name_in_the_config(cifar, monkeypatch):
    cfg = at(CIFAR, cifar)
    monkeypatch.setattr("simmim_bench.training.data._roots", lambda _: ["data/cifar10"])
    assert identify(CIFAR, cfg).name == "CIFAR-10"


@pytest.mark.parametrize(
    ("folder", "name", "said"),
    [
        ("Flowers", "a/b", r"--dataset-name 'a/b' cannot be the name .*; give another name"),
        ("my+photos", None, r"folder's name 'my\+photos' cannot be .*; pass --dataset-name NAME"),
    ],
)
def test_a_name_that_tables_cannot_show_is_refused(cifar, folder, name, said):
    root = cifar.rename(cifar.with_name(folder))
    args, cfg = args_of(dataset_name=name), at(CIFAR, root)
    with pytest.raises(BenchError, match=said):
        check_name(args) if name else data_of(args, cfg)


def test_a_test_on_other_data_says_so(cifar):
    cfg = at(CIFAR, cifar)
    trained = identify(CIFAR, cfg)
    assert data_of_test(args_of(), cfg, trained) == trained
    fill(cifar.with_name("Trees") / "val", ["a/7.png"])
    cfg.test_dataloader.dataset.data_root = str(cifar.with_name("Trees"))
    other = data_of_test(args_of(dataset_name="Trees"), cfg, trained)
    assert (other.name, set(other.parts)) == ("Trees", {"train", "val", "test"})
    assert other.sha256 != trained.sha256
    assert data_of_test(args_of(), cfg, None) is None  # the training's data are unknown


def test_verify_prints_what_copies_have_in_common(tmp_path):
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "a" / "1.png")
    shutil.copytree(folder, tmp_path / "copy")
    said = []
    for place in (folder, tmp_path / "copy"):
        console = Console(file=io.StringIO(), width=200)
        assert verify_unlabelled("images", sources=[str(place)], console=console) == 0
        said.append(console.file.getvalue().splitlines()[-1].removeprefix(f"{place}: "))
    assert said[0] == said[1]
    assert fingerprint_folder(folder).sha256 in said[0]
    assert fingerprint_folder(folder, content=True).sha256 in said[0]
