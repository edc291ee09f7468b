"""The painting suite measures every method that predicts images, and no other."""

import pytest

from simmim_bench.analysis.painting.evaluate import masks_of
from simmim_bench.analysis.painting.inpaint import touched_patches
from simmim_bench.config import load_config
from simmim_bench.masking.strategies import build_strategy, for_evaluation
from simmim_bench.models.simmim import SimMIM
from simmim_bench.reconstruction import MASK_STEP
from simmim_bench.registry import MODELS
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.matrix import list_cells, step_of
from simmim_bench.suite.schema import PRETRAIN, Cell
from tests.e2e.conftest import ROOT

PROTOCOL = "configs/generation/painting_demo.py"


@pytest.fixture(scope="module")
def suites():
    folder = ROOT / "configs" / "suites"
    names = ("variants", "demo-painting")
    return [load_suite(folder / f"{name}.yaml") for name in names]


def pretrainings(suite):
    """Config of each pretraining that a suite runs, by method, backbone and seed."""
    runs = {(cell.method, cell.backbone, cell.seed) for cell in list_cells(suite)}
    return {
        (method, backbone, seed): step_of(suite, Cell(method, backbone, PRETRAIN, seed)).path(
            backbone
        )
        for method, backbone, seed in runs
        if method in suite.methods()
    }


def paints(config, masks):
    """Whether a pretraining predicts colours and sees something of every image."""
    cfg = load_config(str(ROOT / config))
    if not cfg.model.type.startswith("simmim_bench."):
        return False  # other libraries' methods
    if not issubclass(MODELS.get(cfg.model.type), SimMIM):
        return False
    steps = cfg.train_dataloader.dataset.pipeline
    [step] = [step.to_dict() for step in steps if step.type == MASK_STEP]
    mask = for_evaluation(step)
    options = {key: value for key, value in mask.items() if key not in ("type", "strategy")}
    strategy = build_strategy(mask.get("strategy", "random"), **options)
    grid = strategy.patch_grid(masks.shape[1:])
    return not any(touched_patches(each, grid).all() for each in masks)


def test_methods_that_predict_images_are_measured(suites):
    variants, painting = map(pretrainings, suites)
    masks = masks_of(load_config(str(ROOT / PROTOCOL)))
    able = {config: paints(config, masks) for config in set(variants.values())}
    assert {True, False} == set(able.values())
    assert painting == {run: config for run, config in variants.items() if able[config]}


def test_it_has_no_other_task(suites):
    [task] = suites[1].tasks.values()
    assert (task.config, task.tool) == (PROTOCOL, "evaluate_painting")
    assert suites[1].baselines == []
