"""Pipeline transforms that are no masks; a registry location."""

from simmim_bench.transforms.load_image import LoadImage

__all__ = ["LoadImage"]
