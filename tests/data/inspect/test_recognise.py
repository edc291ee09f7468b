"""Every usual layout is recognised by its content; odd data end in a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench.data.inspect.boxes import read_voc, read_yolo
from simmim_bench.data.inspect.found import KINDS, split_of
from simmim_bench.data.inspect.parquet import count_rows, read_rows
from simmim_bench.data.inspect.recognise import recognise
from simmim_bench.errors import BenchError
from tests.data.inspect import sets


def found_in(tmp_path, make, *words, **options):
    return recognise(make(tmp_path / "my data", *words, **options))


def shown(found):
    """Images, label files and classes of each split."""
    return [
        (s.name, len(s.images), len(s.label_files), len(s.class_names)) for s in found.splits
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind, tmp_path):
    folder = sets.MAKERS[kind](tmp_path / "größe 1")
    for found in (recognise(folder), recognise(folder, kind)):
        assert (found.kind, found.root, found.also) == (kind, folder, ())
        assert found.splits
        assert all(path.exists() for path in found.images())
        assert found.unmatched == ()


def test_class_folders(tmp_path):
    found = found_in(tmp_path, sets.class_folders)
    assert shown(found) == [("train", 4, 0, 4), ("val", 4, 0, 4)]
    assert found.classes == sets.CLASSES
    path = tmp_path / "my data" / "training" / "Bär" / "0.jpg"
    assert found.splits[0].class_names[path] == "Bär"


@pytest.mark.parametrize("splits", [("train",), ("",)])
def test_class_folders_of_one_split(splits, tmp_path):
    found = found_in(tmp_path, sets.class_folders, splits)
    assert (found.kind, shown(found)) == ("class-folders", [(splits[0], 4, 0, 4)])


def test_a_flat_test_split_has_no_labels(tmp_path):
    sets.save(tmp_path / "my data" / "test" / "a.jpg")
    found = found_in(tmp_path, sets.class_folders)
    assert shown(found) == [("train", 4, 0, 4), ("val", 4, 0, 4), ("test", 1, 0, 0)]
    assert found.classes == sets.CLASSES


def test_deep_folders_are_no_classes(tmp_path):
    for day in range(4):
        sets.save(tmp_path / f"202{day % 2}" / f"0{day}" / "a.jpg")
    assert recognise(tmp_path).kind == "images"


def test_coco(tmp_path):
    found = found_in(tmp_path, sets.coco)
    folder = tmp_path / "my data"
    assert [(s.name, s.annotations, s.folder) for s in found.splits] == [
        ("train", folder / "annotations" / "train.json", folder / "train"),
        ("val", folder / "annotations" / "valid.json", folder / "valid"),
    ]
    assert found.classes == sets.CLASSES  # by id


def test_coco_beside_its_images_and_in_parts(tmp_path):
    """As Roboflow exports it; and two files without a split."""
    for split in ("train", "valid"):
        name = sets.save(tmp_path / "a" / split / "x.jpg").name
        text = json.dumps(sets.coco_document([name]))
        sets.write(tmp_path / "a" / split / "_annotations.coco.json", text)
    found = recognise(tmp_path / "a")
    assert [(s.name, s.folder.name) for s in found.splits] == [("train", "train"), ("val", "valid")]
    for part in ("1", "2"):
        name = sets.save(tmp_path / "b" / "images" / f"{part}.jpg").name
        text = json.dumps(sets.coco_document([f"images/{name}"]))
        sets.write(tmp_path / "b" / f"part{part}.json", text)
    found = recognise(tmp_path / "b")
    assert [(s.name, s.folder, len(s.images)) for s in found.splits] == [
        ("", tmp_path / "b", 1)
    ] * 2


def test_captions_are_no_instances(tmp_path):
    folder = sets.coco(tmp_path)
    for name in ("instances_train.json", "captions_train.json"):
        (folder / "annotations" / name).write_bytes(
            (folder / "annotations/train.json").read_bytes()
        )
    found = recognise(folder)
    assert [s.annotations.name for s in found.splits] == ["instances_train.json"]
    assert "annotations/captions_train.json" in found.notes[0]


def test_voc(tmp_path):
    found = found_in(tmp_path, sets.voc)
    assert shown(found) == [("train", 3, 3, 0), ("val", 1, 1, 0)]
    size, (box,) = read_voc(tmp_path / "my data" / "Annotations" / "im.0.xml")
    assert (size, box.label, box.box) == ((24, 16), "Bär", (3, 4, 8, 9))


def test_yolo(tmp_path):
    found = found_in(tmp_path, sets.yolo)
    assert shown(found) == [("train", 3, 2, 0), ("val", 2, 2, 0)]  # one has no labels
    assert found.classes == sets.CLASSES
    first, _ = read_yolo(tmp_path / "my data" / "labels" / "train" / "train0.txt")
    assert (first.label, first.box, first.polygon) == ("1", (0.375, 0.25, 0.25, 0.5), ())


def test_yolo_polygons_beside_the_images(tmp_path):
    sets.save(tmp_path / "a.jpg")
    sets.write(tmp_path / "a.txt", "0 0.1 0.2 0.5 0.2 0.5 0.8\n")
    sets.write(tmp_path / "b.txt", "0 0.5 0.5 0.5 0.5\n")
    sets.write(tmp_path / "classes.txt", "ship\n")
    found = recognise(tmp_path)
    assert (found.kind, shown(found)) == ("yolo", [("", 1, 1, 0)])
    assert (found.classes, found.unmatched) == (("ship",), ("b.txt",))
    (one,) = read_yolo(tmp_path / "a.txt")
    assert one.polygon == (0.1, 0.2, 0.5, 0.2, 0.5, 0.8)
    assert one.box == pytest.approx((0.1, 0.2, 0.4, 0.6))


def test_masks(tmp_path):
    found = found_in(tmp_path, sets.masks)
    assert shown(found) == [("train", 3, 3, 0), ("val", 3, 3, 0)]
    assert found.classes == ("sky", "road", "car")
    folder = tmp_path / "my data"
    assert found.splits[0].label_files[folder / "img/train/0.jpg"] == folder / "labels/train/0.png"


def test_masks_of_cityscapes_are_those_of_training(tmp_path):
    found = found_in(tmp_path, sets.cityscapes)
    assert (found.kind, shown(found)) == ("masks", [("train", 2, 2, 0)])
    assert all(p.stem.endswith("labelTrainIds") for p in found.splits[0].label_files.values())


def test_masks_beside_the_images(tmp_path):
    for name in ("a", "b"):
        sets.save(tmp_path / f"{name}.jpg")
        sets.save(tmp_path / f"{name}_mask.png", mode="L")
    sets.save(tmp_path / "c_mask.png", mode="L")
    found = recognise(tmp_path)
    assert (found.kind, shown(found), found.unmatched) == (
        "masks", [("", 2, 2, 0)], ("c_mask.png",)
    )  # fmt: skip


def test_maps_in_colours_are_told(tmp_path):
    sets.save(tmp_path / "images" / "a.jpg")
    sets.save(tmp_path / "masks" / "a.png")
    assert "masks/a.png has several bands" in recognise(tmp_path).notes[0]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table(mark, tmp_path):
    found = found_in(tmp_path, sets.table, mark)
    assert (found.columns, found.classes) == (("id", "species"), tuple(sorted(sets.CLASSES)))
    assert shown(found) == [("train", 6, 0, 6)]
    assert found.splits[0].class_names[tmp_path / "my data" / "photos" / "3.jpg"] == "red fox"


def test_a_table_with_a_column_of_splits_and_missing_images(tmp_path):
    rows = ["file,kind,split"]
    for i in range(6):
        sets.save(tmp_path / "x" / f"{i}.jpg")
        rows.append(f"/home/me/x/{i}.jpg,{'ab'[i % 2]},{'train' if i < 4 else 'valid'}")
    sets.write(tmp_path / "all.csv", "\n".join([*rows, "x/gone.jpg,a,train"]))
    found = recognise(tmp_path)
    assert shown(found) == [("train", 4, 0, 4), ("val", 2, 0, 2)]
    assert found.columns == ("file", "kind")
    assert "1 rows name images that are not there, such as x/gone.jpg" in found.notes[0]


def test_a_list_without_header_and_a_table_without_labels(tmp_path):
    for i in range(4):
        sets.save(tmp_path / "x" / f"{i}.jpg")
    sets.write(tmp_path / "meta" / "train.txt", "\n".join(f"x/{i}.jpg {i % 2}" for i in range(4)))
    found = recognise(tmp_path)
    assert (shown(found), found.classes) == ([("train", 4, 0, 4)], ("0", "1"))
    sets.write(tmp_path / "meta" / "train.txt", "")
    text = "image,lat,lon\n" + "\n".join(f"{i}.jpg,{i}.5,{i}.25" for i in range(4))
    sets.write(tmp_path / "a.csv", text)
    found = recognise(tmp_path)
    assert (found.kind, found.task, found.columns) == ("csv", "unlabelled", ("image", ""))
    assert "no column is sure to hold the label (found: lat, lon); name it label" in found.notes[0]


@pytest.mark.parametrize("name", ["../../a.jpg", "/etc/passwd", "x/../../a.jpg", "."])
def test_a_table_names_images_in_its_folder(name, tmp_path):
    sets.save(tmp_path / "a.jpg")
    for i in range(4):
        sets.save(tmp_path / "set" / f"{i}.jpg")
    rows = ["file,label", *(f"{i}.jpg,{i % 2}" for i in range(4)), f"{name},0"]
    sets.write(tmp_path / "set" / "train.csv", "\n".join(rows))
    found = recognise(tmp_path / "set")
    assert [path.name for path in found.images()] == [f"{i}.jpg" for i in range(4)]
    assert name in found.notes[0]


def test_parquet_and_arrow(tmp_path):
    found = found_in(tmp_path, sets.parquet)
    assert (found.columns, found.classes) == (("image", "label"), sets.CLASSES)
    assert [(s.name, sum(map(count_rows, s.images))) for s in found.splits] == [
        ("train", 4),
        ("val", 1),
    ]
    rows = list(read_rows(found.splits[0].images[0], found))
    assert rows[1] == (sets.encoded(1), "red fox")
    found = recognise(sets.arrow(tmp_path / "saved"))
    assert (found.kind, found.splits[0].name) == ("parquet", "train")
    assert list(read_rows(found.splits[0].images[0], found)) == [(sets.encoded(0), "cat")]


def test_shards_with_and_without_labels(tmp_path):
    assert found_in(tmp_path, sets.shards).columns == ("png", "cls")
    found = recognise(sets.shards(tmp_path / "b", labelled=False))
    assert (found.task, found.columns) == ("unlabelled", ("png", ""))


@pytest.mark.parametrize("kind", ["images", "csv", "coco", "parquet", "shards", "lmdb"])
def test_a_single_file(kind, tmp_path):
    folder = sets.MAKERS[kind](tmp_path / "a")
    path = {
        "images": folder / "größe 1.png",
        "csv": folder / "train.csv",
        "coco": folder / "annotations" / "valid.json",
        "parquet": folder / "data" / "train-00000-of-00001.parquet",
        "shards": folder / "train-000.tar",
        "lmdb": folder / "data.mdb",
    }[kind]
    found = recognise(path)
    assert (found.kind, found.root, len(found.splits)) == (kind, path, 1)


def test_several_kinds_are_named_and_layout_decides(tmp_path):
    folder = sets.masks(sets.voc(tmp_path))
    found = recognise(folder)
    assert (found.kind, found.also) == ("voc", ("masks",))
    assert recognise(folder, "masks").kind == "masks"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("images_val2017", "val"), ("Train", "train"), ("instances_train2014", "train"),
        ("test-dev2017", "test"), ("trainval", None), ("cat_train", None), ("2007", None),
        ("validation_images", "val"), ("devil", None),
    ],
)  # fmt: skip
def test_names_of_splits(name, split):
    assert split_of(name) == split


def test_what_is_no_data_ends_in_a_sentence(tmp_path):
    sets.write(tmp_path / "a.txt", "hello")
    (tmp_path / "empty").mkdir()
    sets.write(tmp_path / "z" / "data.zip", "")
    os.mkfifo(tmp_path / "pipe")
    for path, text in {
        tmp_path / "none": "does not exist; check the path",
        tmp_path / "a.txt": "a.txt is not an image",
        tmp_path / "empty": "has no images: found no files",
        tmp_path / "z": "has no images, but the archive data.zip; unpack it",
        tmp_path / "z" / "data.zip": "is an archive; unpack it and give the folder",
        tmp_path / "pipe": "is a named pipe, expected a folder or a file",
    }.items():
        with pytest.raises(BenchError, match=text):
            recognise(path)
    with pytest.raises(BenchError, match=r"--layout must be one of images, .*, got 'vok'"):
        recognise(tmp_path, "vok")
    sets.images(tmp_path / "flat")
    with pytest.raises(BenchError, match=r"flat does not fit --layout voc .*: 4 images$"):
        recognise(tmp_path / "flat", "voc")


BOMB = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><annotation>&d;</annotation>'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (BOMB, "has a document type"),
        (BOMB.encode("utf-16"), "is not UTF-8"),
        ("<annotation>", "is not XML"),
        ("<kml/>", "root <kml>, expected VOC's <annotation>"),
        (sets.VOC.replace("<xmin>3<", "<xmin>nan<"), "has <xmin> 'nan' in <bndbox>, expected"),
        (sets.VOC.replace("{label}", ""), "object 1 of .* has no <name>"),
    ],
)
def test_xml_is_data(content, text, tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BenchError, match=text):
        read_voc(path)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("0 12 15 30 40", "has values outside of 0 to 1"),
        ("cat 0.1 0.1 0.1 0.1", "is 'cat 0.1 0.1 0.1 0.1', expected a class number"),
        ("0.5 0.1 0.1 0.1 0.1", "expected a class number"),
        ("0 0.1 0.1 0.1", "expected a class number"),
    ],
)
def test_rows_of_yolo(row, text, tmp_path):
    with pytest.raises(BenchError, match=f"line 2 of .*{text}"):
        read_yolo(sets.write(tmp_path / "a.txt", f"\n{row}\n"))


def test_labels_of_parquet_are_classes(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = sets.parquet(tmp_path)
    path = folder / "data" / "train-00000-of-00001.parquet"
    made = pq.read_table(path)
    pq.write_table(made.set_column(1, "label", pa.array([0, 5, None, 0])), path)
    with pytest.raises(BenchError, match=r"row 2 of .* has the label 5, expected 0 to 1"):
        list(read_rows(path, recognise(folder)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BenchError, match=r"parquet cannot be read \(.*restore the file"):
        recognise(folder)


def test_the_recogniser_needs_no_torch():
    code = "import sys, simmim_bench.data.inspect.recognise; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_the_first_of_several_parquet_files_is_named_as_such(tmp_path):
    folder = sets.parquet(tmp_path)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))
    assert len(files) == 2
    assert f"column 'image' of {files[0]}, the first of 2 files, holds images" in (
        recognise(folder).why
    )


def test_a_class_may_have_the_name_of_a_split(tmp_path):
    for seed, name in enumerate(("car", "bus", "train")):
        for number in range(2):
            sets.save(tmp_path / "vehicles" / name / f"{number}.jpg", 2 * seed + number)
    found = recognise(tmp_path / "vehicles", None)
    assert (found.kind, found.classes) == ("class-folders", ("bus", "car", "train"))
    assert shown(found) == [("", 6, 0, 6)]
