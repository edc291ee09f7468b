"""Sizes of the full models against the figures of the original repository's README."""

import pytest

from simmim_bench.registry import MODELS

SWIN_B = {"type": "mmpretrain.SwinTransformer", "arch": "base"}


def millions(module):
    return round(sum(value.numel() for value in module.parameters()) / 1e6, 2)


def test_simmim_swin_b():
    model = MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": {**SWIN_B, "img_size": 192, "window_size": 6},
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )
    assert millions(model) == 89.87


@pytest.mark.parametrize(("window", "published"), [(6, 87.75), (7, 87.77)])
def test_fine_tuned_swin_b(window, published):
    model = MODELS.build(
        {
            "type": "mmpretrain.ImageClassifier",
            "backbone": {**SWIN_B, "img_size": 32 * window, "window_size": window},
            "neck": {"type": "mmpretrain.GlobalAveragePooling"},
            "head": {
                "type": "mmpretrain.LinearClsHead",
                "num_classes": 1000,
                "in_channels": 1024,
            },
        }
    )
    assert millions(model) == published
