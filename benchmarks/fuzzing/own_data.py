"""Classes of inputs: own data, their description, and the label files that an import reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import as_yaml, damaged, texts
from benchmarks.fuzzing.worker import Case, LieError

SIDE = 16
CARD: dict[str, Any] = {
    "format": "simmim_bench dataset", "version": 1, "name": "mine", "task": "detection",
    "classes": ["cat", "dog"], "channels": 3, "bits": 8, "kind": "unsigned", "range": [0, 255],
    "mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0, 3.0], "reduce_zero_label": None, "has_masks": True,
    "images": {"train": 2, "val": 1}, "fingerprint": "0" * 64, "origin": "coco, x", "overlaps": [],
}  # fmt: skip
VOC = b"""<annotation><filename>0.png</filename><size><width>16</width><height>16</height></size>
<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>
<ymax>12</ymax></bndbox></object></annotation>"""
YOLO = b"0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.6 0.2 0.3 0.9\n"
TABLE = "image,label,split\n0.png,Bär,train\n1.png,dog,val\n2.png,dog,train\n".encode()
NAMES = {"names": ["cat", "dog"], "train": "images", "val": "images"}


def cards(folder: Path) -> Prepared:
    """``dataset.json``: what is accepted can be used for a recipe and written again."""
    from simmim_bench.data.own import read_dataset, write_dataset

    def read(content: bytes) -> None:
        (folder / "dataset.json").write_bytes(content)
        dataset = read_dataset(folder)
        if len(dataset.mean) != dataset.channels or "/" in dataset.name:
            raise LieError(f"{dataset} was accepted")
        write_dataset(dataset, folder)
        if read_dataset(folder) != dataset:
            raise LieError("what was written is not what was read")

    return texts(CARD), read


def labels(folder: Path) -> Prepared:
    """Imports of VOC, YOLO and tables with one odd file; what is imported is valid COCO."""
    from simmim_bench.data.annotations import read_document, validate
    from simmim_bench.data.importing.bring_in import Wishes, bring_in

    source, root = folder / "source", folder / "data"
    files = {"0.xml": VOC, "0.txt": YOLO, "labels.csv": TABLE, "data.yaml": as_yaml(NAMES)}

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        for number in range(3):
            values = np.full((SIDE, SIDE, 3), number, np.uint8)
            Image.fromarray(values).save(source / f"{number}.png")
        if name == "data.yaml":
            (source / "0.txt").write_bytes(YOLO)
        (source / name).write_bytes(content)
        dataset = bring_in("mine", source, root, Wishes(force=True)).dataset
        if {path.name for path in folder.iterdir()} - {"source", "data"}:
            raise LieError("something was written outside of the data root")
        if dataset.task == "detection":
            for path in (dataset.folder / "annotations").iterdir():
                report = validate(read_document(path))
                if report.errors:
                    raise LieError(f"COCO with errors was written: {report.errors}")
        json.dumps(dataset.model_dump(mode="json"), allow_nan=False)

    odd = [
        st.tuples(st.just(name), st.one_of(st.just(valid), damaged(valid)))
        for name, valid in files.items()
    ]
    return st.one_of(*odd), read


CASES = (Case("own data", 1, cards), Case("labels to import", 1.5, labels))
