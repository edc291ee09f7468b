"""Algorithms: put backbone, masking, decoder and loss together."""

from simmim_bench.algorithms.adaptive_simmim import AdaptiveSimMIM
from simmim_bench.algorithms.colour_tokenizer import ColourTokenizer
from simmim_bench.algorithms.dalle import DallETokenizer
from simmim_bench.algorithms.multi_view import MultiViewContrast, MultiViewSimMIM
from simmim_bench.algorithms.pixel_simmim import PixelSimMIM
from simmim_bench.algorithms.scores import ReconstructionErrorScore, TeacherAttentionScore
from simmim_bench.algorithms.similarity_simmim import SimilaritySimMIM
from simmim_bench.algorithms.simmim import SimMIM
from simmim_bench.algorithms.sparse_simmim import SparseSimMIM

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
