"""Sparse SimMIM: the encoder sees only visible tokens, the decoder also mask tokens.

The encoders are those of MAE (https://arxiv.org/abs/2111.06377) and GreenMIM
(https://arxiv.org/abs/2205.13515), target and loss those of SimMIM
(https://arxiv.org/abs/2111.09886).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from simmim_bench.backbones.sparse.visible_only import check_sparse, visible_only
from simmim_bench.models.simmim import SimMIM
from simmim_bench.registry import MODELS


@MODELS.register_module()
class SparseSimMIM(SimMIM):
    """SimMIM whose mask token is put into the last feature map instead of the first tokens.

    The decoder must pass information from visible to masked positions, such as
    ``LightTransformerDecoder``.

    Args:
        one_mask_per_batch: In training all images of a batch use the mask of the first one, as in
            GreenMIM, so that the windows of a Swin are grouped only once.
        kwargs: See ``SimMIM``.

    Raises:
        BenchError: If the backbone cannot encode visible tokens only.
    """

    def __init__(self, *, one_mask_per_batch: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sparse(self.backbone)
        self.one_mask_per_batch = one_mask_per_batch
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.adapter.feature_spec.channels[-1]))

    def masked(self, mask: Tensor) -> AbstractContextManager[None]:
        """See ``SimMIM.masked``; masked positions of the last map are the mask token.

        Raises:
            ValueError: If a whole image is masked, or the mask does not fit backbone and images.
        """
        return visible_only(self.backbone, mask, self.mask_token)

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        mask = super()._token_mask(images, data_samples)
        return mask[:1].expand_as(mask) if self.one_mask_per_batch and self.training else mask
