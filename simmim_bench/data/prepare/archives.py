"""Archives of public datasets: addresses and checksums; find given ones, download the others.

Sizes are for progress bars only. The space that a download needs is asked from the server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.prepare.download import (
    ALGORITHMS,
    Checksum,
    download,
    mismatch,
    parse_checksum,
)
from simmim_bench.errors import BenchError
from simmim_bench.io import without_secrets
from simmim_bench.progress import progress_bar

_COCO = "http://images.cocodataset.org"  # no https: the certificate is that of S3
_CIFAR = "https://www.cs.toronto.edu/~kriz"
_HENDRYCKS = "https://people.eecs.berkeley.edu/~hendrycks"
_ZENODO = "https://zenodo.org/records/2235448/files"
_HUB = "https://huggingface.co/datasets"


@dataclass(frozen=True)
class Archive:
    """One published file of a dataset."""

    name: str
    size: int
    """Approximate number of bytes."""
    url: str | None = None
    """None: users need a licence and download it themselves."""
    checksum: Checksum | None = None


def _md5(digest: str) -> Checksum:
    return Checksum("md5", digest)


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
    # https://www.cityscapes-dataset.com/downloads: shows no checksums without a login
    "cityscapes": (
        Archive("leftImg8bit_trainvaltest.zip", 11_592_327_197),
        Archive("gtFine_trainvaltest.zip", 252_567_705),
    ),
    # http://host.robots.ox.ac.uk/pascal/VOC/voc2012; md5 as in torchvision/datasets/voc.py
    "voc": (
        Archive(
            "VOCtrainval_11-May-2012.tar",
            1_999_639_040,
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            _md5("6cd6e144f989b92b3379bac3b3de84fd"),
        ),
    ),
    # mmseg 1.2, docs/en/user_guides/2_dataset_prepare.md: on Google Drive, without a checksum
    "nyu": (Archive("nyu.zip", 4_000_000_000),),
    # md5 of A, R and C as in torch_uncertainty/datasets/classification/imagenet.py
    "imagenet-a": (
        Archive(
            "imagenet-a.tar",
            690_000_000,
            f"{_HENDRYCKS}/imagenet-a.tar",
            _md5("c3e55429088dc681f30d81f4726b6595"),
        ),
    ),
    "imagenet-r": (
        Archive(
            "imagenet-r.tar",
            2_200_000_000,
            f"{_HENDRYCKS}/imagenet-r.tar",
            _md5("a61312130a589d0ca1a8fca1f2bd3337"),
        ),
    ),
    # https://github.com/modestyachts/ImageNetV2 and HaohanWang/ImageNet-Sketch state no checksums
    "imagenet-v2": (
        Archive(
            "imagenetv2-matched-frequency.tar.gz",
            1_260_000_000,
            f"{_HUB}/vaishaal/ImageNetV2/resolve/main/imagenetv2-matched-frequency.tar.gz",
        ),
    ),
    "imagenet-sketch": (
        Archive(
            "ImageNet-Sketch.zip",
            7_600_000_000,
            f"{_HUB}/songweig/imagenet_sketch/resolve/main/data/ImageNet-Sketch.zip",
        ),
    ),
    # https://zenodo.org/records/2235448
    "imagenet-c": tuple(
        Archive(f"{name}.tar", size, f"{_ZENODO}/{name}.tar", _md5(digest))
        for name, size, digest in (
            ("noise", 22_565_673_785, "e80562d7f6c3f8834afb1ecf27252745"),
            ("blur", 7_112_704_951, "2d8e81fdd8e07fef67b9334fa635e45c"),
            ("weather", 12_797_438_995, "33ffea4db4d93fe4a428c40a6ce0c25d"),
            ("digital", 7_757_510_705, "89157860d7b10d5797849337ca2e5c03"),
        )
    ),
}


def archives_of(dataset: str) -> dict[str, Archive]:
    """Archives of ``dataset`` by name."""
    return {archive.name: archive for archive in ARCHIVES[dataset]}


def licence_needed(dataset: str, lacking: Archive) -> BenchError:
    """Error for an archive that users must download themselves."""
    names = " ".join(archive.name for archive in ARCHIVES[dataset])
    return BenchError(
        f"{dataset} needs {lacking.name}, which has no public address: "
        f"{LAYOUTS[dataset].origin}, then run `{LAYOUTS[dataset].prepare}` with the folder that "
        f"holds {', '.join(LAYOUTS[dataset].needed)}, or with the archives ({names})"
    )


def gather(
    dataset: str, sources: list[str], downloads: Path, say: Callable[[str], None]
) -> dict[str, Path]:
    """Check the archives of ``dataset``; returns their paths by official name.

    Args:
        dataset: A key of ``ARCHIVES``.
        sources: Paths and ``file://``, ``http://``, ``https://`` addresses. The last part is the
            archive's official name. A trailing ``#sha256=...``, ``#md5=...`` or ``#sha1=...``
            replaces the published checksum.
        downloads: Folder for downloads.
        say: Called with a line of text for each download that is kept.

    Raises:
        BenchError: If an archive is unknown or missing, or its checksum differs.
    """
    given = dict(_named(dataset, source) for source in sources)
    for archive in ARCHIVES[dataset]:
        if archive.name not in given and archive.url is None:
            raise licence_needed(dataset, archive)
    found = {}
    for archive in ARCHIVES[dataset]:
        url, stated = _split(given.get(archive.name, archive.url or ""))
        checksum = stated or archive.checksum
        path = _local(url)
        if path is None:
            path = _download(url, downloads / archive.name, archive, checksum)
            say(f"{path} is kept; you may remove it after --verify")
        else:
            check_local(path, checksum)
        found[archive.name] = path
    return found


def gather_folder(dataset: str, folder: Path) -> dict[str, Path]:
    """Paths of all archives of ``dataset`` in ``folder``, checked; empty if one is not there.

    Raises:
        BenchError: If the checksum of one differs.
    """
    archives = ARCHIVES[dataset]
    if not all((folder / archive.name).is_file() for archive in archives):
        return {}
    for archive in archives:
        check_local(folder / archive.name, archive.checksum)
    return {archive.name: folder / archive.name for archive in archives}


def check_local(path: Path, checksum: Checksum | None) -> None:
    """Compare a given file with the checksum.

    Raises:
        BenchError: If the file is missing or its checksum differs.
    """
    if not path.is_file():
        raise BenchError(f"--source {without_secrets(str(path))} is not a file; check the path")
    if checksum is None:
        return
    with progress_bar(f"checking {path.name}", path.stat().st_size, data=True) as advance:
        found = mismatch(path, checksum, advance)
    if found:
        raise BenchError(
            f"{path} has {checksum.algorithm} {found}, expected {checksum.digest}; download "
            f"it again, or, if you trust this file, give {path}#{checksum.algorithm}={found}"
        )


def _named(dataset: str, source: str) -> tuple[str, str]:
    """Official name of the archive ``source``, by the last part of its path, and ``source``."""
    address, _ = _split(source)
    try:
        path = unquote(urlsplit(address).path) if "://" in address else address
    except ValueError as error:
        raise BenchError(
            f"--source {without_secrets(source)} is not an address ({error}); check it"
        ) from error
    name = path.rpartition("/")[2]
    known = archives_of(dataset)
    if name not in known:
        raise BenchError(
            f"--source {without_secrets(source)} is not an archive of {dataset}; expected "
            f"{' or '.join(known)}, or the folder of a copy"
        )
    return name, source


def _split(source: str) -> tuple[str, Checksum | None]:
    """Address, and the checksum after its last ``#``."""
    address, mark, stated = source.rpartition("#")
    if mark and stated.partition("=")[0].lower() in ALGORITHMS:
        return address, parse_checksum(stated)
    return source, None


def _local(url: str) -> Path | None:
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None


def _download(url: str, target: Path, archive: Archive, checksum: Checksum | None) -> Path:
    with progress_bar(f"downloading {archive.name}", archive.size, data=True) as advance:
        return download(url, target, checksum=checksum, advance=advance)
