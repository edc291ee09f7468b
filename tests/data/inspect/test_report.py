"""The report says what the data hold, what is wrong with them, and what to run next."""

import io
import json
import os
import shlex

import numpy as np
import pytest
import tifffile
from PIL import Image
from rich.console import Console

from simmim_bench.data.importing.bring_in import Wishes, bring_in
from simmim_bench.data.inspect import sheet
from simmim_bench.data.inspect.commands import inspect
from simmim_bench.data.inspect.expected import expected, usual_name
from simmim_bench.data.inspect.found import KINDS
from simmim_bench.data.inspect.look import look
from simmim_bench.data.inspect.recognise import recognise
from simmim_bench.data.inspect.report import rows
from simmim_bench.data.own import annotations_of
from simmim_bench.data.tiles import CELL, PALETTE
from simmim_bench.recipe.first_steps import first_steps
from tests.calls import call
from tests.data.inspect import sets


def seen_in(path):
    return look(recognise(path))[0]


def text_of(path, **options):
    console = Console(file=io.StringIO(), width=80)
    inspect(
        path,
        console=console,
        **{"layout": None, "against": None, "out": path.parent / "out", **options},
    )
    return console.file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_reported_in_80_columns(kind, tmp_path):
    text = text_of(sets.MAKERS[kind](tmp_path / "größe 1"))
    assert max(map(len, text.splitlines())) <= 80
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert f"{kind}: " in text
    assert "24 x 16" in text
    with Image.open(tmp_path / "out" / "contact_sheet.png") as drawn:
        assert drawn.width > 5 * CELL
    assert list(tmp_path.iterdir()) == [tmp_path / "größe 1", tmp_path / "out"]


def test_objects_and_classes(tmp_path):
    lines = dict(rows(seen_in(sets.yolo(tmp_path / "a"))))
    assert lines["objects"] == "8; 2 / 2 / 2 of an image (min, median, max)"
    assert lines["masks"] == "0 of 8 objects"
    assert lines["balance"] == "red fox: 4, Bär: 4"
    lines = dict(rows(seen_in(sets.yolo(tmp_path / "b", row="0 .1 .1 .5 .1 .5 .5"))))
    assert lines["masks"] == "4 of 8 objects"
    lines = dict(rows(seen_in(sets.parquet(tmp_path / "c"))))
    assert (lines["images"], lines["balance"]) == ("5 (train: 4, val: 1)", "Bär: 3, red fox: 2")


def test_label_maps(tmp_path):
    seen = seen_in(sets.masks(tmp_path))
    lines = dict(rows(seen))
    assert lines["values"] == "4: 0-2, 255"
    assert lines["ignored"] == "25 % of the pixels (label 255)"  # 4 of 16 rows
    assert seen.labels.share("0") == pytest.approx(0.25)
    assert any(note.startswith("label 0 is in 25 % of the pixels: it is a") for note in seen.notes)


def test_many_classes_show_both_ends(tmp_path):
    for number in range(12):
        for i in range(number + 1):
            sets.save(tmp_path / f"c{number:02d}" / f"{i}.png")
    lines = dict(rows(seen_in(tmp_path)))
    assert lines["most"].startswith("c11: 12, c10: 11")
    assert lines["fewest"].endswith("c01: 2, c00: 1")


def test_bands_and_depth(tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (16, 24, 4), np.uint16)
    for name in ("a", "b", "c"):
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(tmp_path / f"{name}.tif", deep, **options)
    seen = seen_in(tmp_path)
    assert dict(rows(seen))["bands"] == "4 x 16 bits, unsigned: 3"
    assert seen.problems == []
    sets.save(tmp_path / "d.png")
    problems = seen_in(tmp_path).problems
    assert "mixed channels: 4 in 3, 3 in 1 (such as d.png)" in problems
    assert "mixed bits: 16 in 3, 8 in 1 (such as d.png)" in problems
    text_of(tmp_path, out=tmp_path / "out")
    with Image.open(tmp_path / "out" / "contact_sheet.png") as drawn:
        tile = np.asarray(drawn)[24 : 24 + 96, 6 : 6 + CELL]
    assert tile.std() > 30  # stretched, not black


def test_grey_among_photographs_is_no_problem(tmp_path):
    sets.save(tmp_path / "a.png")
    sets.save(tmp_path / "b.png")
    sets.save(tmp_path / "c.png", mode="L")
    seen = seen_in(tmp_path)
    assert seen.problems == []
    assert "1 image in grey, which are read as RGB: c.png" in seen.notes


def test_what_is_wrong(tmp_path):
    sets.voc(tmp_path)
    (tmp_path / "JPEGImages" / "im.0.jpg").write_bytes(b"nothing")
    sets.save(tmp_path / "JPEGImages" / "im.1.png")
    sets.write(tmp_path / "Annotations" / "gone.xml", sets.VOC)
    sets.write(tmp_path / "Annotations" / "im.2.xml", "<annotation>")
    text = sets.VOC.replace("<width>24<", "<width>240<").format(name="im.3", label="cat")
    sets.write(tmp_path / "Annotations" / "im.3.xml", text)
    (tmp_path / "notes.md").write_text("hello")
    seen = seen_in(tmp_path)
    told = "\n".join([*seen.problems, seen.skipped])
    for text in (
        "1 of 5 images cannot be read: JPEGImages/im.0.jpg (it is not one of",
        "Annotations/im.2.xml is not XML",
        "Annotations/im.3.xml states 240 x 16, its image is 24 x 16",
        "1 label file without an image: Annotations/gone.xml",
        "1 name of several images each: JPEGImages/im.1",
        "1 file is not an image and is skipped: notes.md",
    ):
        assert text in told


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("2 0.5 0.5 0.1 0.1", "has class 2, but 2 are named"),
        ("0 0.9 0.5 0.5 0.1", "has a box outside of its image"),
        ("0 12 30 5 5", "has values outside of 0 to 1"),
    ],
)
def test_wrong_boxes(row, text, tmp_path):
    folder = sets.yolo(tmp_path)
    sets.write(folder / "labels" / "val" / "val1.txt", row)
    (problem,) = seen_in(folder).problems
    assert text in problem
    assert str(tmp_path) not in problem


def test_sizes_of_maps_and_images_without_labels(tmp_path):
    folder = sets.masks(tmp_path)
    sets.picture(0, "L", (5, 5)).save(folder / "labels" / "val" / "0.png")
    (folder / "labels" / "train" / "0.png").unlink()
    seen = seen_in(folder)
    assert "labels/val/0.png is 5 x 5, its image 24 x 16" in seen.problems
    assert "1 image without labels, they are left out: img/train/0.jpg" in seen.notes


def test_an_image_in_two_splits(tmp_path):
    folder = sets.class_folders(tmp_path)
    shared = folder / "training" / "Bär" / "same.jpg"
    sets.save(shared)
    (folder / "validation" / "Bär" / "same.jpg").write_bytes(shared.read_bytes())
    told = "1 image of val with name and content of an image of train: same.jpg"
    assert told in seen_in(folder).problems
    content = bytearray(shared.read_bytes())
    content[-3] ^= 1  # the same size
    shared.write_bytes(content)
    assert told not in seen_in(folder).problems


def test_boxes_and_masks_are_drawn(tmp_path):
    folder = sets.coco(tmp_path / "a")
    text_of(folder)
    with Image.open(tmp_path / "out" / "contact_sheet.png") as drawn:
        colours = {tuple(pixel) for pixel in np.asarray(drawn.convert("RGB")).reshape(-1, 3)}
    assert colours & set(PALETTE)


def test_the_commands_to_run_next(tmp_path):
    recipes = {
        "images": None,
        "coco": "faster-rcnn",
        "csv": "cifar10",
        "masks": "upernet",
    }
    for kind, recipe in recipes.items():
        folder = sets.MAKERS[kind](tmp_path / kind)
        bring, pretrain, export, *train, compare = first_steps(expected(seen_in(folder), folder))
        name = usual_name(folder)
        assert shlex.split(bring)[2:] == ["import", name, "--from", str(folder)]
        out = f"work_dirs/{name}-pretraining"
        assert f"simmim_swin-demo.py --data {name} --work-dir {out}" in pretrain
        assert export.endswith(f"{out} --out {out}/export")
        assert [recipe in each for each in train] == ([True] if recipe else [])
        assert all(each.endswith(f"--pretrained {out}/export/backbone.pth") for each in train)
        given = f" --data {name}" if recipe else ""
        assert compare.endswith(f"{out}/export/backbone.pth{given} --against scratch")
    assert usual_name(tmp_path / "coco") == "my-coco"
    assert usual_name(tmp_path / "four_bands ") == "four_bands"
    folder = sets.masks(sets.voc(tmp_path / "both"))
    assert expected(seen_in(folder), folder).bring.endswith(" --layout voc")
    assert "choose with --layout voc or --layout masks" in dict(rows(seen_in(folder)))["ambiguous"]


def test_objects_with_masks_train_mask_rcnn(tmp_path):
    folder = sets.coco(tmp_path / "a")
    for split in ("train", "valid"):
        path = folder / "annotations" / f"{split}.json"
        document = json.loads(path.read_text())
        for each in document["annotations"]:
            each["segmentation"] = [[2, 3, 9, 3, 9, 12]]
        path.write_text(json.dumps(document))
    assert "mask-rcnn" in first_steps(expected(seen_in(folder), folder))[3]


def test_boxes_of_voc_are_drawn_where_an_import_puts_them(tmp_path, monkeypatch):
    drawn = []
    draw = sheet._draw_objects
    monkeypatch.setattr(
        sheet, "_draw_objects", lambda *given: drawn.extend(given[2]) or draw(*given)
    )
    folder = sets.voc(tmp_path / "a")
    text_of(folder)
    dataset = bring_in("mine", folder, tmp_path / "data", Wishes()).dataset
    boxes = {
        tuple(each["bbox"])
        for part in ("train", "val")
        for each in json.loads((dataset.folder / annotations_of(part)).read_text())["annotations"]
    }
    assert {box.box for box, _ in drawn} == boxes


def test_images_that_cannot_be_read_are_named(tmp_path):
    for name in "abcdefghijkl":
        sets.write(tmp_path / f"{name}.png", "no image")
    sets.save(tmp_path / "z.png")
    seen = seen_in(tmp_path)
    (problem,) = seen.problems
    assert problem.startswith("12 of 13 images cannot be read: a.png (it is not one of")
    assert "j.png (" in problem
    assert "k.png" not in problem
    assert problem.endswith(", and 2 more")
    assert dict(rows(seen))["opened"] == "1 of 13 images (headers)"


@pytest.mark.parametrize("layout", ["images", "classes"])
def test_inspect_shows_the_commands_that_an_import_shows(layout, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path / "root"))
    for number in range(44):
        folder = f"class {number % 3}" if layout == "classes" else ""
        sets.save(tmp_path / "my set" / folder / f"{number}.png", number)
    sets.write(tmp_path / "my set" / folder / "broken.png", "no image")
    seen = call("tools/prepare_data.py", "inspect", tmp_path / "my set", "--out", tmp_path / "o")
    bring, *later = [line for line in seen.stdout.splitlines() if line.startswith("  simmim")]
    assert "train_dataloader.batch_size=32" in later[0]
    done = call("tools/prepare_data.py", *shlex.split(bring)[2:])
    assert done.returncode == 0
    assert done.stdout.partition("next:\n")[2].splitlines() == later


def test_a_declared_alpha_is_kept_or_dropped_as_by_an_import(tmp_path):
    values = np.random.default_rng(0).integers(1, 60000, (3, 20, 30, 4), dtype=np.uint16)
    masked = values.copy()
    masked[..., 3] = np.where(masked[..., 3] > 30000, 2**16 - 1, 0)
    for name, given in (("infrared", values), ("mask", masked)):
        (tmp_path / name).mkdir()
        for number, image in enumerate(given):
            tifffile.imwrite(tmp_path / name / f"{number}.tif", image, photometric="rgb")
        seen = seen_in(tmp_path / name)
        kept = name == "infrared"
        assert expected(seen, tmp_path / name).bring.endswith(" --channels 4") == kept
        report = bring_in(name, tmp_path / name, tmp_path / "data", Wishes())
        assert report.dataset.channels == 3 + kept
        told = (
            "is kept, as it varies like an image (--channels 3 drops it)"
            if kept
            else "is dropped, as it is constant or like a mask (--channels 4 keeps it)"
        )
        assert any(told in note for note in seen.notes)
        assert any(told in note for note in report.notes)


def test_the_tool(tmp_path):
    folder = sets.images(tmp_path / "a")
    done = call("tools/prepare_data.py", "inspect", folder, "--out", tmp_path / "o")
    assert done.returncode == 0
    assert (tmp_path / "o" / "contact_sheet.png").is_file()
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "empty" / "a.jpg")
    for words, text in {
        (tmp_path / "none",): "does not exist; check the path",
        (tmp_path / "empty",): "empty has no images: found no files",
        (folder, "--layout", "x"): "--layout must be one of images, class-folders",
        (
            folder,
            "--layout",
            "coco",
        ): "a does not fit --layout coco (COCO: JSON with boxes",
    }.items():
        done = call("tools/prepare_data.py", "inspect", *words, "--out", tmp_path / "p")
        assert (done.returncode, done.stdout) == (2, "")
        assert text in done.stderr
    assert not (tmp_path / "p").exists()
