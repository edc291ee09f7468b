"""Parts of this project; importing it registers them with simmim_bench."""

from my_method import backbone, mask, method

__all__ = ["backbone", "mask", "method"]
