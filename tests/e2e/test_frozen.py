"""A probe on frozen features, as a user trains it: with kept features, without, and by hand."""

import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn
from torch.nn import functional

from simmim_bench.records.manifest import Manifest
from simmim_bench.registry import MODELS
from simmim_bench.weights.files import load_checkpoint
from tests.e2e.conftest import ROOT
from tests.e2e.test_bad_input import refusal

BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 16, "depths": [2, 1, 1, 1], "num_heads": [1, 2, 2, 4]},
    "img_size": 96,
    "window_size": 3,
    "pad_small_map": True,
    "out_indices": (0, 1, 2, 3),
}
EPOCHS, BATCH, RATE, IGNORED, CLASSES = 3, 4, 0.01, 255, 11
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PROBE = f"""
_base_ = ["{ROOT / "configs/any/demo_segmentation-linear-4.py"}"]
backbone_name = "tiny"
model = dict(
    backbone=dict(_delete_=True, **{BACKBONE!r}),
    decode_head=dict(
        in_channels=240,
        dropout_ratio=0.0,
        init_cfg=dict(type="Constant", val=0, override=dict(name="conv_seg")),
    ),
)
train_dataloader = dict(batch_size={BATCH}, dataset=dict(indices=16))
auto_scale_lr = dict(base_batch_size={BATCH})
param_scheduler = []
optim_wrapper = dict(optimizer=dict(lr={RATE}))
train_cfg = dict(max_epochs={EPOCHS}, val_interval={EPOCHS})
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "probe.py"
    path.write_text(PROBE, "utf-8")
    return path


def train(tools, config, work_dir, *flags, cache=None):
    tools.env["XDG_CACHE_HOME"] = str(cache or work_dir.parent / "cache")
    code, output = tools.call(
        "tools/train.py",
        config,
        "--from-scratch",
        "--kind",
        "smoke",
        "--work-dir",
        work_dir,
        *flags,
    )
    assert code == 0, output[-3000:]
    return Manifest.read(work_dir / "manifest.json").metrics, output


def read(data, part, stem):
    """Image (3, 96, 96) of the network, and labels (96, 96), of files."""
    root = data / "demo/ade/ADEChallengeData2016"
    image = np.asarray(Image.open(root / "images" / part / f"{stem}.jpg").convert("RGB"))
    labels = (
        np.asarray(Image.open(root / "annotations" / part / f"{stem}.png")).astype(np.int64) - 1
    )
    assert image.shape == (96, 96, 3)  # nothing is resized
    labels[labels < 0] = IGNORED
    tensor = (torch.from_numpy(image.astype(np.float32)) - torch.tensor(MEAN)) / torch.tensor(STD)
    return tensor.permute(2, 0, 1), torch.from_numpy(labels)


def by_hand(data, backbone):
    """mIoU of a plain loop that runs the backbone on every image in every epoch."""
    folder = data / "demo/ade/ADEChallengeData2016/images"
    stems = {
        part: sorted(p.stem for p in (folder / part).iterdir())
        for part in ("training", "validation")
    }
    weight = torch.tensor([0.1, *[1.0] * 10])
    norm, linear = nn.BatchNorm2d(240), nn.Conv2d(240, CLASSES, 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)

    def maps(images):
        with torch.no_grad():
            levels = backbone(images)
        size = levels[0].shape[2:]
        return torch.cat([functional.interpolate(x, size, mode="bilinear") for x in levels], dim=1)

    optimizer = torch.optim.AdamW(
        [*norm.parameters(), *linear.parameters()], lr=RATE, weight_decay=1e-2
    )
    for epoch in range(EPOCHS):
        order = torch.randperm(16, generator=torch.Generator().manual_seed(epoch)).tolist()
        for begin in range(0, 16, BATCH):
            samples = [read(data, "training", stems["training"][k]) for k in order[begin:][:BATCH]]
            images, labels = (torch.stack(each) for each in zip(*samples, strict=True))
            logits = functional.interpolate(linear(norm(maps(images))), (96, 96), mode="bilinear")
            loss = functional.cross_entropy(logits, labels, weight, ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*norm.parameters(), *linear.parameters()], 35.0)
            optimizer.step()
    norm.eval()
    both, any_of = np.zeros(CLASSES), np.zeros(CLASSES)
    for stem in stems["validation"]:
        image, labels = read(data, "validation", stem)
        with torch.no_grad():
            scores = functional.interpolate(
                linear(norm(maps(image[None]))), (96, 96), mode="bilinear"
            )
        found, known = scores[0].argmax(0), labels != IGNORED
        for name in range(CLASSES):
            one, other = (found == name) & known, labels == name
            both[name] += (one & other).sum()
            any_of[name] += (one | other).sum()
    return 100 * (both[any_of > 0] / any_of[any_of > 0]).mean()


@pytest.mark.slow
def test_kept_features_give_the_figures_of_a_plain_loop(tools, data, config, tmp_path):
    kept, first = train(tools, config, tmp_path / "kept")
    uncached, output = train(tools, config, tmp_path / "uncached", "--cache-gb", 0)
    assert "features of" not in output
    again, second = train(tools, config, tmp_path / "again")
    assert kept == again
    assert len(re.findall(r"features of 16 train images, .* computed and kept in", first)) == 1
    assert len(re.findall(r"features of (16 train|5 val) images, .*: those in", second)) == 2
    assert kept["miou"] == pytest.approx(uncached["miou"], abs=1e-5)
    saved = load_checkpoint(tmp_path / "uncached" / f"epoch_{EPOCHS}.pth")["state_dict"]
    other = load_checkpoint(tmp_path / "kept" / f"epoch_{EPOCHS}.pth")["state_dict"]
    for name, value in saved.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-5)
    backbone = MODELS.build(Config(BACKBONE))
    weights = {
        name.removeprefix("backbone."): value
        for name, value in saved.items()
        if name.startswith("backbone.")
    }
    backbone.load_state_dict(weights)
    backbone.eval()
    assert kept["miou"] == pytest.approx(by_hand(data, backbone), abs=1e-5)
    checkpoint, work_dir = tmp_path / "kept" / f"epoch_{EPOCHS}.pth", tmp_path / "test"
    tools.call("tools/test.py", config, checkpoint, "--work-dir", work_dir)
    assert json.loads((work_dir / "test.json").read_text())["mIoU"] == pytest.approx(kept["miou"])


@pytest.mark.slow
def test_training_images_that_change_are_refused(tools, config, tmp_path):
    changed = """
train_dataloader["dataset"]["pipeline"] = [
    dict(type="simmim_bench.LoadImage"),
    dict(type="LoadAnnotations", reduce_zero_label=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
"""
    flipped = tmp_path / "flipped.py"
    flipped.write_text(config.read_text() + changed, "utf-8")
    start = ("--from-scratch", "--kind", "smoke", "--work-dir", tmp_path / "work")
    said = refusal(tools, "tools/train.py", flipped, *start)
    assert "are drawn anew in every epoch" in said
    assert "put simmim_bench.FixedView first in the pipeline" in said
    fixed = changed.replace("[\n", '[\n    dict(type="simmim_bench.FixedView"),\n', 1)
    flipped.write_text(config.read_text() + fixed, "utf-8")
    kept, _ = train(tools, flipped, tmp_path / "fixed")
    uncached, _ = train(tools, flipped, tmp_path / "uncached", "--cache-gb", 0)
    assert kept["miou"] == pytest.approx(uncached["miou"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", ["segmentation-retrieval", "logistic", "linear-grid", "attentive", "knn"]
)
def test_every_probe_trains_with_random_weights_of_a_given_backbone(
    tools, backbone, recipe, tmp_path
):
    config, words = ROOT / f"configs/any/demo_{recipe}.py", ("--like", backbone)
    few = "train_dataloader.dataset.shots=2"
    options = ["train_dataloader.batch_size=4", "auto_scale_lr.base_batch_size=4"]
    if recipe != "segmentation-retrieval":
        options += [few]
    kept, output = train(tools, config, tmp_path / "kept", *words, "--cfg-options", *options)
    assert output.count("computed and kept in") == 2
    uncached, _ = train(
        tools, config, tmp_path / "no", *words, "--cache-gb", 0, "--cfg-options", *options
    )
    assert kept == pytest.approx(uncached, abs=1e-4)
