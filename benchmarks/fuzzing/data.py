"""Classes of inputs: images, annotations, archives, shards, lists and palettes."""

# ruff: noqa: E501  # lists of inputs

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import TEXTS, Draw, damaged, texts
from benchmarks.fuzzing.worker import Case, LieError

MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I", "I;16", "F", "YCbCr", "LAB", "HSV")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "TGA", "ICO")
SIDE = 16
COCO: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": SIDE, "height": SIDE},
        {"id": 2, "file_name": "b.jpg", "width": SIDE, "height": SIDE},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8], "area": 64, "iscrowd": 0, "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]]},
        {"id": 2, "image_id": 2, "category_id": 2, "bbox": [0, 0, 16, 16], "area": 256, "iscrowd": 1, "segmentation": {"size": [16, 16], "counts": [0, 256]}},
        {"id": 3, "image_id": 2, "category_id": 2, "bbox": [2, 2, 4, 4], "area": 16, "iscrowd": 0, "segmentation": {"size": [16, 16], "counts": "R14<00000n4"}},
    ],
}  # fmt: skip


def valid_images() -> list[bytes]:
    """Small files of every mode and format that Pillow can write."""
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    found = []
    for mode in MODES:
        try:
            image = Image.fromarray(pixels).convert(mode)
        except ValueError:
            image = Image.new(mode, (SIDE, SIDE))
        for form in FORMATS:
            stream = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            try:
                image.save(stream, form, exif=exif)
            except (OSError, KeyError, ValueError, TypeError):
                continue
            found.append(stream.getvalue())
    return found


def images(folder: Path) -> Prepared:
    """Image files: read for drawing, for masks, by the check, by palettes and by pipelines."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.analysis.images import read_image, read_mask
    from simmim_bench.data.prepare.check import examine
    from simmim_bench.errors import BenchError
    from simmim_bench.models.targets.colours import fit_palette
    from simmim_bench.records.pictures import as_jpeg  # noqa: F401

    valid = valid_images()
    (folder / "all").mkdir()

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        path = folder / "all" / name
        path.write_bytes(content)
        refused: list[Exception] = []
        readers = (
            lambda: read_image(path),
            lambda: read_mask(path),
            lambda: fit_palette(folder / "all", folder / "palette.json", clusters=2, seed=0),
        )
        for reader in readers:
            try:
                reader()
            except (BenchError, OSError) as error:
                refused.append(error)
        problem = examine(path).problem
        path.unlink()
        if problem:
            raise BenchError(problem)
        if refused:
            raise refused[0]

    names = st.sampled_from(["a.png", "a.jpg", "a.JPEG", "a.tif", "a.bmp", "a.webp"])
    content = st.one_of(st.sampled_from(valid), st.sampled_from(valid).flatmap(damaged))
    return st.tuples(names, content), read


def label_maps(folder: Path) -> Prepared:
    """Folders in ADE20K's layout with one odd label map."""
    from simmim_bench.data.prepare.check import check_layout
    from simmim_bench.errors import BenchError

    for split in ("training", "validation"):
        for kind in ("images", "annotations"):
            place = folder / kind / split
            place.mkdir(parents=True)
            Image.new("L", (SIDE, SIDE), 1).save(
                place / f"a.{'jpg' if kind == 'images' else 'png'}"
            )
    path = folder / "annotations/training/a.png"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        problems = [text for part in check_layout("ade20k", folder) for text in part.problems]
        if problems:
            raise BenchError(problems[0])
        with Image.open(path) as image:
            values = np.asarray(image)
        if values.ndim != 2 or values.max() > 150 or values.shape != (SIDE, SIDE):
            raise LieError(f"a map of {values.shape} with {values.max()} was accepted")

    valid = valid_images()
    return st.one_of(st.sampled_from(valid), st.sampled_from(valid).flatmap(damaged)), read


def annotations(folder: Path) -> Prepared:
    """COCO annotation files: the check, then masks and boxes as training and metric read them."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.data.prepare.check import check_instances
    from simmim_bench.errors import BenchError
    from simmim_bench.tasks.coco_evaluation import GroundTruth

    path = folder / "instances.json"
    sizes = {"a.jpg": (SIDE, SIDE), "b.jpg": (SIDE, SIDE)}

    def read(content: bytes) -> None:
        path.write_bytes(content)
        part = check_instances(path, "instances", sizes)
        if part.problems:
            raise BenchError(part.problems[0])
        document = json.loads(content)
        known = {image["id"] for image in document["images"]}
        for each in document["annotations"]:
            left, top, width, height = each["bbox"]
            if not (
                width > 0 and height > 0 and left >= -1 and top >= -1 and each["image_id"] in known
            ):
                raise LieError(f"the box {each['bbox']} was accepted")
        truth = GroundTruth(document)  # reads what was accepted
        _ = truth.of_hotcoco
        for each in truth.of_pycocotools.anns.values():
            mask = truth.of_pycocotools.annToMask(each)
            if mask.shape != (SIDE, SIDE):
                raise LieError(f"a mask of {mask.shape} was accepted")

    return texts(COCO), read


def questions(folder: Path) -> Prepared:
    """Annotation files of captions and questions."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.tasks.annotation_file import checked_text, read_entries

    path = folder / "x.json"
    valid = {"annotations": [{"image_id": 1, "caption": "a cat"}, {"image_id": 2, "caption": "b"}]}

    def read(content: bytes) -> None:
        path.write_bytes(content)
        for entry in read_entries(path, "annotations", ("image_id", "caption")):
            checked_text(entry["caption"], what="caption", path=path)

    return texts(valid), read


def lists(folder: Path) -> Prepared:
    """Lists of images and classes, and palettes."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.models.targets.colours import read_palette
    from simmim_bench.tasks.few_shot import _read
    from simmim_bench.tasks.segmentation import class_names

    palette = {"centres": [[0, 1, 2], [255, 0, 0.5]], "clusters": 2}
    names = b"a\nb\nc\n"

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        (folder / name).write_bytes(content)
        if name == "classes.txt":
            class_names(folder, 3)
        elif name == "list.txt":
            _read(folder / name)
        else:
            read_palette(str(folder / name))

    return st.one_of(
        st.tuples(st.just("palette.json"), texts(palette)),
        st.tuples(st.sampled_from(["classes.txt", "list.txt"]), st.one_of(damaged(names), st.sampled_from(TEXTS).map(lambda t: t.encode("utf-8", "surrogatepass")))),
    ), read  # fmt: skip


@st.composite
def _archives(draw: Draw) -> bytes:
    """A zip or tar with odd names, links and devices; some damaged."""
    stream = io.BytesIO()
    kind = draw(st.sampled_from(["zip", "tar", "gz", "xz", "bz2"]))
    odd = [text for text in TEXTS if "\0" not in text and text.isprintable() and text]
    names = draw(
        st.lists(
            st.sampled_from(["a.png", "b/c.png", "a/../b", "b", "b/", *odd]), min_size=1, max_size=3
        )
    )
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", draw(st.sampled_from([0, 8, 12, 14]))) as opened:
            for name in names:
                info = zipfile.ZipInfo(name)
                info.external_attr = (
                    draw(st.sampled_from([0, 0o120777, 0o100644, 0o10644, 0o40755])) << 16
                )
                opened.writestr(info, draw(st.sampled_from([b"", b"x", b"/etc/passwd"])))
    else:
        mode: Any = "w" if kind == "tar" else f"w:{kind}"
        with tarfile.open(fileobj=stream, mode=mode) as opened:
            for name in names:
                info = tarfile.TarInfo(name)
                info.type = draw(
                    st.sampled_from([b"0", b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"x", b"S"])
                )
                info.linkname = draw(st.sampled_from(["", "a.png", "/etc/passwd", "../x"]))
                info.size = draw(st.sampled_from([0, 4, 2**40])) if info.type == b"0" else 0
                info.mode = draw(st.sampled_from([0o644, 0, 0o7777]))
                opened.addfile(info, io.BytesIO(b"abcd") if info.size == 4 else None)
    content = stream.getvalue()
    return draw(damaged(content)) if draw(st.booleans()) else content


def archives(folder: Path) -> Prepared:
    """Zip and tar archives; nothing may be written outside of the folder."""
    from simmim_bench.data.prepare.unpack import unpack

    (folder / "in").mkdir()
    path = folder / "in" / "x"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            unpack(path, folder / "in" / "out")
        finally:
            shutil.rmtree(folder / "in" / "out", ignore_errors=True)
            stray = [
                each
                for each in (*folder.iterdir(), *(folder / "in").iterdir())
                if each.name not in ("in", "x")
            ]
            if stray:
                raise LieError(f"{stray[0]} was written")

    return _archives(), read


def shards(folder: Path) -> Prepared:
    """Tar shards and their indexes: images are read from where the index says."""
    from simmim_bench.data.prepare.check_unlabelled import check_sources, list_sources
    from simmim_bench.data.shards import ShardBackend, shard_index, write_shards
    from simmim_bench.errors import BenchError

    Image.new("RGB", (SIDE, SIDE)).save(folder / "a.png")
    write_shards([folder / "a.png"] * 2, folder, lambda _: None)
    shard, index = folder / "000000.tar", folder / "000000.tar.index.json"
    genuine = shard_index(shard)
    valid, indexed = shard.read_bytes(), json.loads(index.read_text())

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        shard.write_bytes(valid)
        index.unlink(missing_ok=True)
        if name == "index":
            stat = shard.stat()
            content = content.replace(b"123456789", str(stat.st_mtime_ns).encode())
            index.write_bytes(content)
        else:
            shard.write_bytes(content)
        entries = shard_index(shard)
        for entry, offset, size in entries:
            ShardBackend().get(f"shard://{shard}#{offset}+{size}#{entry}")
        problems = [
            text
            for part in check_sources(list_sources("shards", folder), lambda _: None)
            for text in part.problems
        ]
        if problems:
            raise BenchError(problems[0])
        if name == "index" and entries != genuine and not problems:
            shown = [list(entry) for entry in entries]
            if shown != [list(entry) for entry in genuine][: len(shown)]:
                raise LieError(f"the index {shown} was believed")

    indexed["of"]["modified_ns"] = 123456789
    return st.one_of(
        st.tuples(st.just("index"), texts(indexed)), st.tuples(st.just("tar"), damaged(valid))
    ), read


def lmdbs(folder: Path) -> Prepared:
    """Bytes of an LMDB."""
    from simmim_bench.data.lmdb import write_lmdb
    from simmim_bench.data.prepare.check_unlabelled import check_sources, list_sources
    from simmim_bench.errors import BenchError

    Image.new("RGB", (SIDE, SIDE)).save(folder / "a.png")
    (folder / "db").mkdir()
    write_lmdb([folder / "a.png"] * 3, folder / "db", lambda _: None)
    path = folder / "db" / "data.mdb"
    with path.open("rb") as stream:
        valid = stream.read(1 << 17)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        parts = check_sources(list_sources("lmdb", folder / "db"), lambda _: None)
        problems = [text for part in parts for text in part.problems]
        if problems:
            raise BenchError(problems[0])

    return damaged(valid[: 1 << 15]), read


def published_files(folder: Path) -> Prepared:
    """Pickles of CIFAR and the development kit of ImageNet."""
    from scipy.io import savemat

    from simmim_bench.data.prepare.convert.cifar import load_pickle
    from simmim_bench.data.prepare.convert.imagenet import validation_labels

    dtype = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    savemat(folder / "meta.mat", {"synsets": np.array([(1, "n1", 0), (2, "n2", 0)], dtype=dtype)})
    labels = folder / "ILSVRC2012_validation_ground_truth.txt"
    labels.write_text("1\n2\n")
    meta = (folder / "meta.mat").read_bytes()
    batch = pickle.dumps(
        {b"data": np.zeros((1, 3072), np.uint8), b"labels": [1], b"filenames": [b"a"]}, 2
    )

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        if name == "pickle":
            (folder / "batch").write_bytes(content)
            load_pickle(folder / "batch")
            return
        (folder / "meta.mat").write_bytes(content if name == "meta" else meta)
        labels.write_bytes(content if name == "labels" else b"1\n2\n")
        validation_labels(folder)

    return st.one_of(
        st.tuples(st.just("pickle"), damaged(batch)),
        st.tuples(st.just("meta"), damaged(meta)),
        st.tuples(st.just("labels"), damaged(b"1\n2\n")),
    ), read


CASES = (
    Case("images", 3, images),
    Case("label maps", 1, label_maps),
    Case("COCO annotations", 3, annotations),
    Case("captions, questions", 1, questions),
    Case("lists and palettes", 1, lists),
    Case("archives", 2, archives),
    Case("shards and indexes", 1.5, shards),
    Case("LMDB", 0.5, lmdbs),
    Case("published archives", 1, published_files),
)
