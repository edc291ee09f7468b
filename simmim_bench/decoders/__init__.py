"""Decoders from features to the prediction target, one a file."""

from simmim_bench.decoders.linear import LinearDecoder

__all__ = ["LinearDecoder"]
