"""Free-form masks: brush strokes and blobs, as in inpainting. Not in the SimMIM paper.

Strokes are random walks with a round brush, as in free-form image inpainting with gated
convolution (https://arxiv.org/abs/1806.03589, section 3.5 and algorithm 1 of the supplement).
Theirs zigzag and cover any share of the image; ours turn by a limited angle and are trimmed or
grown to an exact share. Blobs are ellipses with a wavy outline.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of, first_patches
from simmim_bench.registry import MASKS

SEGMENTS = 8  # straight pieces of a stroke
STROKE = 5 + SEGMENTS  # random numbers: start, direction, width, length, turns
BLOB = 7  # random numbers: centre, size, aspect ratio, rotation, two phases of the outline
WAVES = 0.15  # amplitude of each of the two waves of a blob's outline, as a share of its radius
MIN_ASPECT = 0.4  # smallest ratio of a blob's axes

Range = tuple[float, float]


@MASKS.register_module("free_form")
class FreeFormMask(MaskStrategy):
    """Draw strokes and blobs one after another until the wanted number of patches is masked.

    A patch is masked when its centre is covered, so ``mask_patch_size`` is the resolution of the
    drawing: the token size for masks of tokens, 1 for masks of pixels. The count is exact. The
    last shape is trimmed: a stroke at its end, a blob from its outline inwards. If all shapes
    together cover too few patches, all of them grow evenly, like ink that spreads.

    Lengths are shares of the shorter side of the image, so they do not depend on the resolution.
    Each stroke and each blob draws its own values uniformly from the ranges.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a token of the model in pixels.
        strokes: Largest number of strokes.
        blobs: Largest number of blobs.
        width: Smallest and largest width of a stroke.
        length: Smallest and largest length of a stroke.
        angle: Largest turn of a stroke at each of its vertices, in degrees, 0 to 180.
        blob_size: Smallest and largest mean diameter of a blob.

    Raises:
        ValueError: As ``MaskStrategy``, or if there are no shapes, a number is negative, a range
            is not 0 < low <= high, or the angle is out of range.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        strokes: int = 24,
        blobs: int = 8,
        width: Range = (0.05, 0.15),
        length: Range = (0.3, 1.2),
        angle: float = 60.0,
        blob_size: Range = (0.1, 0.4),
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if strokes < 0 or blobs < 0 or strokes + blobs == 0:
            raise ValueError(
                f"strokes and blobs must be >= 0 and not both 0, got strokes={strokes}, "
                f"blobs={blobs}"
            )
        for name, (low, high) in (("width", width), ("length", length), ("blob_size", blob_size)):
            if not 0 < low <= high < math.inf:
                raise ValueError(
                    f"{name} must be a range (low, high) with 0 < low <= high, got {(low, high)}"
                )
        if not 0 <= angle <= 180:
            raise ValueError(f"angle must be in [0, 180] degrees, got {angle}")
        self.width, self.length, self.blob_size = width, length, blob_size
        self.angle = math.radians(angle)
        self.shapes = _interleaved(strokes, blobs)

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:  # noqa: ARG002
        """The numbers of each shape, in the order in which they are drawn."""
        return generator.random(sum(self.shapes))

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        """Rank all patches by the time at which they are covered; mask the first ones.

        Shape number s is drawn from time 2s to 2s + 1, so that no two shapes share a time. A patch
        outside all shapes is covered after them, in the order of its distance to the nearest one.
        """
        wanted = count_of(share, grid)
        rows, columns = grid
        side = min(grid)  # the unit of lengths
        y = (torch.arange(rows, device=noise.device).to(noise) + 0.5)[None, :, None] / side
        x = (torch.arange(columns, device=noise.device).to(noise) + 0.5)[None, None, :] / side
        extent = (rows / side, columns / side)
        time = noise.new_full((len(noise), rows, columns), math.inf)
        gap = time.clone()  # distance to the nearest shape
        for number, draw in enumerate(noise.split(self.shapes, dim=1)):
            shape = self._stroke if draw.shape[1] == STROKE else self._blob
            progress, outside = shape(draw[:, :, None, None], y, x, extent)
            time = torch.minimum(time, 2 * number + progress)
            gap = torch.minimum(gap, outside)
            if (time.isfinite().sum(dim=(1, 2)) >= wanted).all():
                break
        time = torch.where(time.isfinite(), time, 2 * len(self.shapes) + gap).flatten(1)
        return first_patches(time, wanted, grid)

    def _stroke(
        self, draw: Tensor, y: Tensor, x: Tensor, extent: tuple[float, float]
    ) -> tuple[Tensor, Tensor]:
        """One stroke per sample.

        Args:
            draw: Random numbers, (B, STROKE, 1, 1).
            y: Centres of the rows, (1, rows, 1).
            x: Centres of the columns, (1, 1, columns).
            extent: Height and width of the image in the same unit.

        Returns:
            Share of the stroke, 0 to 1, at which each patch is covered, infinite outside it; and
            distance to the stroke. Both are (B, rows, columns).
        """
        start_y, start_x, direction, width, length = draw[:, :5].split(1, dim=1)  # (B, 1, 1, 1)
        radius = _between(self.width, width) / 2
        heading = 2 * math.pi * direction + self.angle * (2 * draw[:, 5:] - 1).cumsum(dim=1)
        step = _between(self.length, length) / SEGMENTS
        vertex_y = _walk(start_y, step * heading.sin(), extent[0], radius)
        vertex_x = _walk(start_x, step * heading.cos(), extent[1], radius)
        down, across = vertex_y.diff(dim=1), vertex_x.diff(dim=1)  # (B, SEGMENTS, 1, 1)
        to_y, to_x = y - vertex_y[:, :-1], x - vertex_x[:, :-1]
        squared = (down**2 + across**2).clamp(min=1e-12)
        along = ((to_y * down + to_x * across) / squared).clamp(0, 1)
        gap = torch.hypot(to_y - along * down, to_x - along * across) - radius
        segment = torch.arange(SEGMENTS, device=draw.device)[:, None, None]
        progress = torch.where(gap <= 0, (segment + along) / SEGMENTS, math.inf)
        return progress.amin(dim=1), gap.amin(dim=1)

    def _blob(
        self, draw: Tensor, y: Tensor, x: Tensor, extent: tuple[float, float]
    ) -> tuple[Tensor, Tensor]:
        """One blob per sample; see ``_stroke``."""
        centre_y, centre_x, size, aspect, rotation, *phases = draw.unbind(1)  # (B, 1, 1) each
        radius = _between(self.blob_size, size) / 2
        down = y - centre_y * (extent[0] + 2 * radius) + radius
        across = x - centre_x * (extent[1] + 2 * radius) + radius
        stretch = _between((MIN_ASPECT, 1.0), aspect).sqrt()
        turned = math.pi * rotation
        first = (down * turned.sin() + across * turned.cos()) * stretch
        second = (down * turned.cos() - across * turned.sin()) / stretch
        bearing = torch.atan2(second, first)
        two, three = (2 * math.pi * phase for phase in phases)
        waves = (2 * bearing + two).cos() + (3 * bearing + three).cos()
        outline = radius * (1 + WAVES * waves)
        distance = torch.hypot(first, second)
        progress = torch.where(distance <= outline, distance / outline, math.inf)
        return progress, distance - outline


def _interleaved(strokes: int, blobs: int) -> list[int]:
    """Random numbers that each shape needs; the fewer shapes are spread evenly among the others."""
    places = [((i + 0.5) / strokes, STROKE) for i in range(strokes)]
    places += [((i + 0.5) / blobs, BLOB) for i in range(blobs)]
    return [numbers for _, numbers in sorted(places)]


def _between(limits: Range, draw: Tensor) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * draw


def _walk(start: Tensor, steps: Tensor, extent: float, margin: Tensor) -> Tensor:
    """One coordinate of the vertices of a walk from -margin to extent + margin.

    The ends act as mirrors. With the radius of the brush as the margin, patches at the border are
    covered about as often as others.
    """
    side = extent + 2 * margin
    folded = torch.cat([start * side, steps], dim=1).cumsum(dim=1).remainder(2 * side)
    return torch.minimum(folded, 2 * side - folded) - margin
