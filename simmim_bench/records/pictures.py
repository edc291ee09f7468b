"""Small reconstructions by pretrained models, kept next to the records of their fine-tunings."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path
from simmim_bench.records.collect import read_manifests

MAX_WIDTH = 560  # pixels
HASH_DIGITS = 16
"""Hex digits of the weights' hash in the name of a picture."""


def last_reconstruction(folder: Path) -> Path | None:
    """Picture that the last epoch of a pretraining wrote into its folder, or None."""
    numbered = {
        int(number): path
        for path in (folder / "reconstructions").glob("epoch_*.png")
        if (number := path.stem.removeprefix("epoch_")).isdecimal()
    }
    return numbered[max(numbered)] if numbered else None


def keep_pictures(work_dir: Path, pictures: Path) -> list[str]:
    """Copy the last reconstruction of every exported pretraining below ``work_dir``.

    Args:
        work_dir: Work dir of a suite.
        pictures: Folder for ``<hash of the weights>.jpg``; existing files are kept.

    Returns:
        A sentence for each picture that cannot be read.
    """
    lost = []
    manifests = read_manifests(work_dir)
    pretrainings = {
        output.sha256: path.parent
        for path, manifest in manifests.items()
        if manifest.stage == "pretrain"
        for output in manifest.outputs.values()
    }
    for manifest in manifests.values():
        if manifest.stage != "export":
            continue
        for weights in manifest.outputs.values():
            for source in manifest.inputs.values():
                folder = pretrainings.get(source.sha256)
                try:
                    _keep(folder, pictures / f"{weights.sha256[:HASH_DIGITS]}.jpg")
                except BenchError as error:
                    lost.append(f"{error}; the leaderboard is built without it")
    return lost


def _keep(pretraining: Path | None, target: Path) -> None:
    picture = last_reconstruction(pretraining) if pretraining else None
    if picture is None or target.exists():
        return
    jpeg = as_jpeg(picture, max_width=MAX_WIDTH)
    with atomic_path(target) as temporary:
        temporary.write_bytes(jpeg)


def as_jpeg(picture: Path, *, max_width: int) -> bytes:
    """A picture as JPEG, scaled down if it is wider than ``max_width`` pixels.

    Raises:
        BenchError: If the file is not a picture or is damaged.
    """
    from PIL import Image

    try:
        with Image.open(picture) as image:
            small = image.convert("RGB")
            small.thumbnail((max_width, 4 * max_width))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BenchError(f"picture {picture} cannot be read ({error})") from error
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def as_data_url(jpeg: bytes) -> str:
    """A JPEG as a data URL, for a page of one file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
