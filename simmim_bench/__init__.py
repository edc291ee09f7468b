"""Downstream benchmark suite for SimMIM (https://arxiv.org/abs/2111.09886)."""

__version__ = "0.1.0"
