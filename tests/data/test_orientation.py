"""In every layout, training, drawing and metrics see the pixels as they are stored."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from simmim_bench.analysis.images import as_seen
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS
from simmim_bench.tasks.class_report import _thumbnail
from simmim_bench.training.hooks import predictions

LOAD = {"type": "simmim_bench.LoadImage"}
WIDTH, HEIGHT = 48, 32


@pytest.fixture(params=[3, 6, 8])
def photo(request, tmp_path):
    """JPEG whose tag turns it; its left half is white as stored."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, : WIDTH // 2] = 255
    tag = Image.Exif()
    tag[0x0112] = request.param
    path = tmp_path / "images" / "a" / "1.jpg"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path, exif=tag)
    return path


def white(pixels):
    """Mask of bright pixels, (H, W)."""
    return np.asarray(pixels)[..., 0] > 127


EXPECTED = np.repeat(np.arange(WIDTH)[None] < WIDTH // 2, HEIGHT, axis=0)


@pytest.mark.parametrize("with_label", [True, False])
def test_folders_of_images(photo, with_label):
    dataset = DATASETS.build(
        {
            "type": "simmim_bench.ImageFolder",
            "data_root": str(photo.parents[1]),
            "with_label": with_label,
            "pipeline": [LOAD],
        }
    )
    assert (white(dataset[0]["img"]) == EXPECTED).all()


def test_label_maps_lie_on_their_images(photo, tmp_path):
    (tmp_path / "maps" / "a").mkdir(parents=True)
    Image.fromarray(EXPECTED.astype(np.uint8)).save(tmp_path / "maps" / "a" / "1.png")
    dataset = DATASETS.build(
        {
            "type": "simmim_bench.SegLayoutDataset",
            "data_root": str(tmp_path),
            "data_prefix": {"img_path": "images", "seg_map_path": "maps"},
            "num_classes": 2,
            "pipeline": [LOAD, {"type": "mmseg.LoadAnnotations"}],
        }
    )
    assert (white(dataset[0]["img"]) == (dataset[0]["gt_seg_map"] == 1)).all()


def coco(photo, tmp_path, width, height):
    box = [0, 0, WIDTH // 2, HEIGHT]
    thing = {"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 1, "iscrowd": 0}
    image = {"id": 1, "file_name": "a/1.jpg", "width": width, "height": height}
    content = {"images": [image], "annotations": [thing], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    return DATASETS.build(
        {
            "type": "simmim_bench.CocoLayoutDataset",
            "data_root": str(tmp_path),
            "ann_file": "a.json",
            "data_prefix": {"img": "images/"},
            "pipeline": [LOAD, {"type": "mmdet.LoadAnnotations", "with_bbox": True}],
        }
    )


def test_boxes_lie_on_their_images(photo, tmp_path):
    sample = coco(photo, tmp_path, WIDTH, HEIGHT)[0]
    left, top, right, bottom = sample["gt_bboxes"].tensor[0].int().tolist()
    found = np.zeros_like(EXPECTED)
    found[top:bottom, left:right] = True
    assert (white(sample["img"]) == found).all()
    assert sample["ori_shape"] == (HEIGHT, WIDTH)  # the metric scales predictions to it


def test_annotations_of_the_turned_image_are_refused(photo, tmp_path):
    with pytest.raises(BenchError, match=r"48 x 32 pixels, its annotation says 32 x 48; turn the"):
        coco(photo, tmp_path, HEIGHT, WIDTH)[0]
    with pytest.raises(BenchError, match=r"annotation says 9 x 9; correct one of them"):
        coco(photo, tmp_path, 9, 9)[0]


def test_drawings_show_what_was_trained_and_measured(photo, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setitem(
        predictions.DRAW, "segmentation", lambda _: lambda image, *_: drawn.append(image)
    )
    hook = predictions.SamplePredictionsHook(task="segmentation")
    hook.kept = [SimpleNamespace(img_path=str(photo))]
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    hook._draw(SimpleNamespace(work_dir=str(tmp_path), cfg={}), loader)
    assert (white(drawn[0]) == EXPECTED).all()
    assert (white(_thumbnail(photo)) == EXPECTED).all()


def test_analyses_see_what_was_trained(photo):
    [seen] = as_seen([photo], (HEIGHT, WIDTH))
    assert (white(seen) == EXPECTED).all()
