"""What pretrained models paint, small, kept beside the records of their fine-tunings."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from simmim_bench.io import atomic_path
from simmim_bench.records.manifest import FILE_NAME, SUPERSEDED, Manifest

WIDEST = 560  # pixels
KEY = 16  # hex digits of the weights' hash that name a picture


def last_reconstruction(folder: Path) -> Path | None:
    """The picture that a pretraining's last epoch left in its folder."""
    numbered = {
        int(path.stem.removeprefix("epoch_")): path
        for path in (folder / "reconstructions").glob("epoch_*.png")
    }
    return numbered[max(numbered)] if numbered else None


def keep_pictures(work_dir: Path, pictures: Path) -> None:
    """Copy the last reconstruction of every exported pretraining below ``work_dir``.

    Args:
        work_dir: Work dir of a suite.
        pictures: Folder that receives ``<hash of the weights>.jpg``; one that is there stays.
    """
    manifests = {
        path.parent: Manifest.read(path)
        for path in sorted(work_dir.rglob(FILE_NAME))
        if SUPERSEDED not in path.relative_to(work_dir).parts
    }
    painters = {
        output.sha256: folder
        for folder, manifest in manifests.items()
        if manifest.stage == "pretrain"
        for output in manifest.outputs.values()
    }
    for manifest in manifests.values():
        if manifest.stage != "export":
            continue
        for weights in manifest.outputs.values():
            for source in manifest.inputs.values():
                _keep(painters.get(source.sha256), pictures / f"{weights.sha256[:KEY]}.jpg")


def _keep(painter: Path | None, target: Path) -> None:
    picture = last_reconstruction(painter) if painter else None
    if picture is None or target.exists():
        return
    with atomic_path(target) as temporary:
        temporary.write_bytes(as_jpeg(picture, widest=WIDEST))


def as_jpeg(picture: Path, *, widest: int) -> bytes:
    """A picture as JPEG, made smaller where it is wider than ``widest`` pixels."""
    from PIL import Image

    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((widest, 4 * widest))
        stream = io.BytesIO()
        small.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def as_address(jpeg: bytes) -> str:
    """A JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
