"""Data as people have them, made from the demo's images: each function fills one folder."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import DemoSpec

SIDE = 64
SUFFIXES = (".jpg", ".JPEG", ".png", ".webp", ".bmp", ".tif", ".gif", ".PPM")
NAMES = ("chats é", "собаки", "犬 と 猫", "fox & hound", "größe 5", "plain", "a.b", "q'uote")
"""Class folders of people; the first eight digits have these names."""


class Demo:
    """Small demo data and what can be read from them.

    Args:
        folder: Where to build them.
    """

    def __init__(self, folder: Path) -> None:
        spec = DemoSpec(
            train_objects=160, val_objects=40, unlabelled=96, train_scenes=40, val_scenes=12
        )
        self.root = build_demo(folder, spec, processes=1).folder

    def objects(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Class and image of each labelled image."""
        for path in sorted((self.root / "imagenet" / "train").rglob("*.*")):
            yield int(path.parent.name[-1]), _pixels(path)

    def images(self) -> list[NDArray[np.uint8]]:
        """Unlabelled images."""
        return [_pixels(path) for path in sorted((self.root / "unlabelled").glob("*.*"))]

    def boxes(self, split: str) -> dict[str, object]:
        """COCO's document of a split."""
        path = self.root / "coco" / "annotations" / f"instances_{split}2017.json"
        return dict(json.loads(path.read_text("utf-8")))

    def scene(self, split: str, name: str) -> Path:
        """Image of a scene."""
        return self.root / "coco" / f"{split}2017" / name


def _pixels(path: Path) -> NDArray[np.uint8]:
    return np.array(Image.open(path).convert("RGB").resize((SIDE, SIDE)))


def _save(pixels: NDArray[np.generic], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def mixed(demo: Demo, folder: Path) -> None:
    """Images of eight suffixes, in folders of any depth, among other files."""
    for number, pixels in enumerate(demo.images()):
        _save(pixels, folder / f"trip {number % 3}" / f"{number}{SUFFIXES[number % 8]}")
    (folder / "notes.txt").write_text("not an image", "utf-8")
    (folder / ".DS_Store").write_bytes(b"\0")


def classes(demo: Demo, folder: Path) -> None:
    """Class folders with names in several scripts, no splits."""
    for number, (label, pixels) in enumerate(demo.objects()):
        if label < len(NAMES):
            _save(pixels, folder / NAMES[label] / f"bild {number}.jpg")


def grey_16_bits(demo: Demo, folder: Path) -> None:
    """Class folders of 16-bit grey PNGs, with the splits that people make."""
    for number, (label, pixels) in enumerate(demo.objects()):
        split = "training" if number % 4 else "validation"
        grey = pixels.mean(axis=2).astype(np.uint16) * 257
        _save(grey, folder / split / f"class {label % 4}" / f"{number}.png")


def _bands(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red, green, blue, and the mean of green and the opposite of red as a near infrared."""
    infrared = (pixels[..., 1:2].astype(int) + 255 - pixels[..., 0:1]) // 2
    return np.concatenate([pixels, infrared.astype(np.uint8)], axis=2)


def four_bands(demo: Demo, folder: Path) -> None:
    """Unlabelled TIFFs of four bands and 12 bits in 16."""
    import tifffile

    folder.mkdir(parents=True)
    for number, pixels in enumerate(demo.images()):
        values = _bands(pixels).astype(np.uint16) * 16
        tifffile.imwrite(folder / f"tile_{number}.tif", values, photometric="rgb")


def four_band_classes(demo: Demo, folder: Path) -> None:
    """Class folders of TIFFs of four bands and 16 bits."""
    import tifffile

    for number, (label, pixels) in enumerate(demo.objects()):
        path = folder / f"crop {label % 4}" / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, _bands(pixels).astype(np.uint16) * 257, photometric="rgb")


def twelve_bands(demo: Demo, folder: Path) -> None:
    """Unlabelled TIFFs of twelve float bands, in any range."""
    import tifffile

    folder.mkdir(parents=True)
    for number, pixels in enumerate(demo.images()):
        values = np.concatenate([_bands(pixels)] * 3, axis=2).astype(np.float32) / 100 - 0.5
        tifffile.imwrite(
            folder / f"{number}.tif", np.moveaxis(values, 2, 0), planarconfig="separate"
        )


def one_band(demo: Demo, folder: Path) -> None:
    """Unlabelled float TIFFs of one band from 0 to 1."""
    for number, pixels in enumerate(demo.images()):
        _save((pixels.mean(axis=2) / 255).astype(np.float32), folder / f"{number}.tiff")


def _objects_of(demo: Demo, split: str) -> Iterator[tuple[str, int, int, list[dict[str, object]]]]:
    """Name, width and height of each scene, with its objects."""
    document = demo.boxes(split)
    for image in document["images"]:
        of_image = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        yield image["file_name"], image["width"], image["height"], of_image


def voc(demo: Demo, folder: Path) -> None:
    """Pascal VOC: an XML file an image, lists of names."""
    for split, listed in (("train", "train"), ("val", "val")):
        names = []
        for name, width, height, found in _objects_of(demo, split):
            path = folder / "JPEGImages" / f"{split}_{name}"
            _save(np.array(Image.open(demo.scene(split, name)).convert("RGB")), path)
            rows = []
            for each in found:
                x, y, w, h = each["bbox"]
                corners = {"xmin": x + 1, "ymin": y + 1, "xmax": x + w, "ymax": y + h}
                box = "".join(f"<{key}>{value:.0f}</{key}>" for key, value in corners.items())
                rows.append(f"<object><name>digit {each['category_id']}</name>"
                            f"<difficult>0</difficult><bndbox>{box}</bndbox></object>")  # fmt: skip
            text = (
                f"<annotation><filename>{path.name}</filename><size><width>{width}</width>"
                f"<height>{height}</height><depth>3</depth></size>{''.join(rows)}</annotation>"
            )
            _write(folder / "Annotations" / f"{path.stem}.xml", text)
            names.append(path.stem)
        _write(folder / "ImageSets" / "Main" / f"{listed}.txt", "\n".join(names) + "\n")


def yolo(demo: Demo, folder: Path, *, polygons: bool = False) -> None:
    """YOLO: a text file an image, boxes or polygons as shares of the image."""
    for split in ("train", "val"):
        for name, width, height, found in _objects_of(demo, split):
            path = folder / "images" / split / name
            _save(np.array(Image.open(demo.scene(split, name)).convert("RGB")), path)
            rows = []
            for each in found:
                x, y, w, h = each["bbox"]
                numbers = [x + w / 2, y + h / 2, w, h]
                if polygons:
                    numbers = [x, y, x + w, y, x + w, y + h, x, y + h]
                shares = [value / (height if i % 2 else width) for i, value in enumerate(numbers)]
                label = int(each["category_id"]) - 1
                rows.append(" ".join([str(label), *(f"{share:.6f}" for share in shares)]))
            _write(folder / "labels" / split / f"{path.stem}.txt", "\n".join(rows) + "\n")
    names = "".join(f"  {label}: digit {label}\n" for label in range(10))
    _write(folder / "data.yaml", f"train: images/train\nval: images/val\nnames:\n{names}")


def yolo_polygons(demo: Demo, folder: Path) -> None:
    """YOLO's polygons."""
    yolo(demo, folder, polygons=True)


def pets(demo: Demo, folder: Path, *, masks: bool = True) -> None:
    """COCO's layout with people's own names."""
    for split, own in (("train", "training set"), ("val", "validation set")):
        document = demo.boxes(split)
        for image in document["images"]:
            pixels = np.array(Image.open(demo.scene(split, image["file_name"])).convert("RGB"))
            _save(pixels, folder / own / image["file_name"])
        if not masks:
            for each in document["annotations"]:
                del each["segmentation"]
        _write(folder / f"{own}.json", json.dumps(document))


def coco_boxes(demo: Demo, folder: Path) -> None:
    """COCO's layout without masks."""
    pets(demo, folder, masks=False)


def palette(demo: Demo, folder: Path) -> None:
    """Label maps with a palette, label 0 as a class of its own and 255 for unlabelled pixels."""
    source = demo.root / "ade" / "ADEChallengeData2016"
    for part, split in (("training", "train"), ("validation", "val")):
        for path in sorted((source / "images" / part).iterdir()):
            _save(
                np.array(Image.open(path).convert("RGB")),
                folder / "img" / split / f"{path.stem}.jpg",
            )
            labels = np.array(Image.open(source / "annotations" / part / f"{path.stem}.png")) % 4
            labels[:3] = 255
            drawn = Image.fromarray(labels.astype(np.uint8), "P")
            drawn.putpalette([channel * 37 % 256 for channel in range(3 * 256)])
            target = folder / "mask" / split / f"{path.stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            drawn.save(target)


def table(demo: Demo, folder: Path, *, mark: str = ",", suffix: str = "csv") -> None:
    """A table of names and labels beside one folder of images."""
    rows = [mark.join(("filename", "species"))]
    for number, (label, pixels) in enumerate(demo.objects()):
        name = f"{number:04d}.jpg"
        _save(pixels, folder / "photos" / name)
        rows.append(mark.join((name, f"species {label % 5}")))
    _write(folder / f"labels.{suffix}", "\n".join(rows) + "\n")


def tabs(demo: Demo, folder: Path) -> None:
    """The same with tabs."""
    table(demo, folder, mark="\t", suffix="tsv")


def parquet(demo: Demo, folder: Path) -> None:
    """Parquet files as ``datasets`` writes them: bytes of images, numbers of classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(demo.objects())
    features = {
        "image": {"_type": "Image"},
        "label": {"names": [f"kind {label}" for label in range(10)], "_type": "ClassLabel"},
    }
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    for split, part in (("train", rows[:120]), ("test", rows[120:])):
        pictures = [{"bytes": encoded(pixels), "path": None} for _, pixels in part]
        columns = {"image": pictures, "label": [label for label, _ in part]}
        content = pa.table(columns).replace_schema_metadata(meta)
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(content, path)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """An image as a PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def shards(demo: Demo, folder: Path) -> None:
    """Tar shards of webdataset: images and labels."""
    folder.mkdir(parents=True)
    rows = list(demo.objects())
    for shard in range(2):
        with tarfile.open(folder / f"train-{shard:04d}.tar", "w") as tar:
            for number, (label, pixels) in enumerate(rows[shard::2]):
                for suffix, content in (("png", encoded(pixels)), ("cls", str(label).encode())):
                    entry = tarfile.TarInfo(f"{shard}_{number:05d}.{suffix}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


MAKERS: dict[str, Callable[[Demo, Path], None]] = {
    maker.__name__: maker
    for maker in (
        *(mixed, classes, grey_16_bits, four_bands, four_band_classes, twelve_bands, one_band),
        *(voc, yolo, yolo_polygons, pets, coco_boxes, palette, table, tabs, parquet, shards),
    )
}
