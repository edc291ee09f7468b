"""Where the archives of each public dataset come from, with their published checksums.

Sizes tell a progress bar its end; what the disk must hold is asked from the server.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a file must hash to."""

    algorithm: str
    """``md5``, ``sha1`` or ``sha256``."""
    digest: str
    """Lower-case hex."""


@dataclass(frozen=True)
class Archive:
    """One file of a dataset, as its owners publish it."""

    name: str
    size: int
    """Bytes, about."""
    url: str | None = None
    """None: only with a licence of one's own."""
    checksum: Checksum | None = None


def _md5(digest: str) -> Checksum:
    return Checksum("md5", digest)


_COCO = "http://images.cocodataset.org"  # its certificate is S3's: no https
_CIFAR = "https://www.cs.toronto.edu/~kriz"

ARCHIVES: dict[str, tuple[Archive, ...]] = {
    # https://cocodataset.org/#download; md5 as in ppdet/utils/download.py of PaddleDetection
    "coco": (
        Archive(
            "train2017.zip",
            19_336_861_798,
            f"{_COCO}/zips/train2017.zip",
            _md5("cced6f7f71b7629ddf16f17bbcfab6b2"),
        ),
        Archive(
            "val2017.zip",
            815_585_330,
            f"{_COCO}/zips/val2017.zip",
            _md5("442b8da7639aecaf257c1dceb8ba8c80"),
        ),
        Archive(
            "annotations_trainval2017.zip",
            252_907_541,
            f"{_COCO}/annotations/annotations_trainval2017.zip",
            _md5("f4bbac642086de4f52a3fdda2de5fa2c"),
        ),
    ),
    # http://sceneparsing.csail.mit.edu; sha1 as in gluon-cv, scripts/datasets/ade20k.py
    "ade20k": (
        Archive(
            "ADEChallengeData2016.zip",
            967_000_000,
            "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            Checksum("sha1", "219e1696abb36c8ba3a3afe7fb2f4b4606a897c7"),
        ),
    ),
    # https://www.cs.toronto.edu/~kriz/cifar.html; md5 as in torchvision/datasets/cifar.py
    "cifar10": (
        Archive(
            "cifar-10-python.tar.gz",
            170_498_071,
            f"{_CIFAR}/cifar-10-python.tar.gz",
            _md5("c58f30108f718f92721af3b95e74349a"),
        ),
    ),
    "cifar100": (
        Archive(
            "cifar-100-python.tar.gz",
            169_001_437,
            f"{_CIFAR}/cifar-100-python.tar.gz",
            _md5("eb9058c3a382ffc7106e4002c42a8d85"),
        ),
    ),
    # https://image-net.org/challenges/LSVRC/2012; md5 as in torchvision/datasets/imagenet.py
    "imagenet": (
        Archive(
            "ILSVRC2012_img_train.tar",
            147_897_477_120,
            checksum=_md5("1d675b47d978889d74fa0da5fadfb00e"),
        ),
        Archive(
            "ILSVRC2012_img_val.tar",
            6_744_924_160,
            checksum=_md5("29b22e2961454d5413ddabcf34fc5622"),
        ),
        Archive(
            "ILSVRC2012_devkit_t12.tar.gz",
            2_568_145,
            checksum=_md5("fa75699e90414af021442c21a62c3abf"),
        ),
    ),
    # https://www.cityscapes-dataset.com/downloads: no checksum outside the login
    "cityscapes": (
        Archive("leftImg8bit_trainvaltest.zip", 11_592_327_197),
        Archive("gtFine_trainvaltest.zip", 252_567_705),
    ),
}


def archives_of(dataset: str) -> dict[str, Archive]:
    """Archives of ``dataset`` by name."""
    return {archive.name: archive for archive in ARCHIVES[dataset]}


def licence_needed(dataset: str, lacking: Archive) -> BenchError:
    """What to say when an archive can only come from the user."""
    names = " ".join(archive.name for archive in ARCHIVES[dataset])
    return BenchError(
        f"{dataset} needs {lacking.name}, which cannot be downloaded here: "
        f"{LAYOUTS[dataset].origin}, then run `{LAYOUTS[dataset].prepare}` with the folder that "
        f"holds {', '.join(LAYOUTS[dataset].entries)}, or with the archives ({names})"
    )


# Hash a large file and compare it with what its source publishes.


ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64}
"""Names, as ``hashlib`` has them, and hex digits."""


def parse_checksum(text: str) -> Checksum:
    """Read ``md5=...``, ``sha1=...`` or ``sha256=...``.

    Raises:
        BenchError: If it is nothing of that kind.
    """
    algorithm, _, digest = text.lower().partition("=")
    if ALGORITHMS.get(algorithm) != len(digest) or set(digest) - set("0123456789abcdef"):
        raise BenchError(
            f"#{text} is no checksum; expected #md5=, #sha1= or #sha256= and its hex digits"
        )
    return Checksum(algorithm, digest)


def file_digest(path: Path, algorithm: str, advance: Advance = lambda _: None) -> str:
    """Hex digest of a file; ``advance`` is told of bytes."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def mismatch(path: Path, expected: Checksum, advance: Advance = lambda _: None) -> str | None:
    """The digest that ``path`` has instead of the ``expected`` one; None if it is that."""
    found = file_digest(path, expected.algorithm, advance)
    return None if found == expected.digest else found
