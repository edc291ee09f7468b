"""A part of each kind from a file outside the package, named by a config, without any edit of it.

CONTRIBUTING.md states which files each kind touches. A backbone is added in
``tests/backbones/test_register_adapter.py``.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, DefaultScope

ROOT = Path(__file__).parents[1]

MODULE = '''
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmpretrain.models.heads import LinearClsHead

from simmim_bench.masking.base import MaskStrategy, count_of
from simmim_bench.models.decoders.simple import Decoder
from simmim_bench.models.losses.masked import MaskedRegressionLoss
from simmim_bench.models.simmim import SimMIM
from simmim_bench.models.targets.base import Target, grid_of
from simmim_bench.registry import DATASETS, MASKS, METRICS, MODELS


@MASKS.register_module("toy_first")
class ToyMask(MaskStrategy):
    """Mask the first patches, row by row."""

    def _noise(self, grid, generator):
        return generator.random(1)

    def _masked_patches(self, grid, share, noise):
        number = torch.arange(grid[0] * grid[1], device=noise.device)
        return (number < count_of(share, grid)[:, None]).unflatten(1, grid)


@MODELS.register_module()
class ToyGrey(Target):
    """Mean of the channels in squares of 4 pixels."""

    def __init__(self, **scale):
        super().__init__(**scale)
        self.out_channels = 1
        self.stride = 4

    def forward(self, images):
        grid_of(images, self.stride, "target stride")
        return torch.nn.functional.avg_pool2d(images, self.stride).mean(1, keepdim=True)

    def to_images(self, prediction, images):
        return torch.nn.functional.interpolate(prediction.expand(-1, 3, -1, -1), images.shape[2:])


@MODELS.register_module()
class ToyDecoder(Decoder):
    """Nearest upsampling, then one convolution."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.grow = torch.nn.Upsample(scale_factor=self.upscale)
        self.head = torch.nn.Conv2d(self.in_channels, self.out_channels, 1)

    def decode(self, features):
        return self.head(self.grow(features))


@MODELS.register_module()
class ToyLoss(MaskedRegressionLoss):
    """Mean fourth power of the difference."""

    def difference(self, pred, target):
        return (pred - target) ** 4


@MODELS.register_module()
class ToyMethod(SimMIM):
    """SimMIM that also keeps features small."""

    def losses(self, images, mask, features, prediction):
        found = super().losses(images, mask, features, prediction)
        return {**found, "loss_size": 0.1 * features.square().mean()}


@DATASETS.register_module()
class ToyShades(BaseDataset):
    """Images of one shade; the class is whether it is bright."""

    METAINFO = {"classes": ("dark", "bright")}

    def load_data_list(self):
        return [{"shade": 20 * n, "gt_label": int(n > 6)} for n in range(13)]


@MODELS.register_module()
class ToyHead(LinearClsHead):
    """A head that halves its logits."""

    def forward(self, feats):
        return super().forward(feats) / 2


@METRICS.register_module()
class ToyAccuracy(BaseMetric):
    """Share of right classes in percent."""

    default_prefix = "toy"

    def process(self, data_batch, data_samples):
        self.results += [
            int(sample["pred_label"]) == int(sample["gt_label"]) for sample in data_samples
        ]

    def compute_metrics(self, results):
        return {"right": 100 * sum(results) / len(results)}
'''

PRETRAINING = """
_base_ = ["{root}/configs/demo/simmim_swin-demo.py"]
custom_imports = dict(imports=["toy_extensions"], allow_failed_imports=False)
pretraining = dict(method="toy")
model = dict(
    type="simmim_bench.ToyMethod",
    target=dict(type="simmim_bench.ToyGrey"),
    decoder=dict(_delete_=True, type="simmim_bench.ToyDecoder"),
    loss=dict(_delete_=True, type="simmim_bench.ToyLoss"),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="RandomResizedCrop", scale=64, crop_ratio_range=(0.67, 1.0)),
            dict(
                type="simmim_bench.GenerateMask",
                strategy="toy_first",
                mask_patch_size=8,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
"""

FINE_TUNING = """
_base_ = ["{root}/configs/_base_/models/swin-demo.py"]
custom_imports = dict(imports=["toy_extensions"], allow_failed_imports=False)
dataset = dict(type="simmim_bench.ToyShades", lazy_init=False)
model = dict(
    type="ImageClassifier",
    backbone=_base_.swin_demo,
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="simmim_bench.ToyHead", num_classes=2, in_channels=256),
)
metric = dict(type="simmim_bench.ToyAccuracy")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder on the path with the module and two configs."""
    folder = tmp_path_factory.mktemp("extensions")
    (folder / "toy_extensions.py").write_text(MODULE)
    (folder / "pretraining.py").write_text(PRETRAINING.format(root=ROOT))
    (folder / "fine_tuning.py").write_text(FINE_TUNING.format(root=ROOT))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def test_a_mask_target_decoder_loss_and_method_train_a_step(folder):
    cfg = Config.fromfile(folder / "pretraining.py")
    steps = cfg.train_dataloader.dataset.pipeline[2:]
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        masks, pack = (TRANSFORMS.build(step) for step in steps)
        model = MODELS.build(cfg.model)
    model.init_weights()
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    packed = [pack(masks({"img": image, "sample_idx": n})) for n, image in enumerate(images)]
    batch = {
        "inputs": torch.stack([sample["inputs"] for sample in packed]),
        "data_samples": [sample["data_samples"] for sample in packed],
    }
    data = model.data_preprocessor(batch, training=True)
    mask = data["data_samples"][0].mask
    assert mask.sum() == 39 * 4  # ceil(0.6 * 64) patches of four tokens
    assert mask[0].all()
    assert not mask[-1].any()
    losses = model(**data, mode="loss")
    assert set(losses) == {"loss", "loss_size"}
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    grey = data["inputs"].unflatten(3, (16, 4)).unflatten(2, (16, 4)).mean(dim=(1, 3, 5))
    predicted = model(**data, mode="tensor")[:, 0]
    by_hand = ((predicted - grey) ** 4)[torch.stack([s.mask for s in data["data_samples"]])].mean()
    assert losses["loss"].item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert model(**data, mode="predict")["reconstruction"].shape == (2, 3, 64, 64)


def test_a_task_of_a_dataset_a_head_and_a_metric_trains_and_is_evaluated(folder):
    cfg = Config.fromfile(folder / "fine_tuning.py")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        torch.manual_seed(0)
        dataset, model = DATASETS.build(cfg.dataset), MODELS.build(cfg.model)
        evaluator = Evaluator(cfg.metric)
    entries = [dataset.get_data_info(number) for number in range(len(dataset))]
    inputs = torch.stack([torch.full((3, 64, 64), entry["shade"] / 128 - 1) for entry in entries])
    from mmpretrain.structures import DataSample

    samples = [DataSample().set_gt_label(entry["gt_label"]) for entry in entries]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(30):
        loss = model(inputs, samples, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        predicted = model(inputs, samples, mode="predict")
    evaluator.process(data_samples=predicted)
    assert evaluator.evaluate(len(dataset))["toy/right"] > 90


@pytest.mark.slow
def test_the_training_command_takes_such_a_config(folder, tmp_path):
    command = [sys.executable, "tools/train.py", str(folder / "pretraining.py"), "--try"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    done = subprocess.run(
        [*command, "--work-dir", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
