"""A detector in mixed precision has the boxes and levels of float32."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from simmim_bench.registry import MODELS
from simmim_bench.tasks.box_precision import keep_boxes_in_float32
from simmim_bench.training.runner import BenchRunner
from tests.configs.reader import read_config

CONFIGS = Path(__file__).parents[2] / "configs" / "coco"
MASK_RCNN = "mask-rcnn_swin-b_fpn_1x"
CASCADE = "cascade-mask-rcnn_swin-b_fpn_3x"
STRIDES = (4, 8, 16, 32, 64)
HEIGHT, WIDTH = 800, 1216
LOW = [torch.bfloat16, torch.float16]
CHANNELS = ("in_channels", "feat_channels", "out_channels", "conv_out_channels", "fc_out_channels")


def narrow(node):
    """Give the heads of a config few channels, and spread what they predict."""
    for key, value in list(node.items() if hasattr(node, "items") else enumerate(node)):
        if key in CHANNELS and value in (256, 1024):
            node[key] = 16
        elif hasattr(value, "items") or isinstance(value, list):
            narrow(value)


def detector(name=MASK_RCNN, *, ours=True):
    cfg = read_config(CONFIGS / f"{name}.py").model
    cfg.backbone = {"type": "mmdet.ResNet", "depth": 18}  # not used
    narrow(cfg)
    cfg.test_cfg.rcnn.score_thr = 0.0
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(cfg).eval()
    for key, value in model.named_parameters():
        if any(part in key for part in ("rpn_head", "fc", "conv_logits")):
            torch.nn.init.normal_(value, std=0.15)
    if ours:
        keep_boxes_in_float32(model)
    return model


def pyramid(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    sizes = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
    return [torch.randn(1, 16, *size, generator=generator).to(dtype) for size in sizes]


def boxes(number=200):
    """Boxes of 8 to 900 px, some of the size at which a level ends."""
    generator = torch.Generator().manual_seed(2)
    corner = torch.rand(number, 2, generator=generator) * torch.tensor([300.0, 150.0])
    sizes = 8 * 80 ** torch.rand(number, 2, generator=generator)
    sizes[::4] = 112 * 2.0 ** torch.arange(0, len(sizes[::4]))[:, None].remainder(3) - 0.01
    return torch.cat([corner, corner + sizes], 1)


def sample():
    sizes = dict.fromkeys(("img_shape", "pad_shape", "batch_input_shape"), (HEIGHT, WIDTH))
    meta = {**sizes, "ori_shape": (640, 973), "scale_factor": (1.25, 1.25)}
    objects = boxes(8)
    masks = BitmapMasks([torch.ones(HEIGHT, WIDTH).numpy()] * len(objects), HEIGHT, WIDTH)
    labels = torch.arange(len(objects))
    truth = InstanceData(bboxes=objects, labels=labels, masks=masks)
    ignored = InstanceData(bboxes=torch.zeros(0, 4))
    return DetDataSample(metainfo=meta, gt_instances=truth, ignored_instances=ignored)


def pooled_at(model):
    """A list that fills with (layer of an extractor, RoIs) when a model pools."""
    seen = []
    for name, module in model.named_modules():
        if ".roi_layers." in name:
            module.register_forward_hook(
                lambda _, inputs, __, name=name: seen.append((name, inputs[1]))
            )
    return seen


@pytest.mark.parametrize("dtype", LOW)
def test_rois_and_levels_are_those_of_float32(dtype):
    rois = torch.cat([torch.zeros(200, 1), boxes()], 1)
    pools = {}
    for name, ours, precision in (("float32", False, torch.float32), ("ours", True, dtype)):
        model = detector(ours=ours)
        pools[name] = pooled_at(model)
        out = model.roi_head.bbox_roi_extractor(pyramid(precision)[:4], rois)
        assert out.dtype == precision
    levels, ours = zip(*pools["ours"], strict=True)
    assert levels == tuple(name for name, _ in pools["float32"])
    for rois, (_, expected) in zip(ours, pools["float32"], strict=True):
        assert torch.equal(rois, expected)


@pytest.mark.parametrize("name", [MASK_RCNN, CASCADE])
def test_no_box_of_a_training_step_or_a_prediction_is_rounded(name):
    """Anchors, proposals, the RoIs of all stages and the detections, under autocast."""
    model, data = detector(name), sample()
    seen = pooled_at(model)
    with torch.autocast("cpu", torch.bfloat16):
        features, settings = pyramid(), model.train_cfg.rpn_proposal
        _, proposals = model.rpn_head.loss_and_predict(features, [data], proposal_cfg=settings)
        losses = model.roi_head.loss(features, proposals, [data])
        with torch.no_grad():
            proposals = model.rpn_head.predict(features, [data], rescale=False)
            found = model.roi_head.predict(features, proposals, [data], rescale=True)[0]
    assert all(torch.as_tensor(value).isfinite().all() for value in losses.values())
    assert len(seen) > 8
    for rois in (rois for _, rois in seen):
        assert rois.dtype == torch.float32
        if len(rois) > 20:
            assert not torch.equal(rois, rois.bfloat16().float())
    for box in (proposals[0].bboxes, found.bboxes):
        assert box.dtype == torch.float32
        assert not torch.equal(box, box.bfloat16().float())


@pytest.mark.parametrize("dtype", LOW)
def test_proposals_move_only_by_what_the_deltas_were_rounded(dtype):
    """Stock mmdet moves anchors of 512 px by up to 4 px in bfloat16."""
    model, stock, features = detector(), detector(ours=False), pyramid()
    settings = {"batch_img_metas": [sample().metainfo], "cfg": stock.test_cfg.rpn}
    with torch.no_grad():
        with torch.autocast("cpu", dtype):
            scores, deltas = model.rpn_head(features)
            rounded = stock.rpn_head(features)
            ours = model.rpn_head.predict_by_feat(scores, deltas, **settings)[0]
        assert all(level.dtype == dtype for part in rounded for level in part)
        exact = [[level.float() for level in part] for part in rounded]
        expected = stock.rpn_head.predict_by_feat(*exact, **settings)[0]
    assert torch.equal(ours.bboxes, expected.bboxes)
    assert torch.equal(ours.scores, expected.scores)


@pytest.mark.parametrize("name", [MASK_RCNN, CASCADE])
def test_in_float32_nothing_changes(name):
    results = []
    for ours in (True, False):
        model, data, features = detector(name, ours=ours), sample(), pyramid()
        torch.manual_seed(3)
        rpn, proposals = model.rpn_head.loss_and_predict(
            features, [data], proposal_cfg=model.train_cfg.rpn_proposal
        )
        roi = model.roi_head.loss(features, proposals, [data])
        with torch.no_grad():
            proposals = model.rpn_head.predict(features, [data], rescale=False)
            found = model.roi_head.predict(features, proposals, [data], rescale=True)[0]
        assert len(found) > 50
        results.append([rpn, roi, [found.bboxes, found.scores, found.labels, found.masks]])
    torch.testing.assert_close(*results, rtol=0, atol=0)


def test_every_detector_of_a_run_keeps_its_boxes_also_as_a_copy():
    """EMA copies the model."""
    runner = object.__new__(BenchRunner)
    model = runner.build_model(detector(ours=False))
    for one in (model, copy.deepcopy(model)):
        seen = pooled_at(one)
        rois = torch.cat([torch.zeros(200, 1), boxes()], 1)
        one.roi_head.mask_roi_extractor(pyramid(torch.bfloat16)[:4], rois)
        assert sum(len(rois) for _, rois in seen) == 200
        assert all(rois.dtype == torch.float32 for _, rois in seen)
