"""Small archives as their owners publish them, and a server that can cut connections."""

import http.server
import io
import pickle
import tarfile
import threading
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from simmim_bench.data.prepare.archives import ARCHIVES

WNIDS = ("n01440764", "n01443537")


def image_bytes(value=0, suffix="JPEG", size=(8, 6)):
    stream = io.BytesIO()
    Image.new("RGB", size, (value, 10, 20)).save(stream, suffix)
    return stream.getvalue()


def write_tar(path, files, mode="w"):
    """``files``: name -> bytes."""
    target = {"fileobj": path} if hasattr(path, "write") else {"name": path}
    with tarfile.open(mode=mode, **target) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_bytes(files):
    stream = io.BytesIO()
    write_tar(stream, files)
    return stream.getvalue()


def cifar_batch(count, classes, key, start=0):
    """Image ``n`` is filled with ``n``, ``n + 1``, ``n + 2`` in red, green and blue."""
    numbers = np.arange(start, start + count)
    data = np.concatenate(
        [np.repeat(numbers[:, None] + plane, 1024, 1) for plane in range(3)], 1
    ).astype(np.uint8)
    return {"data": data, key: [int(n) % classes for n in numbers], "batch_label": "of a test"}


def cifar10_files():
    names = ["airplane", "automobile"]
    files = {f"data_batch_{n + 1}": cifar_batch(4, 2, "labels", 4 * n) for n in range(5)}
    files["test_batch"] = cifar_batch(2, 2, "labels", 100)
    files["batches.meta"] = {"label_names": names, "num_vis": 3072}
    return {f"cifar-10-batches-py/{n}": pickle.dumps(v, protocol=2) for n, v in files.items()}


def cifar100_files():
    files = {
        "train": {**cifar_batch(6, 3, "fine_labels"), "coarse_labels": [0] * 6},
        "test": cifar_batch(3, 3, "fine_labels", 100),
        "meta": {"fine_label_names": ["apple", "aquarium_fish", "baby"]},
    }
    return {f"cifar-100-python/{n}": pickle.dumps(v, protocol=2) for n, v in files.items()}


@pytest.fixture
def imagenet(tmp_path):
    """Folder with the three archives: two classes, three validation images."""
    folder = tmp_path / "imagenet-archives"
    folder.mkdir()
    inner = {
        f"{wnid}.tar": tar_bytes({f"{wnid}_{n}.JPEG": image_bytes(n) for n in range(2)})
        for wnid in WNIDS
    }
    write_tar(folder / "ILSVRC2012_img_train.tar", inner)
    # out of order, as archives are
    val = {f"ILSVRC2012_val_{n:08d}.JPEG": image_bytes(n) for n in (3, 1, 2)}
    write_tar(folder / "ILSVRC2012_img_val.tar", val)
    synsets = np.array(
        [(1, WNIDS[0], 0), (2, WNIDS[1], 0), (3, "n00001740", 2)],
        dtype=[("ILSVRC2012_ID", "i4"), ("WNID", "O"), ("num_children", "i4")],
    )
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    kit = "ILSVRC2012_devkit_t12/data"
    truth = f"{kit}/ILSVRC2012_validation_ground_truth.txt"
    files = {f"{kit}/meta.mat": meta.getvalue(), truth: b"2\n1\n1\n"}
    write_tar(folder / "ILSVRC2012_devkit_t12.tar.gz", files, "w:gz")
    return folder


@pytest.fixture
def cityscapes(tmp_path):
    """Folder with the two archives: one training and one validation image, one for testing."""
    folder = tmp_path / "cityscapes-archives"
    folder.mkdir()
    images, maps = {}, {}
    for split, city in (("train", "aachen"), ("val", "ulm"), ("test", "bonn")):
        stem = f"{split}/{city}/{city}_000000_000019"
        images[f"leftImg8bit/{stem}_leftImg8bit.png"] = image_bytes(1, "PNG", (34, 2))
        labels = np.tile(np.arange(34, dtype=np.uint8), (2, 1))
        stream = io.BytesIO()
        Image.fromarray(labels).save(stream, "PNG")
        maps[f"gtFine/{stem}_gtFine_labelIds.png"] = stream.getvalue()
        maps[f"gtFine/{stem}_gtFine_polygons.json"] = b"{}"
    write_zip(folder / "leftImg8bit_trainvaltest.zip", images)
    write_zip(folder / "gtFine_trainvaltest.zip", maps)
    return folder


VOC = "VOCdevkit/VOC2012"


def voc_files():
    """Files of VOC's archive: two training images, one for validation, one without a label map."""
    files = {f"{VOC}/JPEGImages/2007_{n}.jpg": image_bytes(n, size=(6, 4)) for n in range(4)}
    for number in range(3):
        values = np.resize(np.uint8([0, 20, 255, number]), (4, 6))
        labels = Image.fromarray(values).convert("P")  # keeps the values
        labels.putpalette([value % 256 for value in range(768)])
        stream = io.BytesIO()
        labels.save(stream, "PNG")
        files[f"{VOC}/SegmentationClass/2007_{number}.png"] = stream.getvalue()
    lists = {"train": b"2007_0\n2007_1\n", "val": b"2007_2\n", "trainval": b"2007_0\n"}
    return {**files, **{f"{VOC}/ImageSets/Segmentation/{n}.txt": v for n, v in lists.items()}}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.content``; ``server.cuts`` are byte counts after which it hangs up."""

    def do_GET(self):
        server = self.server
        server.asked.append(dict(self.headers))
        if server.failures:
            self.send_error(server.failures.pop(0))
            return
        start, wanted = 0, self.headers.get("Range")
        condition = self.headers.get("If-Range", server.etag)
        if wanted and server.ranges and condition == server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        total = len(server.content)
        if start >= total > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - start))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        body = server.content[start:]
        if server.cuts:
            body = body[: server.cuts.pop(0)]
        server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """``server.url``, ``content``, ``etag``, ``ranges``, ``cuts``, ``failures``; ``asked``."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{made.server_port}/cifar-10-python.tar.gz"
    made.content, made.etag, made.ranges = b"", '"one"', True
    made.cuts, made.failures, made.asked, made.sent = [], [], [], 0
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def archives():
    """The writers, for tests in other files."""
    return {"tar": write_tar, "zip": write_zip}


@pytest.fixture
def cifar10():
    """Files of CIFAR-10's archive: 20 training and 2 test images of 2 classes."""
    return cifar10_files()


@pytest.fixture
def cifar100():
    """Files of CIFAR-100's archive: 6 training and 3 test images of 3 classes."""
    return cifar100_files()


@pytest.fixture
def voc():
    """Files of VOC's archive: two training images, one for validation, one without a label map."""
    return voc_files()


@pytest.fixture
def own(monkeypatch):
    """Take the published checksums out: the archives are the tests' own."""

    def without(dataset):
        archives = tuple(replace(each, checksum=None) for each in ARCHIVES[dataset])
        monkeypatch.setitem(ARCHIVES, dataset, archives)

    for dataset in list(ARCHIVES):
        without(dataset)
