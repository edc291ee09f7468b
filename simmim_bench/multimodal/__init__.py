"""Images with text: a pretrained image backbone beside a small text transformer."""

from simmim_bench.multimodal.aligner import ImageTextAligner
from simmim_bench.multimodal.answerer import QuestionAnswerer
from simmim_bench.multimodal.fusion import ConcatenationFusion, CrossAttentionFusion
from simmim_bench.multimodal.text_encoder import ByteTextEncoder

__all__ = [
    "ByteTextEncoder",
    "ConcatenationFusion",
    "CrossAttentionFusion",
    "ImageTextAligner",
    "QuestionAnswerer",
]
