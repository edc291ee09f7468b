"""Analyses of models of other channels than three: what is shown, and what is refused."""

import types
from pathlib import Path

import pytest

from simmim_bench.analysis import models
from simmim_bench.analysis.painting.predictor import load_predictor
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import set_channels
from simmim_bench.reconstruction import evaluation_pipeline, picture_bands

SIMMIM = Path(__file__).parents[2] / "configs/demo/simmim_swin-demo.py"


@pytest.fixture
def four():
    cfg = load_config(str(SIMMIM))
    set_channels(cfg, channels=4, value_range=[0, 4095], mean=[100.0] * 4, std=[50.0] * 4)
    return cfg


def test_pictures_show_the_first_three_bands_or_those_of_the_config(four):
    assert picture_bands(load_config(str(SIMMIM))) is None
    assert picture_bands(four) == (0, 1, 2)
    four.picture_bands = (4, 3, 2)
    assert picture_bands(four) == (3, 2, 1)
    four.picture_bands = [5]
    with pytest.raises(BenchError, match="picture_bands must be three bands, or one, from 1 to 4"):
        picture_bands(four)


def test_reconstructions_are_of_images_read_as_in_the_training(four):
    load, resize, *_ = evaluation_pipeline(four, seed=0).transforms
    assert (load.reading.channels, load.reading.value_range) == (4, (0, 4095))
    assert type(resize).__module__.startswith("simmim_bench")
    load, resize, *_ = evaluation_pipeline(load_config(str(SIMMIM)), seed=0).transforms
    assert load.reading.is_plain
    assert type(resize).__module__.startswith("mmpretrain")


def test_painting_refuses_other_channels(four, monkeypatch):
    monkeypatch.setattr(
        models, "open_pretraining", lambda *_, **__: (four, types.SimpleNamespace())
    )
    with pytest.raises(BenchError, match="reads images of 4 channels, and painting works in RGB"):
        load_predictor("a.py", Path("a.pth"))


def test_the_page_of_representations_refuses_other_channels(tmp_path):
    config = tmp_path / "four.py"
    config.write_text(f"_base_ = {str(SIMMIM)!r}\nmodel = dict(backbone=dict(in_channels=4))\n")
    with pytest.raises(BenchError, match="x takes 4 channels, and this analysis shows it RGB"):
        models.open_subject(f"x={config}", seed=0)
