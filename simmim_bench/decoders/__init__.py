"""Decoders from features to the prediction target, one a file."""

from simmim_bench.decoders.base import Decoder
from simmim_bench.decoders.conv import ConvDecoder
from simmim_bench.decoders.inverse_swin import InverseSwinDecoder
from simmim_bench.decoders.light_transformer import LightTransformerDecoder
from simmim_bench.decoders.linear import LinearDecoder
from simmim_bench.decoders.mlp import MLPDecoder
from simmim_bench.decoders.transposed_conv import TransposedConvDecoder
from simmim_bench.decoders.unet import UNetDecoder

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
