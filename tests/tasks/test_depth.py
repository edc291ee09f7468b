"""The depth probe against formulas, with and without kept features, and what it refuses."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.nn import functional

from simmim_bench.data.demo import compose
from simmim_bench.data.demo.files import encode_mask
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS, METRICS, MODELS
from simmim_bench.tasks.depth import NYU_SIZE, scale_invariant_loss
from simmim_bench.tasks.depth_data import layers_of
from tests.tasks.test_frozen import PREPROCESSOR, kept_batch, run

BINS, NEAR, FAR = 16, 0.5, 8.0
HEAD = {
    "type": "simmim_bench.LinearDepthHead",
    "in_channels": 120,
    "bins": BINS,
    "min_depth": NEAR,
    "max_depth": FAR,
    "upsample": 2,
    "norm_cfg": {"type": "BN"},
}


@pytest.fixture
def estimator(swin):
    torch.manual_seed(0)
    return MODELS.build(
        {
            "type": "simmim_bench.FrozenDepthEstimator",
            "backbone": {**swin, "pad_small_map": True, "out_indices": (0, 1, 2, 3)},
            "data_preprocessor": {**PREPROCESSOR, "seg_pad_val": 0},
            "decode_head": HEAD,
        }
    )


def sample_of(depth, **facts):
    sample = SegDataSample()
    sample.set_data({"gt_depth_map": PixelData(data=torch.as_tensor(depth)[None])})
    sample.set_metainfo({"ori_shape": tuple(depth.shape), "img_path": "a.jpg", **facts})
    return sample


def batch(*sizes, size=None):
    """Images of ``sizes`` as a pipeline of mmseg packs them, with depth maps of ``size``."""
    rng = np.random.default_rng(0)
    samples = []
    for image in sizes:
        depth = rng.uniform(NEAR, FAR, size or image).astype(np.float32)
        depth[0, :5] = 0
        samples.append(sample_of(depth, img_shape=image))
    images = [torch.from_numpy(rng.integers(0, 256, (3, *each), dtype=np.uint8)) for each in sizes]
    return {"inputs": images, "data_samples": samples}


def test_depth_is_the_mean_of_bins(estimator):
    head = estimator.decode_head.eval()
    torch.nn.init.normal_(head.linear.weight)
    features = torch.randn(2, 120, 3, 4)
    found = head(features)
    # DINOv2 enlarges the features, not the outputs
    larger = functional.interpolate(features, scale_factor=2, mode="bilinear").double().numpy()
    normed = larger / np.sqrt(1 + 1e-5)  # running mean 0 and variance 1
    weight, bias = (value.detach().double().numpy() for value in head.linear.parameters())
    outputs = np.einsum("kc,bchw->bkhw", weight[:, :, 0, 0], normed) + bias[:, None, None]
    weights = np.maximum(outputs, 0) + 0.1
    bins = NEAR + (FAR - NEAR) * np.arange(BINS) / (BINS - 1)
    expected = (weights * bins[:, None, None]).sum(1) / weights.sum(1)
    assert found.shape == (2, 1, 6, 8)
    np.testing.assert_allclose(found[:, 0].detach(), expected, rtol=1e-5)


def test_the_loss_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    predicted, true = rng.uniform(0.5, 9, (2, 2, 1, 5, 6))
    true[0, 0, 0] = 0  # unknown
    true[1, 0, 1] = 8.5  # beyond
    valid = (true > 0) & (true <= FAR)
    difference = np.log(predicted[valid] + 1e-3) - np.log(true[valid] + 1e-3)
    expected = np.sqrt(difference.var(ddof=1) + 0.15 * difference.mean() ** 2)
    assert 20 < valid.sum() < 54
    found = scale_invariant_loss(torch.from_numpy(predicted), torch.from_numpy(true), FAR)
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("true", [torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 5000.0)])
def test_a_batch_without_depth_is_refused(true):
    with pytest.raises(BenchError, match=r"no pixel .* above 0 and up to 8 m.*; correct scale in"):
        scale_invariant_loss(torch.ones_like(true), true, FAR)


@pytest.mark.parametrize("size", [(64, 64), (48, 64)])
def test_kept_features_give_the_losses_of_images(estimator, size):
    estimator.train()
    images = run(estimator, batch(size, size), "loss")
    kept = run(estimator, kept_batch(estimator, batch(size, size), training=True), "loss")
    assert set(images) == set(kept) == {"loss_depth"}
    torch.testing.assert_close(kept["loss_depth"], images["loss_depth"], rtol=1e-5, atol=1e-6)
    images["loss_depth"].backward()
    assert estimator.decode_head.linear.weight.grad.abs().sum() > 0
    assert all(value.grad is None for value in estimator.backbone.parameters())


@torch.no_grad()
def test_kept_features_give_the_predictions_of_images(estimator):
    estimator.eval()
    data = batch((70, 64), size=(50, 61))  # predictions are of the size of the file
    prepared = estimator.data_preprocessor(data, False)
    levels = estimator.backbone(prepared["inputs"])
    largest = levels[0].shape[2:]
    maps = [functional.interpolate(each, largest, mode="bilinear") for each in levels]
    depth = estimator.decode_head(torch.cat(maps, dim=1))
    depth = functional.interpolate(depth, (70, 64), mode="bilinear")
    expected = functional.interpolate(depth, (50, 61), mode="bilinear")[0]
    for given in (data, kept_batch(estimator, data)):
        found = run(estimator, given, "predict")[0]
        torch.testing.assert_close(found.pred_depth_map.data, expected, rtol=1e-5, atol=1e-5)


def measured(pairs, **options):
    metric = METRICS.build({"type": "simmim_bench.DepthMetric", **options})
    for true, predicted in pairs:
        sample = sample_of(torch.from_numpy(true))
        sample.set_data({"pred_depth_map": PixelData(data=torch.from_numpy(predicted)[None])})
        metric.process({}, [sample.to_dict()])
    return metric.evaluate(len(pairs))


@pytest.mark.parametrize("crop", [None, "nyu_crop"])
def test_metrics_are_those_of_the_formulas(crop):
    rng = np.random.default_rng(0)
    pairs, each = [], []
    for _ in range(2):
        true = rng.uniform(-1, 11, NYU_SIZE).astype(np.float32)
        predicted = rng.uniform(0.1, 10, NYU_SIZE).astype(np.float32)
        pairs.append((true, predicted))
        counts = (true > 1e-3) & (true < 10)
        if crop:  # of Eigen et al.: rows 45 to 470, columns 41 to 600
            counts[:45], counts[471:], counts[:, :41], counts[:, 601:] = False, False, False, False
        t, p = true[counts].astype(float), predicted[counts].astype(float)
        ratio = np.maximum(t / p, p / t)
        values = [100 * np.mean(ratio < 1.25**power) for power in (1, 2, 3)]
        each.append([*values, np.mean(abs(t - p) / t), np.sqrt(np.mean((t - p) ** 2))])
    found = measured(pairs, min_depth_eval=1e-3, max_depth_eval=10.0, crop_type=crop)
    names = ("d1", "d2", "d3", "abs_rel", "rmse")
    assert [found[name] for name in names] == pytest.approx(list(np.mean(each, axis=0)))


def test_what_cannot_be_measured_is_refused():
    one = np.ones((4, 4), np.float32)
    with pytest.raises(BenchError, match=r"of a\.jpg has no pixel between 0 and 9 m to compare"):
        measured([(10 * one, one)], max_depth_eval=9.0)
    with pytest.raises(BenchError, match=r"a\.jpg is 4 x 4 px, NYU's crop needs 480 x 640"):
        measured([(one, one)], crop_type="nyu_crop")


PICTURE = """
.........
.aab.....
.aabb.dd.
.aabb.dd.
.aacc...e
....c....
"""
"""b covers a, c covers a and b; d stands alone, and e only touches its corner."""


def drawn():
    grid = np.array([list(line) for line in PICTURE.split()])
    return [grid == name for name in "abcde"], grid


def test_layers_of_a_scene():
    masks, grid = drawn()
    layers = layers_of(masks, grid.shape)
    found = {name: set(layers[grid == name].tolist()) for name in ".abcde"}
    assert found == {".": {0}, "a": {1}, "b": {2}, "c": {3}, "d": {1}, "e": {1}}
    assert not layers_of([], (2, 3)).any()


def test_layers_are_those_of_the_masks_that_the_demo_is_drawn_of(monkeypatch):
    spec = DemoSpec()
    split = next(each for each in spec.splits() if each.name == "coco/val2017")
    visible, whole = compose._visible, []
    monkeypatch.setattr(
        compose,
        "_visible",
        lambda drawn: whole.append([each.mask for each in drawn]) or visible(drawn),
    )
    composer = compose.Composer(spec=spec, half=split.half)
    right = total = 0
    for index in range(40):
        scene = composer.compose(split, index)
        layers = layers_of([each.mask for each in scene.instances], scene.image.shape[:2])
        expected = []
        for number, mask in enumerate(whole[-1]):
            behind = [
                e for e, other in zip(expected, whole[-1], strict=False) if (other & mask).any()
            ]
            expected.append(1 + max(behind, default=0))
            right += (layers[scene.instances[number].mask] == expected[-1]).all()
        total += len(expected)
    assert total > 80
    assert right > 0.95 * total  # strokes side by side may touch


def test_the_demo_gives_depth_maps(tmp_path):
    masks, grid = drawn()
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((*grid.shape, 3), np.uint8))
    annotations = [
        {
            "id": number + 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": [0, 0, 2, 2],
            "area": int(mask.sum()),
            "iscrowd": 0,
            "segmentation": {"counts": encode_mask(mask), "size": list(grid.shape)},
        }
        for number, mask in enumerate(masks)
    ]
    document = {
        "images": [{"id": 1, "file_name": "1.png", "height": 6, "width": 9}],
        "annotations": annotations[::-1],  # ids have the order
        "categories": [{"id": 1, "name": "one"}],
    }
    (tmp_path / "all.json").write_text(json.dumps(document))
    scenes = DATASETS.build(
        {
            "type": "simmim_bench.DemoDepth",
            "data_root": str(tmp_path),
            "data_prefix": {"img_path": ""},
            "ann_file": "all.json",
            "pipeline": [
                {"type": "simmim_bench.LoadImage"},
                {"type": "simmim_bench.OverlapDepth", "background": 10.0, "ratio": 2.0},
                {"type": "mmseg.PackSegInputs"},
            ],
        }
    )
    depth = scenes[0]["data_samples"].gt_depth_map.data
    assert depth.dtype == torch.float32
    expected = np.select([grid == name for name in ".abcde"], [10, 5, 2.5, 1.25, 5, 5])
    np.testing.assert_array_equal(depth[0], expected)


@pytest.fixture
def nyu(tmp_path):
    """Function that makes a data set of NYU's layout, whose depth map is an array."""
    for kind in ("images", "annotations"):
        (tmp_path / kind / "train").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images/train/a_1.jpg"), np.zeros((4, 6, 3), np.uint8))

    def read(depth=None):
        if depth is not None:
            cv2.imwrite(str(tmp_path / "annotations/train/a_1.png"), depth)
        return DATASETS.build(
            {
                "type": "simmim_bench.NYUDataset",
                "data_root": str(tmp_path),
                "data_prefix": {"img_path": "images/train", "depth_map_path": "annotations/train"},
                "pipeline": [
                    {"type": "simmim_bench.LoadImage"},
                    {"type": "simmim_bench.LoadDepth", "scale": 0.001},
                    {"type": "mmseg.PackSegInputs"},
                ],
            }
        )

    return read


def test_depth_maps_are_in_metres(nyu):
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 400
    images = nyu(values)
    depth = images[0]["data_samples"].gt_depth_map.data
    np.testing.assert_allclose(depth[0], values / 1000, rtol=1e-6)
    assert len(images.metainfo["classes"]) == 1  # as many as the model predicts maps


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (None, r"1 of 1 images in .*images/train have no depth map in .*the first is a_1\.jpg"),
        (np.ones((4, 5), np.uint16), r"a_1\.png is 4 x 5 px, its image is 4 x 6 px"),
        (
            np.ones((4, 6), np.uint8),
            r"a_1\.png has 8 bits and 1 channel\(s\), expected a PNG of 16",
        ),
        (np.ones((4, 6, 3), np.uint16), r"a_1\.png has 16 bits and 3 channel"),
        (np.zeros((4, 6), np.uint16), r"a_1\.png has no depth, all its pixels are 0"),
    ],
)
def test_depth_maps_that_are_wrong(nyu, depth, said):
    with pytest.raises(BenchError, match=said):
        nyu(depth)[0]


def test_a_damaged_depth_map_and_no_image(nyu, tmp_path):
    nyu(np.ones((4, 6), np.uint16))[0]
    (tmp_path / "annotations/train/a_1.png").write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"a_1\.png cannot be read; restore it"):
        nyu()[0]
    (tmp_path / "images/train/a_1.jpg").unlink()
    with pytest.raises(BenchError, match=r"images/train has no image \*\.jpg; expected NYU's"):
        nyu()
