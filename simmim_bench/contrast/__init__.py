"""Contrast between views of an image: pooling, projection, momentum teacher, loss."""

from simmim_bench.contrast.attention_pool import AttentionPool
from simmim_bench.contrast.view_contrast import ViewContrast
from simmim_bench.contrast.views import masks_of_views, stack_views

__all__ = ["AttentionPool", "ViewContrast", "masks_of_views", "stack_views"]
