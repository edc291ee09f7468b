"""Decoders from features to the prediction target, one a file."""

from __future__ import annotations

from simmim_bench.models.decoders.inverse_swin import InverseSwinDecoder
from simmim_bench.models.decoders.light_transformer import LightTransformerDecoder
from simmim_bench.models.decoders.simple import (
    ConvDecoder,
    Decoder,
    LinearDecoder,
    MLPDecoder,
    TransposedConvDecoder,
)
from simmim_bench.models.decoders.unet import UNetDecoder

__all__ = [
    "ConvDecoder",
    "Decoder",
    "InverseSwinDecoder",
    "LightTransformerDecoder",
    "LinearDecoder",
    "MLPDecoder",
    "TransposedConvDecoder",
    "UNetDecoder",
]
