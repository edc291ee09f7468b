"""Pipeline transforms that are no masks; a registry location."""

from simmim_bench.transforms.load_image import LoadImage
from simmim_bench.transforms.per_sample import SeedSample
from simmim_bench.transforms.pick_caption import PickCaption

__all__ = ["LoadImage", "PickCaption", "SeedSample"]
