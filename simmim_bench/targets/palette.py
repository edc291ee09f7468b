"""Palettes: k-means centres of an image collection's colours, in a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmim_bench.data.prepare.commands.check import image_files
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.models.frozen import require_file
from simmim_bench.progress import progress_bar

FORMAT = "simmim_bench palette"
FIT = "python tools/fit_colour_clusters.py IMAGES --out FILE"
PIXELS_PER_IMAGE = 256
MAX_IMAGES = 10_000  # 2.5 million pixels, 5000 for each of 512 clusters
BATCH = 4096


def fit_palette(folder: Path, out: Path, *, clusters: int, seed: int) -> int:
    """Cluster pixels drawn from a folder's images and write their centres.

    Args:
        folder: Holds images, anywhere below.
        out: File to write.
        clusters: Number of centres; 512 in iGPT.
        seed: Of the drawn images, pixels and first centres.

    Returns:
        Number of images that were read.

    Raises:
        BenchError: If there is no image, one cannot be read, or they have fewer colours than
            ``clusters``.
    """
    if clusters < 2:
        raise BenchError(f"{clusters} clusters are too few; use 2 or more, iGPT uses 512")
    generator = np.random.default_rng(seed)
    files = chosen_images(folder, generator)
    with progress_bar("reading", len(files)) as advance:
        pixels = np.concatenate([_draw(file, generator, advance) for file in files])
    colours = len(np.unique(pixels, axis=0))
    if colours < clusters:
        raise BenchError(
            f"{folder} gave {colours} different colours for {clusters} clusters; use more images "
            f"or fewer --clusters"
        )
    centres = _cluster(pixels.astype(np.float32), clusters, seed)
    atomic_write_json(
        out,
        {
            "format": FORMAT,
            "seed": seed,
            "images": len(files),
            "centres": [[round(float(value), 4) for value in centre] for centre in centres],
        },
    )
    return len(files)


def chosen_images(folder: Path, generator: np.random.Generator) -> list[Path]:
    """At most ``MAX_IMAGES`` images below ``folder``, sorted.

    Raises:
        BenchError: If there are none.
    """
    files = image_files(folder)
    if not files:
        what = "has no images" if folder.is_dir() else "does not exist"
        raise BenchError(f"{folder} {what}; give a folder with images in it or below")
    if len(files) <= MAX_IMAGES:
        return files
    chosen = generator.choice(len(files), MAX_IMAGES, replace=False)
    return [files[index] for index in sorted(chosen)]


def read_palette(path: str) -> list[list[float]]:
    """Centres of a palette file: k times [R, G, B], 0 to 255.

    Raises:
        BenchError: If the file is missing, or no palette.
    """
    file = Path(path)
    require_file(file, "palette", f"write one with `{FIT}`")
    try:
        content = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise BenchError(f"palette {file} is no JSON ({error}); write it with `{FIT}`") from error
    centres = content.get("centres") if isinstance(content, dict) else None
    if not (isinstance(centres, list) and len(centres) > 1 and all(map(_is_colour, centres))):
        raise BenchError(f"{file} holds no list of RGB centres; write it with `{FIT}`")
    return centres


def _is_colour(centre: object) -> bool:
    return (
        isinstance(centre, list)
        and len(centre) == 3
        and all(isinstance(value, int | float) and math.isfinite(value) for value in centre)
    )


def _draw(
    file: Path, generator: np.random.Generator, advance: Callable[[int], None]
) -> NDArray[np.uint8]:
    """``PIXELS_PER_IMAGE`` pixels of an image, (n, 3) RGB."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BenchError(f"image {file} cannot be read ({error}); restore or remove it") from error
    advance(1)
    return pixels[generator.integers(len(pixels), size=PIXELS_PER_IMAGE)]


def _cluster(pixels: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.float32]:
    """Centres, darkest first."""
    from sklearn.cluster import MiniBatchKMeans

    fitted = MiniBatchKMeans(
        clusters, batch_size=BATCH, n_init=1, random_state=seed, compute_labels=False
    ).fit(pixels)
    centres = fitted.cluster_centers_
    return centres[np.argsort(centres.sum(axis=1), kind="stable")]
