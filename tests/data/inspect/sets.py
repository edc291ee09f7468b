"""Small data sets in every layout, with names of people's own."""

import io
import json
import tarfile

import numpy as np
from PIL import Image

CLASSES = ("Bär", "red fox")
SIZE = (24, 16)


def picture(seed, mode="RGB", size=SIZE):
    shape = (size[1], size[0], len(Image.new(mode, (1, 1)).getbands()))
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values.squeeze(), mode)


def save(path, seed=0, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, mode).save(path)
    return path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def encoded(seed):
    stream = io.BytesIO()
    picture(seed).save(stream, "PNG")
    return stream.getvalue()


def images(folder):
    for seed in range(4):
        save(folder / f"größe {seed}.png", seed)
    return folder


def class_folders(folder, splits=("training", "validation")):
    seed = 0
    for split in splits:
        for name in CLASSES:
            for number in range(2):
                save(folder / split / name / f"{number}.jpg", seed := seed + 1)
    return folder


def coco_document(names):
    boxes = [[2, 3, 8, 9], [0, 0, 24, 16]]
    return {
        "images": [
            {"id": i, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for i, name in enumerate(names, 1)
        ],
        "categories": [{"id": 7, "name": CLASSES[1]}, {"id": 3, "name": CLASSES[0]}],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": (3, 7)[i % 2],
                "bbox": boxes[i % 2],
                "area": boxes[i % 2][2] * boxes[i % 2][3],
                "iscrowd": 0,
            }
            for i in range(1, len(names) + 1)
        ],
    }


def coco(folder):
    for split in ("train", "valid"):
        names = [save(folder / split / f"{split}_{i}.jpg", i).name for i in range(3)]
        text = json.dumps(coco_document(names))
        write(folder / "annotations" / f"{split}.json", text)
    return folder


VOC = """<annotation><folder>VOC</folder><filename>{name}.jpg</filename>
<size><width>24</width><height>16</height><depth>3</depth></size>
<object><name>{label}</name><difficult>0</difficult>
<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>11</xmax><ymax>13</ymax></bndbox></object></annotation>
"""


def voc(folder):
    for i in range(4):
        save(folder / "JPEGImages" / f"im.{i}.jpg", i)
        write(
            folder / "Annotations" / f"im.{i}.xml", VOC.format(name=f"im.{i}", label=CLASSES[i % 2])
        )
    write(folder / "ImageSets" / "Main" / "train.txt", "im.0\nim.1\nim.2\n")
    write(folder / "ImageSets" / "Main" / "val.txt", "im.3\n")
    write(folder / "ImageSets" / "Main" / "red fox_train.txt", "im.0  1\nim.1 -1\n")
    return folder


def yolo(folder, row="1 0.5 0.5 0.25 0.5"):
    for split in ("train", "val"):
        for i in range(2):
            save(folder / "images" / split / f"{split}{i}.jpg", i)
            write(folder / "labels" / split / f"{split}{i}.txt", f"{row}\n0 0.1 0.1 0.2 0.2\n")
    save(folder / "images" / "train" / "empty.jpg", 9)
    write(
        folder / "data.yaml",
        f"path: .\ntrain: images/train\nval: images/val\nnames: {[*CLASSES]}\n",
    )
    return folder


def masks(folder):
    for split in ("train", "val"):
        for i in range(3):
            save(folder / "img" / split / f"{i}.jpg", i)
            values = np.full(SIZE[::-1], i, np.uint8)
            values[:4] = 255
            label = Image.fromarray(values, "P")
            label.putpalette([*range(256)] * 3)
            path = folder / "labels" / split / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            label.save(path)
    write(folder / "classes.txt", "sky\nroad\ncar\n")
    return folder


def cityscapes(folder):
    for name in ("a_000", "b_001"):
        save(folder / "leftImg8bit" / "train" / "ulm" / f"{name}_leftImg8bit.png")
        for kind in ("labelIds", "labelTrainIds"):
            save(folder / "gtFine" / "train" / "ulm" / f"{name}_gtFine_{kind}.png", mode="L")
        save(folder / "gtFine" / "train" / "ulm" / f"{name}_gtFine_color.png")
    return folder


def table(folder, mark=","):
    for i in range(6):
        save(folder / "photos" / f"{i}.jpg", i)
    rows = [["id", "width", "species"], *([str(i), "24", CLASSES[i % 2]] for i in range(6))]
    write(folder / "train.csv", "\n".join(mark.join(row) for row in rows))
    return folder


def parquet(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": encoded(i), "path": f"{i}.png"} for i in range(4)]
    made = pa.table({"image": rows, "label": [0, 1, 0, 1], "id": [10, 11, 12, 13]})
    features = {"label": {"names": [*CLASSES], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    made = made.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    (folder / "data").mkdir(parents=True)
    pq.write_table(made, folder / "data" / "train-00000-of-00001.parquet")
    pq.write_table(made.slice(0, 1), folder / "data" / "validation-00000-of-00001.parquet")
    return folder


def arrow(folder):
    """As ``Dataset.save_to_disk``."""
    import pyarrow as pa

    made = pa.table({"image": [{"bytes": encoded(0), "path": None}], "label": ["cat"]})
    (folder / "train").mkdir(parents=True)
    with pa.ipc.new_stream(folder / "train" / "data-00000-of-00001.arrow", made.schema) as stream:
        stream.write_table(made)
    return folder


def shards(folder, labelled=True):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "train-000.tar", "w") as tar:
        for i in range(3):
            members = {f"{i:05d}.png": encoded(i)}
            if labelled:
                members[f"{i:05d}.cls"] = str(i % 2).encode()
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return folder


def lmdb(folder):
    import lmdb as package

    folder.mkdir(parents=True, exist_ok=True)
    with package.open(str(folder), map_size=1 << 20) as opened, opened.begin(write=True) as writing:
        for i in range(3):
            writing.put(f"{i}".encode(), encoded(i))
    return folder


MAKERS = {
    "images": images,
    "class-folders": class_folders,
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "masks": masks,
    "csv": table,
    "parquet": parquet,
    "shards": shards,
    "lmdb": lmdb,
}
