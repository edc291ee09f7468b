"""Pipeline step that adds a random mask to a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from simmim_bench.data.transforms import PerSampleTransform
from simmim_bench.masking.base import Ratio
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GenerateMask(PerSampleTransform):
    """Write ``results['mask']``: Bool, (H / token_size, W / token_size); True = masked.

    Stands after the last step that changes the image size, before ``PackInputs``. A mask
    depends on (seed, epoch, sample index) alone: it is the same for any number of workers
    and after a resumed run, and differs from epoch to epoch once ``set_epoch`` is called.

    Of several views of an image (``MultiView``) each has a mask of its own: (views, rows, columns).

    Required keys: ``img`` ((H, W, C) array, or a list of such) and ``sample_idx``, which mmengine
    datasets set; ``semantic`` also needs ``gt_seg_map`` ((H, W) array). ``results['words']``,
    Long (3,), are seed, epoch and index, for algorithms that choose masks themselves.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, 0 < ratio < 1, or (low, high) for a share of its
            own per sample; rounded up to whole patches.
        token_size: Side of a model token in pixels.
        seed: First word of every sample's random seed.
        strategy: ``random``, ``blockwise``, ``square``, ``grid``, ``stripes``,
            ``hierarchical``, ``edge`` or ``semantic``.
        schedule: ``start`` and ``epochs`` of a ``RatioSchedule`` that ends at ``mask_ratio``,
            one number then.
        options: What else the strategy takes, such as ``min_block``.

    Raises:
        ValueError: If there is no such strategy, it refuses the values, or ``seed`` is
            negative.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        seed: int = 0,
        strategy: str = "random",
        schedule: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed)
        self.strategy = build_strategy(
            strategy,
            mask_patch_size=mask_patch_size,
            mask_ratio=mask_ratio,
            token_size=token_size,
            **options,
        )
        self.schedule = scheduled(mask_ratio, schedule)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the mask of this sample, or of each of its views.

        Raises:
            ValueError: If the mask patch does not divide the image, or a key is missing.
        """
        image, words = results["img"], self.words(results)
        if isinstance(image, list):
            views = [{**results, "img": view} for view in image]
            masks = [self._draw(view, words, [number]) for number, view in enumerate(views)]
            results["mask"] = torch.stack(masks)
        else:
            results["mask"] = self._draw(results, words)
        results["words"] = torch.tensor(words)
        return results

    def _draw(
        self, results: dict[str, Any], words: list[int], view: Sequence[int] = ()
    ) -> torch.Tensor:
        """Mask of one image; ``view`` is its number among several views."""
        strategy = self.strategy
        if self.schedule is not None:
            strategy = strategy.with_ratio(self.schedule.at(words[1]))
        rng = np.random.default_rng([*words, *view])
        numbers = torch.from_numpy(strategy.numbers(results, rng))
        return strategy.masks(results["img"].shape[:2], numbers.unsqueeze(0))[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strategy!r}, seed={self.seed})"


def scheduled(mask_ratio: Ratio, schedule: dict[str, Any] | None) -> RatioSchedule | None:
    """Schedule that ends at ``mask_ratio``; None for none.

    Raises:
        ValueError: If the ratio is a range, or the schedule is refused.
    """
    if schedule is None:
        return None
    if not isinstance(mask_ratio, int | float):
        raise ValueError(
            f"mask ratio {tuple(mask_ratio)} is a range, and a schedule ends at one number; give "
            "one of the two"
        )
    try:
        return RatioSchedule(end=mask_ratio, **schedule)
    except TypeError as error:
        raise ValueError(f"schedule of the mask ratio: {error}") from error


# A mask ratio that changes over a training, from easy to hard. Not in the SimMIM paper.
#
# Hard Patches Mining (https://arxiv.org/abs/2304.05919, section 3.3) goes from easy to hard by the
# share of patches that a score chooses; here the number of hidden patches grows.


@dataclass(frozen=True, kw_only=True)
class RatioSchedule:
    """Ratio by the epoch alone, so that it is the same in every worker and after a resumed run.

    Args:
        start: Mask ratio of the first epoch, 0 < start < 1.
        end: Mask ratio from epoch ``epochs`` (from 0) on; lines in between.
        epochs: Epochs of the change, at least 1.

    Raises:
        ValueError: If a ratio is outside (0, 1) or there is no epoch.
    """

    start: float
    end: float
    epochs: int

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            if not 0 < value < 1:
                raise ValueError(
                    f"mask ratio {value} of a schedule is not between 0 and 1 (exclusive)"
                )
        if self.epochs < 1:
            raise ValueError(f"a schedule of {self.epochs} epochs changes nothing; use 1 or more")

    def at(self, epoch: int) -> float:
        """Ratio of an epoch (from 0)."""
        share = min(epoch / self.epochs, 1.0)
        return (1 - share) * self.start + share * self.end
