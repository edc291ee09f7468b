"""A small painter with weights of its own, and an image of another size than its own."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from simmim_bench.generation.painter import Painter
from simmim_bench.registry import MODELS
from tests.e2e.conftest import PRETRAIN


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Weights as drawn, in the form of a training's checkpoint."""
    torch.manual_seed(0)
    cfg = Config.fromfile(PRETRAIN)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    path = tmp_path_factory.mktemp("weights") / "epoch_1.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def painter(checkpoint):
    cfg = Config.fromfile(PRETRAIN)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(checkpoint)["state_dict"])
    mask = {"mask_patch_size": 16, "mask_ratio": 0.6, "token_size": 4}
    return Painter(model=model, image_size=(64, 64), mask=mask)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 91, 3), dtype=np.uint8)


@pytest.fixture
def marks():
    drawn = np.zeros((50, 91), dtype=bool)
    drawn[3:30, 20:41] = True
    return drawn


@pytest.fixture
def files(tmp_path, image, marks):
    """An image and a mask as a user has them."""
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray((marks * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    return tmp_path
