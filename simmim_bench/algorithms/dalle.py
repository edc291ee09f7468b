"""Visual tokens of DALL-E's encoder, which BEiT predicts (https://arxiv.org/abs/2106.08254)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmpretrain.models.selfsup.cae import DALLEEncoder

from simmim_bench.registry import MODELS
from simmim_bench.targets.missing import require_file
from simmim_bench.targets.teacher_model import teacher_weights

SOURCE = "https://mmassets.onedl.ai/mmselfsup/1.x/target_generator_ckpt/dalle_encoder.pth"


@MODELS.register_module()
class DallETokenizer(DALLEEncoder):
    """mmpretrain's ``DALL-E`` encoder with its published weights, every key or not at all.

    Args:
        checkpoint: The weights; they are read by ``init_weights``.
        kwargs: See ``DALLEEncoder``.
    """

    def __init__(self, *, checkpoint: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checkpoint = Path(checkpoint)

    def init_weights(self) -> None:
        """Read the weights.

        Raises:
            BenchError: If the file is missing, damaged, or does not hold exactly these weights.
        """
        require_file(
            self.checkpoint,
            "DALL-E tokenizer",
            f"download {SOURCE}, and give its path by "
            "--cfg-options model.target_generator.checkpoint=FILE",
        )
        teacher_weights(self.checkpoint).load_into(self)
