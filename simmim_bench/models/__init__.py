"""Algorithms: put backbone, masking, decoder and loss together."""

from __future__ import annotations

from simmim_bench.models.adaptive_simmim import (
    AdaptiveSimMIM,
    ReconstructionErrorScore,
    TeacherAttentionScore,
)
from simmim_bench.models.multi_view import MultiViewContrast, MultiViewSimMIM
from simmim_bench.models.pixel_simmim import PixelSimMIM
from simmim_bench.models.similarity_simmim import SimilaritySimMIM
from simmim_bench.models.simmim import SimMIM
from simmim_bench.models.sparse_simmim import SparseSimMIM
from simmim_bench.models.tokenizers import ColourTokenizer, DallETokenizer

__all__ = [
    "AdaptiveSimMIM",
    "ColourTokenizer",
    "DallETokenizer",
    "MultiViewContrast",
    "MultiViewSimMIM",
    "PixelSimMIM",
    "ReconstructionErrorScore",
    "SimMIM",
    "SimilaritySimMIM",
    "SparseSimMIM",
    "TeacherAttentionScore",
]
