"""roi_align and nms against small references written from their definitions."""

import math
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from simmim_bench import ops
from simmim_bench.errors import BenchError
from simmim_bench.roi_gradient import roi_gradient


def bilinear(plane, y, x):
    """Value at (y, x) by mmcv's border rule: 0 beyond one pixel outside, clamped within it."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return plane.new_zeros(())
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    wy, wx = y - y0, x - x0
    top = plane[y0, x0] * (1 - wx) + plane[y0, x1] * wx
    bottom = plane[y1, x0] * (1 - wx) + plane[y1, x1] * wx
    return top * (1 - wy) + bottom * wy


def roi_align_reference(features, rois, size, scale, ratio, aligned):
    """Average of bilinear samples in each of size x size bins (Mask R-CNN, section 3)."""
    shift = 0.5 if aligned else 0.0
    out = []
    for index, *box in rois.tolist():
        x1, y1, x2, y2 = (side * scale - shift for side in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        rows = ratio or math.ceil(height / size)
        columns = ratio or math.ceil(width / size)
        bins = []
        for channel in features[int(index)]:
            for i in range(size):
                for j in range(size):
                    samples = [
                        bilinear(
                            channel,
                            y1 + (i + (r + 0.5) / rows) * height / size,
                            x1 + (j + (c + 0.5) / columns) * width / size,
                        )
                        for r in range(rows)
                        for c in range(columns)
                    ]
                    bins.append(sum(samples) / len(samples))
        out.append(torch.stack(bins).view(-1, size, size))
    return torch.stack(out)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_equals_the_definition_forward_and_backward(aligned, ratio):
    from mmcv.ops import roi_align

    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 2, 9, 11, generator=generator, dtype=torch.float64)
    rois = torch.tensor(
        [[0, 1.3, 2.1, 30.0, 27.5], [1, -6.0, -3.0, 12.0, 40.0], [1, 8.0, 8.0, 9.0, 9.5]],
        dtype=torch.float64,
    )
    weight = torch.rand(3, 2, 3, 3, generator=generator, dtype=torch.float64)
    ours = features.clone().requires_grad_()
    theirs = features.clone().requires_grad_()
    got = roi_align(ours, rois, (3, 3), 0.25, ratio, "avg", aligned)
    expected = roi_align_reference(theirs, rois, 3, 0.25, ratio, aligned)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    (got * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


SEVEN = {"scale": 1, "height": 7, "width": 7, "ratio": 0, "aligned": True}
RIM = 9 * 4  # of the larger map below, in pixels
ODD_ROIS = [
    [0, 1.3, 2.1, 30.0, 27.5],
    [2, -60.0, -50.0, -20.0, -10.0],  # outside
    [2, 30.0, 20.0, 200.0, 300.0],
    [2, 5.0, 5.0, 5.0, 5.0],  # empty
    [0, 20.0, 20.0, 10.0, 5.0],  # its end before its start
    [2, 0.0, 0.0, RIM, RIM],
    [0, -4.0, -4.0, RIM + 4, RIM + 4],
    [2, 3.0, 7.0, 3.5, 31.0],
]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 1, 2])
@pytest.mark.parametrize("size", [(9, 11), (1, 1), (16, 3), (30, 70)])
@pytest.mark.parametrize("output", [(7, 7), (3, 1)])
def test_gradient_by_matrix_products_is_that_of_torchvision(aligned, ratio, size, output):
    generator = torch.Generator().manual_seed(0)
    rois = torch.tensor(ODD_ROIS)
    images = torch.randint(0, 3, (40, 1), generator=generator).float()
    corners = torch.rand(40, 4, generator=generator) * 60 - 10
    rois = torch.cat([rois, torch.cat([images, corners.sort(1).values], 1)])
    shape = (4, 3, *size)  # the last image has no RoI
    gradient = torch.randn(len(rois), 3, *output, generator=generator)
    height, width = output
    ours = roi_gradient(
        gradient,
        rois,
        shape,
        scale=0.25,
        height=height,
        width=width,
        ratio=ratio,
        aligned=aligned,
    )
    theirs = torch.ops.torchvision._roi_align_backward(
        gradient, rois, 0.25, *output, *shape, ratio, aligned
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert theirs.any()


def test_gradient_of_no_rois_is_zero():
    got = roi_gradient(torch.zeros(0, 2, 7, 7), torch.zeros(0, 5), (2, 2, 8, 8), **SEVEN)
    assert torch.equal(got, torch.zeros(2, 2, 8, 8))


@pytest.mark.parametrize(
    ("side", "box"), [(64, [0, 0, 1e9, 8]), (8, [0, 0, 1e9, 8]), (8, [0, 0, float("nan"), 8])]
)
def test_torchvision_computes_the_gradient_of_odd_boxes(side, box):
    rois, shape = torch.tensor([[0, *box]]), (1, 1, side, side)
    assert roi_gradient(torch.ones(1, 1, 7, 7), rois, shape, **SEVEN) is None


@pytest.mark.parametrize("side", [12, 64])
def test_roi_align_of_mmcv_has_the_gradient_of_torchvision(side):
    from mmcv.ops import roi_align
    from torchvision.ops import roi_align as stock

    ours, theirs = (torch.rand(2, 3, side, side).requires_grad_() for _ in range(2))
    rois = torch.tensor([[1, 3.2, 4.0, 33.0, 27.0], [0, 1.0, 1.0, 20.0, 44.0]])
    weight = torch.rand(2, 3, 7, 7)
    (roi_align(ours, rois, (7, 7), 0.25, 0, "avg", True) * weight).sum().backward()
    (stock(theirs, rois, (7, 7), 0.25, 0, True) * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)


def soft_nms_reference(boxes, scores, threshold, sigma, least, method, offset):
    """Pick the best of the rest, lower the others by their overlap (Soft-NMS, figure 2)."""
    rest = {index: float(score) for index, score in enumerate(scores)}
    kept = []
    while rest:
        best = max(rest, key=rest.get)
        kept.append((best, rest.pop(best)))
        for index in list(rest):
            x1, y1, x2, y2 = (
                pick(boxes[best][side], boxes[index][side]).item()
                for pick, side in ((max, 0), (max, 1), (min, 2), (min, 3))
            )
            shared = max(0.0, x2 - x1 + offset) * max(0.0, y2 - y1 + offset)
            area = [
                ((boxes[i][2] - boxes[i][0] + offset) * (boxes[i][3] - boxes[i][1] + offset)).item()
                for i in (best, index)
            ]
            overlap = shared / (sum(area) - shared)
            if method == "gaussian":
                rest[index] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                rest[index] *= 1 - overlap if method == "linear" else 0.0
            if rest[index] < least:
                del rest[index]
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_equals_the_definition(method, offset):
    from mmcv.ops import soft_nms

    generator = torch.Generator().manual_seed(3)
    low = torch.rand(60, 2, generator=generator) * 40
    boxes = torch.cat([low, low + 5 + torch.rand(60, 2, generator=generator) * 30], dim=1)
    scores = torch.rand(60, generator=generator)
    dets, kept = soft_nms(boxes, scores, 0.4, 0.5, 0.05, method, offset)
    expected = soft_nms_reference(boxes, scores, 0.4, 0.5, 0.05, method, offset)
    assert kept.tolist() == [index for index, _ in expected]
    assert 5 < len(kept) < 60
    torch.testing.assert_close(dets[:, :4], boxes[kept])
    torch.testing.assert_close(dets[:, 4], torch.tensor([score for _, score in expected]))


def test_soft_nms_keeps_classes_apart_and_no_box_is_no_box():
    from mmcv.ops import batched_nms, soft_nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9]])
    scores, config = torch.tensor([0.9, 0.8, 0.7]), {"type": "soft_nms", "iou_threshold": 0.5}
    dets, kept = batched_nms(boxes, scores, torch.tensor([0, 0, 1]), config)
    assert kept.tolist() == [0, 2, 1]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.7, 0.08]))
    dets, kept = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert (dets.shape, kept.shape) == ((0, 5), (0,))


def nms_reference(boxes, scores, threshold, offset):
    """Greedy: take the best box, drop those whose IoU with it is above the threshold."""
    left = sorted(range(len(boxes)), key=lambda i: -scores[i])
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [i for i in left if iou(boxes[best], boxes[i], offset) <= threshold]
    return kept


def iou(a, b, offset):
    width = max(min(a[2], b[2]) - max(a[0], b[0]) + offset, 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]) + offset, 0)
    area = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return width * height / (sum(area) - width * height)


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_equals_the_definition(offset):
    from mmcv.ops import nms

    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(60, 2, generator=generator) * 40
    boxes = torch.cat([corners, corners + 5 + torch.rand(60, 2, generator=generator) * 25], 1)
    scores = torch.rand(60, generator=generator)
    _, kept = nms(boxes, scores, 0.4, offset=offset)
    expected = nms_reference(boxes.tolist(), scores.tolist(), 0.4, offset)
    assert kept.tolist() == expected
    assert 1 < len(expected) < 60


def test_bfloat16_is_pooled_in_float32():
    from mmcv.ops import roi_align

    features = torch.rand(1, 1, 8, 8)
    rois = torch.tensor([[0.0, 0, 0, 7, 7]])
    exact = roi_align(features.bfloat16().float(), rois, (2, 2))
    half = roi_align(features.bfloat16(), rois.bfloat16(), (2, 2))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), exact, rtol=1e-2, atol=1e-2)


@pytest.mark.skipif(not ops.install(), reason="mmcv has compiled operators")
def test_an_operator_that_is_not_served_says_how_to_get_it():
    from mmcv.ops import RoIAlign, nms_match

    with pytest.raises(BenchError, match=r"'nms_match' has no replacement.*install an mmcv"):
        nms_match(torch.rand(3, 5), 0.5)
    with pytest.raises(BenchError, match="pool_mode='avg'"):
        RoIAlign((2, 2), pool_mode="max")(torch.rand(1, 1, 4, 4), torch.tensor([[0.0, 0, 0, 3, 3]]))


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
def test_the_libraries_are_imported_beside_any_transformers():
    """In a process of its own; mmpretrain's BLIP cannot be imported with transformers 5."""
    lines = (
        "import simmim_bench.ops as ops; ops.install()",
        "import mmpretrain.models, mmdet.models, mmseg.models, transformers",
        "from mmpretrain.registry import MODELS",
        "MODELS.build(dict(type='SwinTransformer', arch='tiny'))",
        "MODELS.build(dict(type='BlipCaption'))",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "requires extra multi-modal dependencies" in ran.stderr, ran.stderr
