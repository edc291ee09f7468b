"""``GenerateMask``, the pipeline step that adds a random mask to a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from simmim_bench.data.transforms import PerSampleTransform, words_of
from simmim_bench.masking.base import Ratio, ratio_schedule
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GenerateMask(PerSampleTransform):
    """Write ``results['mask']``: Bool, (H / token_size, W / token_size); True = masked.

    It comes after the last step that changes the image size and before ``PackInputs``. A mask
    depends on (seed, epoch, sample index) only: it is the same for any number of workers and
    after a resumed run. It changes from epoch to epoch once ``set_epoch`` is called.

    If a sample has several views of an image (``MultiView``), each view gets its own mask, and
    the shape is (views, rows, columns).

    Required keys: ``img`` ((H, W, C) array, or a list of such) and ``sample_idx``, which mmengine
    datasets set; ``semantic`` also needs ``gt_seg_map`` ((H, W) array). ``results['seed_key']``,
    Long (3,), holds seed, epoch and index, for models that make masks themselves.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, 0 < ratio < 1, or (low, high): each sample draws
            its own share. The number of patches is rounded up.
        token_size: Side of a token of the model in pixels.
        seed: First number of the seed key of every sample.
        strategy: Name of a registered strategy, see docs/masking.md.
        schedule: ``start`` and ``epochs`` of a ``RatioSchedule`` that ends at ``mask_ratio``,
            which must then be one number.
        options: Further arguments of the strategy, such as ``min_block``.

    Raises:
        ValueError: If the strategy is unknown, an argument is not valid, or ``seed`` is negative.
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
        self.schedule = ratio_schedule(mask_ratio, schedule)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the mask of this sample, or of each of its views.

        Raises:
            ValueError: If the image size is not a multiple of the mask patch size, or a key is
                missing.
        """
        image, seed_key = results["img"], self.seed_key(results)
        if isinstance(image, list):
            views = [{**results, "img": view} for view in image]
            masks = [self._draw(view, seed_key, [number]) for number, view in enumerate(views)]
            results["mask"] = torch.stack(masks)
        else:
            results["mask"] = self._draw(results, seed_key)
        results["seed_key"] = torch.from_numpy(np.array(seed_key))
        return results

    def _draw(
        self, results: dict[str, Any], seed_key: list[int], view: Sequence[int] = ()
    ) -> torch.Tensor:
        """Mask of one image; ``view`` holds its number if it is one of several views."""
        strategy = self.strategy
        if self.schedule is not None:
            strategy = strategy.with_ratio(self.schedule.at(seed_key[1]))
        rng = np.random.default_rng(words_of([*seed_key, *view]))
        return strategy.mask(results["img"].shape[:2], strategy.numbers(results, rng))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.strategy!r}, seed={self.seed})"
