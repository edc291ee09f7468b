"""The twelve COCO figures against pycocotools, on random and on degenerate cases."""

import contextlib
import copy
import io
import json

import numpy as np
import pytest
import torch
from mmdet.structures.mask import encode_mask_results
from mmengine.logging import MMLogger
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS
from simmim_bench.tasks import coco_evaluation
from simmim_bench.tasks.detection import METRIC_NAMES

SIZE = 160
CATEGORY_IDS = (3, 11, 40)  # not contiguous
NAMES = ("pen", "cup", "book")


def box_mask(box):
    """The lower left half of the box."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    x, y, w, h = (int(value) for value in box)
    mask[y : y + h, x : x + w] = np.arange(w) <= np.arange(h)[:, None] * w / h
    return mask


def random_box(generator):
    width, height = generator.integers(6, 130, 2)
    x, y = generator.integers(0, SIZE - width), generator.integers(0, SIZE - height)
    return [int(value) for value in (x, y, width, height)]


@pytest.fixture
def truth():
    """Ground truth of 6 images; the last one is empty, one in eight objects is a crowd."""
    generator = np.random.default_rng(0)
    annotations = []
    for image in range(1, 6):
        for _ in range(generator.integers(3, 9)):
            box = random_box(generator)
            code = rle.encode(np.asfortranarray(box_mask(box)))
            code["counts"] = code["counts"].decode()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(generator.choice(CATEGORY_IDS)),
                    "bbox": box,
                    "area": int(rle.area(code)),
                    "segmentation": code,
                    "iscrowd": int(generator.random() < 1 / 8),
                }
            )
    return {
        "images": [{"id": i, "width": SIZE, "height": SIZE} for i in range(1, 7)],
        "annotations": annotations,
        "categories": [
            {"id": i, "name": n} for i, n in reversed(list(zip(CATEGORY_IDS, NAMES, strict=True)))
        ],
    }


def predictions(truth, *, extra=3, seed=1):
    """Shifted copies of the truth and ``extra`` random boxes an image; the last has none."""
    generator = np.random.default_rng(seed)
    samples = []
    for image in truth["images"]:
        boxes, labels = [], []
        for annotation in truth["annotations"]:
            if annotation["image_id"] == image["id"] and generator.random() < 0.9:
                shift = generator.integers(-6, 7, 4)
                x, y, w, h = np.maximum(np.array(annotation["bbox"]) + shift, 1)
                boxes.append([int(x), int(y), int(min(w, SIZE - x)), int(min(h, SIZE - y))])
                labels.append(CATEGORY_IDS.index(annotation["category_id"]))
        for _ in range(extra if image["id"] < 6 else 0):
            boxes.append(random_box(generator))
            labels.append(int(generator.integers(3)))
        samples.append(sample(image["id"], boxes, labels, generator.random(len(boxes))))
    return samples


def sample(image_id, boxes, labels, scores):
    boxes = np.array(boxes, float).reshape(-1, 4)
    masks = np.array([box_mask(box) for box in boxes]).reshape(-1, SIZE, SIZE).astype(bool)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    instances = {
        "bboxes": torch.tensor(corners, dtype=torch.float32),
        "scores": torch.tensor(np.asarray(scores), dtype=torch.float32),
        "labels": torch.tensor(labels, dtype=torch.long),
        "masks": torch.tensor(masks),
    }
    return {"img_id": image_id, "ori_shape": (SIZE, SIZE), "pred_instances": instances}


def measure(truth, samples, tmp_path, *, classes=NAMES, **options):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth))
    metric = METRICS.build(
        {"type": "simmim_bench.CocoMetric", "metric": ["bbox", "segm"], **options}
    )
    metric.dataset_meta = {"classes": classes, "ann_file": str(path)}
    for one in samples:
        metric.process({}, [copy.deepcopy(one)])
    return metric.evaluate(size=len(samples))


def reference(truth, samples, kind):
    """The same by pycocotools."""
    found = []
    for one in samples:
        instances = one["pred_instances"]
        for box, score, label, mask in zip(
            *(instances[key].numpy() for key in ("bboxes", "scores", "labels", "masks")),
            strict=True,
        ):
            entry = {
                "image_id": one["img_id"],
                "category_id": CATEGORY_IDS[label],
                "score": float(score),
            }
            if kind == "bbox":
                entry["bbox"] = [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]
            else:
                entry["segmentation"] = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
            found.append(entry)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(truth)
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), kind)
        evaluation.params.imgIds = [one["img_id"] for one in samples]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def assert_equal(figures, truth, samples):
    assert len(figures) == 24
    for kind in ("bbox", "segm"):
        found = [figures[f"coco/{kind}_{name}"] for name in METRIC_NAMES]
        assert found == pytest.approx(list(reference(truth, samples, kind)), abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_figures_equal_pycocotools(truth, tmp_path, seed):
    samples = predictions(truth, seed=seed)
    figures = measure(truth, samples, tmp_path)
    assert_equal(figures, truth, samples)
    assert 0.05 < figures["coco/bbox_mAP"] < 0.95
    assert figures["coco/bbox_mAP"] != round(figures["coco/bbox_mAP"], 3)
    assert figures["coco/bbox_mAP"] != figures["coco/segm_mAP"]


def test_without_hotcoco_pycocotools_gives_the_same(truth, tmp_path, monkeypatch):
    samples = predictions(truth)
    figures = measure(truth, samples, tmp_path)
    notes = []
    monkeypatch.setattr(coco_evaluation, "hotcoco", None)
    monkeypatch.setattr(MMLogger.get_current_instance(), "info", notes.append)
    assert measure(truth, samples, tmp_path) == pytest.approx(figures, abs=1e-12)
    assert_equal(figures, truth, samples)
    assert notes == ["evaluation by pycocotools: hotcoco is not installed"]


def test_scores_of_masks_are_used_for_masks(truth, tmp_path):
    samples = predictions(truth)
    other = copy.deepcopy(samples)
    for one in other:
        scores = one["pred_instances"]["scores"]
        one["pred_instances"]["mask_scores"] = scores.flip(0)
    figures, changed = (measure(truth, each, tmp_path) for each in (samples, other))
    assert changed["coco/bbox_mAP"] == figures["coco/bbox_mAP"]
    assert changed["coco/segm_mAP"] != figures["coco/segm_mAP"]


def test_precision_by_class_is_in_the_order_of_the_classes(truth, tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth))
    by_class = {}
    for classes in (NAMES, NAMES[::-1]):
        metric = METRICS.build({"type": "simmim_bench.CocoMetric"})
        metric.dataset_meta = {"classes": classes, "ann_file": str(path)}
        for one in predictions(truth):
            if classes != NAMES:
                one["pred_instances"]["labels"] = 2 - one["pred_instances"]["labels"]
            metric.process({}, [one])
        metric.evaluate(size=6)
        by_class[classes] = metric.by_class["bbox AP"]
    assert by_class[NAMES] == by_class[NAMES[::-1]][::-1]
    assert len(set(by_class[NAMES])) == 3


@pytest.mark.parametrize("size", [(40, 60), (1, 7), (60, 41)])
def test_masks_are_encoded_as_mmdet_does(size):
    generator = np.random.default_rng(0)
    masks = torch.from_numpy(generator.random((5, *size)) < 0.3)
    masks[1], masks[2] = False, True
    metric = METRICS.build({"type": "simmim_bench.CocoMetric", "metric": "segm"})
    metric._coco_api = object()
    one = sample(1, [[0, 0, 1, 1]] * 5, [0] * 5, [0.5] * 5)
    one["pred_instances"]["masks"] = masks
    metric.process({}, [one])
    assert metric.results[0][1]["masks"] == encode_mask_results(masks.numpy())
    assert one["pred_instances"]["masks"] is masks


def test_more_than_100_detections_an_image(truth, tmp_path):
    samples = predictions(truth, extra=150)
    assert_equal(measure(truth, samples, tmp_path), truth, samples)


def test_no_object_of_a_size_gives_minus_one_as_in_pycocotools(truth, tmp_path):
    truth["annotations"] = [a for a in truth["annotations"] if a["area"] < 96**2]
    samples = predictions(truth)
    figures = measure(truth, samples, tmp_path)
    assert figures["coco/bbox_mAP_l"] == -1
    assert_equal(figures, truth, samples)


def test_no_detection_at_all_is_zero_and_said(truth, tmp_path, monkeypatch):
    warned = []
    monkeypatch.setattr(MMLogger.get_current_instance(), "warning", warned.append)
    samples = [sample(image["id"], [], [], []) for image in truth["images"]]
    figures = measure(truth, samples, tmp_path)
    assert len(figures) == 24
    assert figures["coco/bbox_mAP"] == figures["coco/segm_AR@100"] == 0
    assert set(figures.values()) <= {0.0, -1.0}  # -1: the truth has no object of the size
    assert any("no detections" in text for text in warned)


def test_only_evaluated_images_count(truth, tmp_path):
    samples = predictions(truth)[:3]
    assert_equal(measure(truth, samples, tmp_path), truth, samples)


def test_an_annotation_with_id_0_is_matched_like_others(truth, tmp_path):
    samples = predictions(truth)
    figures = measure(truth, samples, tmp_path)
    for annotation in truth["annotations"]:
        annotation["id"] -= 1
    assert measure(truth, samples, tmp_path) == figures


def test_a_model_without_masks_is_told_so(truth, tmp_path):
    samples = predictions(truth)
    for one in samples:
        del one["pred_instances"]["masks"]
    with pytest.raises(BenchError, match="'segm' needs masks, but the model predicts none"):
        measure(truth, samples, tmp_path)
    assert len(measure(truth, samples, tmp_path, metric="bbox")) == 12


def test_detections_are_kept_on_request(truth, tmp_path):
    measure(truth, predictions(truth), tmp_path, outfile_prefix=str(tmp_path / "kept"))
    kept = json.loads((tmp_path / "kept.segm.json").read_text())
    assert {entry["category_id"] for entry in kept} == set(CATEGORY_IDS)


def test_without_an_annotation_file_it_says_who_knows_one():
    metric = METRICS.build({"type": "simmim_bench.CocoMetric"})
    metric.dataset_meta = {"classes": NAMES}
    with pytest.raises(BenchError, match="CocoLayoutDataset"):
        metric.process({}, [sample(1, [], [], [])])
