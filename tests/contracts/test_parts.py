"""Masks, targets, decoders and losses of the package keep the contracts of ``testing``."""

import json

import numpy as np
import pytest
import torch

from simmim_bench.masking.strategies import strategies
from simmim_bench.registry import MODELS
from simmim_bench.testing import DecoderContract, LossContract, MaskContract, TargetContract
from simmim_bench.testing.pretraining import BACKBONE

CLASSES = {"type": "simmim_bench.MaskedCrossEntropyLoss"}
BLIND = [name for name, kind in strategies().items() if not kind.reads]


def contracts(contract, cases):
    """A class for each case, as a module of a user has."""
    for name, values in cases.items():
        title = f"Test{name.title().replace('_', '').replace(' ', '')}{contract.__name__[:-8]}"
        globals()[title] = type(title, (contract,), {"__module__": __name__, **values})


def of(kind, **options):
    return {"config": lambda _self: {"type": f"simmim_bench.{kind}", **options}}


contracts(
    MaskContract,
    {name: {"strategy": name, "is_exact": name != "square"} for name in BLIND},
)
contracts(
    TargetContract,
    {
        "rgb": of("NormalisedRGB"),
        "coarse": of("DownsampledRGB", stride=4),
        "patches": of("PatchNormalisedRGB", patch_size=16),
        "windows": of("WindowNormalisedRGB", window_size=47),
        "bins": {**of("ColourBins", bins=8), "loss": CLASSES},
    },
)
contracts(
    DecoderContract,
    {
        "linear": of("LinearDecoder"),
        "mlp": of("MLPDecoder"),
        "conv": of("ConvDecoder"),
        "transposed": of("TransposedConvDecoder"),
        "u": of("UNetDecoder"),
        "transformer": of("LightTransformerDecoder", width=16, heads=2),
    },
)
contracts(
    LossContract,
    {
        "l1": of("MaskedL1Loss"),
        "l2": of("MaskedL2Loss"),
        "smooth": of("MaskedSmoothL1Loss", beta=0.5),
    },
)


class TestClusters(TargetContract):
    loss = CLASSES

    @pytest.fixture(autouse=True)
    def palette(self, tmp_path):
        centres = np.random.default_rng(0).integers(0, 256, (6, 3)).tolist()
        self.file = tmp_path / "palette.json"
        self.file.write_text(json.dumps({"centres": centres}))

    def config(self):
        return {"type": "simmim_bench.ColourClusters", "palette": str(self.file)}


class TestTeacher(TargetContract):
    @pytest.fixture(autouse=True)
    def teacher(self, tmp_path):
        self.file = tmp_path / "teacher.pth"
        torch.save(MODELS.build(self.network).state_dict(), self.file)

    network = {**BACKBONE, "out_indices": (3,)}

    def config(self):
        kind = {"type": "simmim_bench.TeacherFeatures", "model": self.network}
        return {**kind, "checkpoint": str(self.file)}
