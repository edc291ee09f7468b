"""What every masking strategy promises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_bench.masking.base import MaskStrategy, draw_batch
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.registry import TRANSFORMS

SIZE = (64, 96)
PATCH, TOKEN, RATIO = 16, 4, 0.6
RANGE = (0.3, 0.7)
RATIOS = (0.05, 0.31, 0.6, 0.95)


class MaskContract:
    """Tests of a masking strategy that does not read the image (``reads`` is empty).

    Attributes:
        strategy: Name under which it is registered.
        options: Further arguments of it.
        is_exact: Whether each mask has exactly ceil(ratio x patches) patches.
    """

    strategy: str
    options: dict[str, Any] = {}
    is_exact = True

    def build(self, ratio: float | tuple[float, float] = RATIO) -> MaskStrategy:
        """The strategy with patches of 16 pixels and tokens of 4."""
        sizes: dict[str, Any] = {"mask_patch_size": PATCH, "token_size": TOKEN}
        return build_strategy(self.strategy, mask_ratio=ratio, **sizes, **self.options)

    def test_masks_are_whole_patches_on_the_grid_of_tokens(self) -> None:
        """A mask is bool, one entry a token, and splits no mask patch."""
        mask = torch.from_numpy(self.build()(SIZE, np.random.default_rng(0)))
        assert mask.dtype == torch.bool, f"a mask is bool, got {mask.dtype}"
        assert tuple(mask.shape) == (SIZE[0] // TOKEN, SIZE[1] // TOKEN)
        split = mask.unflatten(1, (-1, PATCH // TOKEN)).unflatten(0, (-1, PATCH // TOKEN))
        same = torch.equal(split.any(3).any(1), split.all(3).all(1))
        assert same, "a mask patch is masked in part"

    def test_a_batch_is_its_samples(self) -> None:
        """Masks do not depend on the other samples of a batch."""
        keys = [(0, 0, index) for index in range(4)]
        together = draw_batch(self.build(), SIZE, keys)
        for key, mask in zip(keys, together, strict=True):
            alone = self.build()(SIZE, np.random.default_rng(list(key)))
            assert torch.equal(torch.from_numpy(alone), mask), f"mask {key} depends on the batch"

    def test_masks_are_made_where_their_numbers_are(self) -> None:
        """As on a GPU: no tensor is made on the default device."""
        for ratio in (RATIO, RANGE):
            strategy = self.build(ratio)
            rows = [strategy.noise(SIZE, np.random.default_rng(seed)) for seed in range(3)]
            noise = torch.from_numpy(np.stack(rows))
            expected = strategy.masks(SIZE, noise)
            with torch.device("meta"):
                masks = strategy.masks(SIZE, noise)
            assert torch.equal(masks, expected)

    def test_the_count_is_that_of_the_ratio(self) -> None:
        """ceil(ratio x patches) where ``is_exact``, else not far from it."""
        patches = SIZE[0] * SIZE[1] // PATCH**2
        for ratio in RATIOS:
            masks = draw_batch(self.build(ratio), SIZE, [(0, 0, n) for n in range(8)])
            counts = (masks.sum(dim=(1, 2)) // (PATCH // TOKEN) ** 2).tolist()
            wanted = math.ceil(ratio * patches)
            if self.is_exact:
                assert set(counts) == {wanted}, f"ratio {ratio}: {counts} patches, not {wanted}"
            assert all(abs(count - wanted) < patches / 4 for count in counts), f"{ratio}: {counts}"

    def test_the_generator_alone_decides(self) -> None:
        """The same generator gives the same mask, another one another mask."""
        strategy = self.build()
        first, again, other = (self._draw(strategy, seed) for seed in (1, 1, 2))
        assert torch.equal(first, again), "the same generator gives another mask"
        drawn = [self._draw(strategy, seed) for seed in range(8)]
        moves = any(not torch.equal(first, each) for each in (other, *drawn))
        assert moves or not strategy.noise(SIZE, np.random.default_rng(0)).size, "it never changes"

    def test_each_sample_draws_its_own_ratio_from_a_range(self) -> None:
        """A pair (low, high) as ratio."""
        masks = draw_batch(self.build(RANGE), SIZE, [(0, 0, index) for index in range(16)])
        counts = set(masks.sum(dim=(1, 2)).tolist())
        assert len(counts) > 1, "all samples have the same ratio"

    def test_it_is_a_step_of_a_pipeline(self) -> None:
        """``GenerateMask`` finds it by its name; epochs and samples have masks of their own."""
        step = TRANSFORMS.build(
            {
                "type": "simmim_bench.GenerateMask",
                "strategy": self.strategy,
                "mask_patch_size": PATCH,
                "mask_ratio": RATIO,
                "token_size": TOKEN,
                **self.options,
            }
        )
        sample = {"img": np.zeros((*SIZE, 3), np.uint8), "sample_idx": 3}
        mask = step(dict(sample))["mask"]
        assert torch.equal(mask, step(dict(sample))["mask"]), "a sample's mask changes by itself"
        assert tuple(mask.shape) == (SIZE[0] // TOKEN, SIZE[1] // TOKEN)

    @staticmethod
    def _draw(strategy: MaskStrategy, seed: int) -> Tensor:
        return torch.from_numpy(strategy(SIZE, np.random.default_rng(seed)))
