"""Features of a trained network in the place of the random one."""

import argparse
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torchvision.models import VGG16_Weights, vgg16
from torchvision.transforms.functional import normalize

from simmim_bench.analysis.painting import evaluate as module
from simmim_bench.analysis.painting import metrics
from simmim_bench.analysis.painting.metrics import load_reference, protocol_hash
from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.records.collect import collect
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from tests.analysis.painting.conftest import FOLDER

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # in [0, 1], as torchvision has them
SCALE = {
    "network_mean": [255 * value for value in MEAN],
    "network_std": [255 * value for value in STD],
}
LAYERS = (3, 8, 15, 22)


@pytest.fixture(scope="module")
def network():
    """Convolutions of torchvision's own VGG-16, weights as drawn."""
    torch.manual_seed(0)
    return vgg16().features.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """Their file, which no test changes; of the classifier only what shows that it may be there."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    state = {f"features.{key}": value for key, value in network.state_dict().items()}
    torch.save({**state, "classifier.6.bias": torch.zeros(3)}, path)
    return path


def protocol(reference_network, image_size=64):
    return Config(
        {
            "protocol": {"image_size": image_size},
            "painting": {"reference_network": reference_network},
        }
    )


def distance(network, first, second):
    """LPIPS, equation 1, all channels of weight 1: means over layers, for each image."""
    found = []
    with torch.no_grad():
        pair = [normalize(torch.from_numpy(each).permute(0, 3, 1, 2) / 255, MEAN, STD)
                for each in (first, second)]  # fmt: skip
        for number, layer in enumerate(network):
            pair = [layer(each.clone()) for each in pair]
            if number in LAYERS:
                a, b = (each / each.square().sum(1, keepdim=True).sqrt() for each in pair)
                found.append((a - b).square().sum(1).mean((1, 2)))
    return torch.stack(found).mean(0)


def test_the_figure_is_that_of_torchvisions_own_network(network, weights, images):
    painted = np.clip(images * 0.5 + 40, 0, 255).astype(np.uint8)
    painted[1, :32] = images[1, :32]
    reference = load_reference(protocol({"checkpoint": str(weights), **SCALE}), "protocol.py")
    everywhere = np.ones((2, 64, 64), dtype=bool)
    found = metrics.compare(painted[:2], images[:2], everywhere, reference=reference.features)
    far = distance(network, painted[:2], images[:2])
    assert found["features"] == pytest.approx(100 * float((1 - far / 2).mean()), abs=1e-3)
    assert 0 < found["features"] < 99
    plain = metrics.compare(painted[:2], images[:2], everywhere)
    assert {**plain, "features": 0} == {**found, "features": 0}
    assert abs(plain["features"] - found["features"]) > 0.1
    equal = metrics.compare(images[:2], images[:2], everywhere, reference=reference.features)
    assert equal["features"] == pytest.approx(100, abs=1e-3)


def test_batches_of_the_reference_network_change_nothing(weights, images, monkeypatch):
    reference = load_reference(protocol({"checkpoint": str(weights), **SCALE, "levels": [1]}), "")
    pair = [torch.from_numpy(each).permute(0, 3, 1, 2) / 255 for each in (images, 255 - images)]
    whole = metrics.feature_similarity(*pair, reference.features)
    monkeypatch.setattr(metrics, "BATCH", 2)
    parts = metrics.feature_similarity(*pair, reference.features)
    assert whole.shape == (3,)
    torch.testing.assert_close(parts, whole)


def test_without_a_reference_network_figures_are_those_of_the_versions_that_stand(images):
    noise = np.random.default_rng(1).normal(0, 40, images.shape)
    painted = np.clip(images + noise, 0, 255).astype(np.uint8)
    found = metrics.compare(painted, images, np.ones((3, 64, 64), dtype=bool))
    assert found["features"] == pytest.approx(94.2309558391571, abs=1e-4)
    for name in ("coco", "demo"):
        cfg = load_config(str(FOLDER / f"painting_{name}.py"))
        assert load_reference(cfg, "") is None
        assert protocol_hash(cfg, None) == resolved_hash(cfg)


def test_the_protocol_differs_in_its_reference_network_alone():
    own, base = (load_config(str(FOLDER / f"painting_coco{end}.py")) for end in ("-vgg16", ""))
    reference_network = own.painting.pop("reference_network")
    assert own.painting == base.painting
    assert own.test_dataloader == base.test_dataloader
    assert (own.protocol.id, own.protocol.version) == ("coco-painting-vgg16", 1)
    assert {**own.protocol, "id": "", "version": 0} == {**base.protocol, "id": "", "version": 0}
    source = VGG16_Weights.IMAGENET1K_V1
    preset = source.transforms()
    assert reference_network.network_mean == pytest.approx([255 * value for value in preset.mean])
    assert reference_network.network_std == pytest.approx([255 * value for value in preset.std])
    assert source.url.endswith(reference_network.checkpoint.rpartition("/")[2])
    assert source.url.endswith(f"-{reference_network.sha256[:8]}.pth")


def test_the_record_says_the_reference_network(call, weights, tmp_path):
    out = call(
        reference_network={"checkpoint": str(weights), "sha256": sha256_file(weights), **SCALE}
    )
    manifest = Manifest.read(out / "manifest.json")
    assert manifest.inputs["checkpoint"].sha256 == "a" * 64
    assert manifest.inputs["reference_network"].path == str(weights)
    assert manifest.inputs["reference_network"].sha256 == sha256_file(weights)
    record = Record.model_validate(json.loads((out / "record.json").read_text("utf-8")))
    assert record.pretraining_cost.wall_seconds == 7
    collected = collect(tmp_path, tmp_path / "records")
    assert collected.records["added"] == [out / "manifest.json"]
    [path] = (tmp_path / "records").rglob("*.json")
    kept = Record.model_validate(json.loads(path.read_text("utf-8")))
    assert kept == record


def test_a_run_is_another_with_other_weights_but_not_elsewhere(call, weights, tmp_path):
    def run_id(path):
        out = call(reference_network={"checkpoint": str(path), **SCALE})
        return json.loads((out / "record.json").read_text("utf-8"))["run_id"]

    moved = tmp_path / "moved.pth"
    moved.write_bytes(weights.read_bytes())
    first = run_id(weights)
    assert run_id(moved) == first
    state = torch.load(weights)
    torch.save({key: value * 0.5 for key, value in state.items()}, moved)
    assert run_id(moved) != first


@pytest.fixture
def refused(call, tmp_path, monkeypatch):
    """Check that a reference network is refused before predictions, and nothing is written."""
    monkeypatch.setattr(module, "load_predictor", lambda *_, **__: argparse.Namespace())

    def check(reference_network, match):
        with pytest.raises(BenchError, match=match) as error:
            call(reference_network=reference_network)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()

    return check


def test_a_reference_network_without_its_weights_is_refused(refused, weights, tmp_path):
    refused({"checkpoint": str(tmp_path / "absent"), **SCALE}, r"absent does not exist; give the p")
    other = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.zeros(3)}, other)
    refused({"checkpoint": str(other), **SCALE}, "other.pth does not fully match .* 26 of 26 keys")
    torch.save({**torch.load(weights), "classifier.6.bias": torch.ones(3)}, other)
    known = {"checkpoint": str(other), "sha256": sha256_file(weights), **SCALE}
    refused(known, r"other.pth has sha256 \w+, .*protocol.py expects \w+; get that file")
    state = torch.load(weights)
    torch.save({key: value * torch.nan for key, value in state.items()}, other)
    refused({"checkpoint": str(other), **SCALE}, "NaN or infinity in 26 of 26 tensors, the first")
    torch.save({key: value * 1e30 for key, value in state.items()}, other)
    refused({"checkpoint": str(other), **SCALE}, "features that are not finite; check the weights")
    other.write_bytes(weights.read_bytes()[:1000])
    refused({"checkpoint": str(other), **SCALE}, "other.pth is truncated or damaged")


def test_a_reference_network_that_is_not_described_is_refused(refused, weights):
    file = {"checkpoint": str(weights)}
    refused(
        SCALE, r"protocol.py: painting.reference_network: checkpoint is missing; describe it as"
    )
    refused(
        file, r"painting.reference_network: network_mean is missing \(and 1 more\); describe it as"
    )
    refused({**file, **SCALE, "network_std": [1, 0, 1]}, r"network_std.1 is 0")
    refused({**file, **SCALE, "random": True}, r"random is True: Extra inputs are not permitted")
    refused("vgg16", r"painting.reference_network: .*; describe it as")
    refused({**file, **SCALE, "levels": [3, 99]}, r"levels \[3, 99\] of the frozen network")
    refused({**file, **SCALE, "model": {"type": "timm.resnet81"}}, "unknown timm model 'resnet81'")


def test_images_too_small_for_the_reference_network_are_refused(weights):
    reference_network = {"checkpoint": str(weights), **SCALE}
    assert load_reference(protocol(reference_network, image_size=8), "").file.path == str(weights)
    with pytest.raises(BenchError, match=r"VGG16Levels on images of 4x4 pixels: .*; give a net"):
        load_reference(protocol(reference_network, image_size=4), "")
