"""Colours as classes: bins of each channel, or clusters of a palette.

SimMIM compares both (https://arxiv.org/abs/2111.09886, section 3.4); clusters are those of iGPT
(Chen et al., Generative Pretraining from Pixels, 2020). A palette is a JSON file with the k-means
centres of the colours of an image collection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.data.image_files import required_images
from simmim_bench.data.pixels import UnreadableImageError, read_pixels
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, parse_json
from simmim_bench.models.targets.base import Target
from simmim_bench.progress import progress_bar
from simmim_bench.registry import MODELS
from simmim_bench.weights.files import require_file

LEVELS = 256  # values of a channel
EXACT = "donot_use_mm_for_euclid_dist"
"""Distances without a product of matrices, which in TF32 finds other centres."""
CHUNK = 1 << 16  # pixels whose distances to all centres are computed at once: 128 MB for 512

FORMAT = "simmim_bench palette"
FIT = "simmim-bench data palette IMAGES --out FILE"
PIXELS_PER_IMAGE = 256
MAX_IMAGES = 10_000  # 2.5 million pixels, 5000 for each of 512 clusters
BATCH = 4096


@MODELS.register_module()
class ColourBins(Target):
    """Each channel as one of ``bins`` equal bins of 0 to 255; for cross-entropy.

    Args:
        bins: Classes of a channel; the paper compares 8 and 256.
        scale: See ``Target``; mean and std are required.

    Raises:
        ValueError: If there are fewer than 2 or more than 256 bins.
        BenchError: If mean and std are not given.
    """

    def __init__(self, *, bins: int, **scale: Any) -> None:
        super().__init__(**scale)
        if not 2 <= bins <= LEVELS:
            raise ValueError(f"bins must be in [2, {LEVELS}], got {bins}; SimMIM uses 8 and 256")
        self.require_scale()
        self.bins = bins
        self.out_channels = self.channels * bins

    def forward(self, images: Tensor) -> Tensor:
        """Bin of each channel, Long (B, channels, H, W)."""
        # a level is the interval [level - 0.5, level + 0.5), so rounding errors do not matter
        position = (self.to_pixels(images) + 0.5) * (self.bins / LEVELS)
        return position.floor().clamp(0, self.bins - 1).to(torch.int64)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Centre of the most likely bin of each channel."""
        chosen = prediction.unflatten(1, (self.channels, self.bins)).argmax(dim=2)
        return self.from_pixels((chosen + 0.5) * (LEVELS / self.bins) - 0.5)


@MODELS.register_module()
class ColourClusters(Target):
    """Each pixel as the nearest of k colours; for cross-entropy.

    The centres are in the state dict (``target.centres``), because they define the meaning of
    the decoder's channels.

    Args:
        palette: File of ``simmim-bench data palette``.
        scale: See ``Target``; mean and std are required.

    Raises:
        BenchError: If the file is missing or not a palette, or mean and std are not given.
    """

    centres: Tensor

    def __init__(self, *, palette: str, **scale: Any) -> None:
        super().__init__(**scale)
        self.require_scale()
        self.register_buffer("centres", torch.tensor(read_palette(palette), dtype=torch.float32))
        self.out_channels = len(self.centres)

    def forward(self, images: Tensor) -> Tensor:
        """Nearest centre by squared distance in RGB, Long (B, 1, H, W)."""
        pixels = self.to_pixels(images).movedim(1, -1)  # (B, H, W, 3)
        chunks = pixels.reshape(-1, pixels.shape[-1]).split(CHUNK)
        distances = (torch.cdist(chunk, self.centres, compute_mode=EXACT) for chunk in chunks)
        nearest = torch.cat([each.argmin(dim=1) for each in distances])
        return nearest.view(pixels.shape[:-1]).unsqueeze(1)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Colour of the most likely cluster."""
        colours = self.centres[prediction.argmax(dim=1)]  # (B, H, W, 3)
        return self.from_pixels(colours.movedim(-1, 1))


def fit_palette(folder: Path, out: Path, *, clusters: int, seed: int) -> int:
    """Cluster pixels drawn from the images of a folder and write the centres.

    Args:
        folder: Folder with images, at any depth.
        out: File to write.
        clusters: Number of centres; 512 in iGPT.
        seed: Seed of the choice of images, pixels and first centres.

    Returns:
        Number of images that were read.

    Raises:
        BenchError: If there is no image, an image cannot be read, or there are fewer colours than
            ``clusters``.
    """
    if clusters < 2:
        raise BenchError(f"clusters must be >= 2, got {clusters}; iGPT uses 512")
    generator = np.random.default_rng(seed)
    files = chosen_images(folder, generator)
    with progress_bar("reading", len(files)) as advance:
        pixels = np.concatenate([_draw(file, generator, advance) for file in files])
    colours = len(np.unique(pixels, axis=0))
    if colours < clusters:
        raise BenchError(
            f"the images of {folder} have {colours} different colours, which is fewer than "
            f"{clusters} clusters; use more images or fewer --clusters"
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
    files = required_images(folder)
    if len(files) <= MAX_IMAGES:
        return files
    chosen = generator.choice(len(files), MAX_IMAGES, replace=False)
    return [files[index] for index in sorted(chosen)]


def read_palette(path: str) -> list[list[float]]:
    """Centres of a palette file: k lists [R, G, B], 0 to 255.

    Raises:
        BenchError: If the file is missing or not a palette.
    """
    file = Path(path)
    require_file(file, "palette", f"write one with `{FIT}`")
    try:
        content = parse_json(file.read_bytes())
    except ValueError as error:
        raise BenchError(f"palette {file} is not JSON ({error}); write it with `{FIT}`") from error
    centres = content.get("centres") if isinstance(content, dict) else None
    if not (isinstance(centres, list) and len(centres) > 1 and all(map(_is_colour, centres))):
        raise BenchError(f"{file} has no list of RGB centres; write it with `{FIT}`")
    return centres


def _is_colour(centre: object) -> bool:
    return (
        isinstance(centre, list)
        and len(centre) == 3
        and all(isinstance(x, int | float) and x is not True and 0 <= x <= 255 for x in centre)
    )


def _draw(
    file: Path, generator: np.random.Generator, advance: Callable[[int], None]
) -> NDArray[np.uint8]:
    """``PIXELS_PER_IMAGE`` pixels of an image, (n, 3) RGB."""
    try:
        pixels = read_pixels(file).reshape(-1, 3)
    except UnreadableImageError as error:
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
