"""Class of inputs: data sets of any layout, with one odd file."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzzing.data import COCO, SIDE
from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import TEXTS, damaged, texts
from benchmarks.fuzzing.worker import Case, LieError

VOC = (
    f"<annotation><size><width>{SIDE}</width><height>{SIDE}</height></size><object><name>cat</name>"
    "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>"
)
BOMB = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><annotation>&d;</annotation>'
NAMES: dict[str, Any] = {"names": {0: "cat", 1: "dog"}, "train": "images"}


def _image(folder: Path, *names: str, mode: str = "RGB") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (SIDE, SIDE), 1).save(path)


def _shard() -> bytes:
    stream, picture = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(picture, "PNG")
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in {"a.png": picture.getvalue(), "a.cls": b"1"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    picture, stream = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (SIDE, SIDE)).save(picture, "PNG")
    rows = {"image": [{"bytes": picture.getvalue(), "path": "a"}] * 2, "label": [0, 1]}
    names = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"]}}}})
    made = pyarrow.table(rows).replace_schema_metadata({"huggingface": names})
    pyarrow.parquet.write_table(made, stream)
    return stream.getvalue()


def layouts(folder: Path) -> Prepared:
    """One odd file in a data set: recognised, inspected and drawn, or refused."""
    from simmim_bench.data.inspect.expected import expected
    from simmim_bench.data.inspect.look import look
    from simmim_bench.data.inspect.recognise import recognise
    from simmim_bench.data.inspect.report import rows
    from simmim_bench.data.inspect.sheet import write_sheet

    _image(folder, "coco/a.jpg", "coco/b.jpg", "voc/a.jpg", "voc/b.jpg", "yolo/images/a.jpg")
    _image(folder, "csv/a.jpg", "csv/b.jpg", "csv/c.jpg", "masks/images/a.jpg")
    _image(folder, "masks/labels/a.png", mode="L")
    valid = {
        "coco/x.json": json.dumps(COCO).encode(),
        "voc/a.xml": VOC.encode(),
        "voc/b.xml": VOC.encode(),
        "yolo/labels/a.txt": b"0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.5 0.1 0.5 0.5\n",
        "yolo/data.yaml": json.dumps(NAMES | {"names": ["cat", "dog"]}).encode(),
        "csv/train.csv": b"image,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n",
        "masks/labels/a.png": (folder / "masks/labels/a.png").read_bytes(),
        "shards/a.tar": _shard(),
        "parquet/train.parquet": _parquet(),
    }
    for name, content in valid.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        path = folder / name
        path.write_bytes(content)
        try:
            found = recognise(path.parents[-1 - len(folder.parts)])
            seen, samples = look(found)
            list(rows(seen))
            expected(seen, found.root)
            write_sheet(found, samples, folder / "sheet.png")
        finally:
            path.write_bytes(valid[name])
            (folder / "sheet.png").unlink(missing_ok=True)
        away = [each for each in found.images() if folder not in each.resolve().parents]
        if away:
            raise LieError(f"{away[0]} is not in the folder")
        if b"<!DOCTYPE" in content and seen.labels and seen.labels.counts["cccc"]:
            raise LieError("an entity was replaced")

    def odd(name: str) -> st.SearchStrategy[tuple[str, bytes]]:
        made = [damaged(valid[name]), st.sampled_from(TEXTS).map(_encoded)]
        if name == "coco/x.json":
            made = [texts(COCO)]
        elif name.endswith(".yaml"):
            made.append(texts({**NAMES, "names": ["cat", "dog"]}))
        elif name.endswith(".xml"):
            made.append(st.just(BOMB.encode()))
        elif name.endswith((".txt", ".csv")):
            made.append(st.lists(st.sampled_from(TEXTS), max_size=8).map(_rows))
        return st.tuples(st.just(name), st.one_of(made))

    return st.sampled_from(sorted(valid)).flatmap(odd), read


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _rows(cells: list[str]) -> bytes:
    return b"image,label\n" + _encoded(",".join(cells)) + b"\na.jpg," + _encoded(" ".join(cells))


CASES = (Case("layouts of data", 2, layouts),)
