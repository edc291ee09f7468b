"""Every pipeline of every config runs on 4 bands of 16 bits, on one band, and on deep RGB."""

import json

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from simmim_bench.data.transforms import seed_all
from simmim_bench.recipe.channels import set_channels
from simmim_bench.registry import TRANSFORMS
from tests.configs.reader import read_config
from tests.recipe.test_channels import COLOURED, LEAVES, ROOT

FOLDERS = ("demo", "variants", "baselines", "imagenet", "ade20k", "coco")
"""Their pipelines are those of all configs."""
SIDE = (120, 160)
WITH_TEXT = ("retrieval", "vqa", "zeroshot")
"""Tasks whose data cannot be one's own."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An image of each number of bands, and a label map."""
    folder = tmp_path_factory.mktemp("bands")
    generator = np.random.default_rng(0)
    for channels in (1, 3, 4):
        values = generator.integers(0, 4096, (*SIDE, channels), dtype=np.uint16)
        np.save(folder / f"{channels}.npy", values)
    Image.fromarray(generator.integers(0, 5, SIDE, dtype=np.uint8)).save(folder / "map.png")
    return folder


def sample(files, channels, *, zero):
    """What the data sets of all tasks pass to a pipeline."""
    box = {"bbox": [20, 20, 90, 90], "bbox_label": 1, "ignore_flag": 0,
           "mask": [[20, 20, 90, 20, 90, 90, 20, 90]]}  # fmt: skip
    return {
        "img_path": str(files / f"{channels}.npy"), "sample_idx": 3, "gt_label": 1, "img_id": 7,
        "height": SIDE[0], "width": SIDE[1], "instances": [box],
        "seg_map_path": str(files / "map.png"), "label_map": None, "reduce_zero_label": zero,
        "seg_fields": [],
    }  # fmt: skip


def pipelines(cfg):
    for name in ("train", "val", "test"):
        if loader := cfg.get(f"{name}_dataloader"):
            dataset = loader.dataset
            while "dataset" in dataset:
                dataset = dataset.dataset
            yield dataset.pipeline
    if "tta_pipeline" in cfg:
        yield cfg.tta_pipeline


def images(inputs):
    """Every image of a packed sample: of several views, of test-time augmentation."""
    if isinstance(inputs, torch.Tensor):
        return [inputs]
    return [image for each in inputs for image in images(each)]


def different(channels):
    """A config for each pipeline that differs from the others."""
    known = {}
    for name in LEAVES:
        if (
            name.split("/")[0] not in FOLDERS
            or name in COLOURED
            or any(word in name for word in WITH_TEXT)
        ):
            continue
        cfg = read_config(ROOT / name)
        scale = {"mean": [100.0] * channels, "std": [50.0] * channels}
        set_channels(cfg, channels=channels, value_range=[0, 4095], **scale)
        for number, steps in enumerate(pipelines(cfg)):
            text = json.dumps(steps, default=str, sort_keys=True)
            known.setdefault((cfg.default_scope, text), (name, number, steps))
    return [(scope, *found) for (scope, _), found in known.items()]


@pytest.mark.parametrize("channels", [1, 4])
def test_each_pipeline_gives_every_band(channels, files):
    found = different(channels)
    assert len(found) > 30
    for scope, name, number, steps in found:
        with DefaultScope.overwrite_default_scope(scope):
            pipeline = Compose([TRANSFORMS.build(dict(step)) for step in steps])
            zero = any(step.get("reduce_zero_label") for step in steps)
            seed_all([0])
            packed = pipeline(sample(files, channels, zero=zero))
            for image in images(packed["inputs"]):
                assert image.shape[0] == channels, (name, number)
                assert image.dtype == torch.float32, (name, number)
                assert image.std() > 5, (name, number)  # not black, as 12 bits of 16 would be
                assert image.isfinite().all()
