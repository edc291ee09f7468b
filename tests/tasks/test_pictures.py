"""Pictures of predictions: what is drawn where, in which colour, and that names can be read."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from simmim_bench.registry import HOOKS
from simmim_bench.tasks.pictures import (
    BLEND,
    LEAST_SIDE,
    TILE,
    Objects,
    colours,
    draw_label_map,
    draw_names,
    draw_objects,
    objects_of,
    sheet,
    side_by_side,
    top_classes,
)

CLASSES = ("cat", "größe", "a very long name of a class that does not fit below an image")


def grey(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def test_colours_differ_and_stay_when_there_are_more_classes():
    assert len(set(colours(1000))) == 1000
    assert colours(3) == colours(150)[:3]
    first = np.array(colours(20), int)
    distances = np.abs(first[:, None] - first).sum(2) + 999 * np.eye(20, dtype=int)
    assert distances.min() >= 40


def test_a_box_lies_where_it_is_in_the_enlarged_image():
    objects = Objects(np.array([[10, 20, 30, 36]], np.float32), np.array([1]))
    drawn = draw_objects(grey(40, 80), objects, CLASSES)
    assert drawn.shape == (LEAST_SIDE, 2 * LEAST_SIDE, 3)
    scale = LEAST_SIDE // 40
    colour = list(colours(3)[1])
    assert drawn[30 * scale, 10 * scale].tolist() == colour  # left edge
    assert drawn[36 * scale, 25 * scale].tolist() == colour  # lower edge
    assert drawn[28 * scale, 20 * scale].tolist() == [100] * 3
    assert (draw_objects(grey(400, 500), objects, CLASSES).shape) == (400, 500, 3)


def test_masks_are_blended_and_boxes_outside_are_drawn_inside():
    mask = np.zeros((1, 400, 400), bool)
    mask[0, 100:200, 100:200] = True
    objects = Objects(np.array([[-50, -50, 900, 900]], np.float32), np.array([0]),
                      np.array([0.5], np.float32), mask)  # fmt: skip
    drawn = draw_objects(grey(400, 400), objects, CLASSES)
    expected = [round((1 - BLEND) * 100 + BLEND * part) for part in colours(3)[0]]
    assert np.abs(drawn[150, 150].astype(int) - expected).max() <= 1
    assert drawn[300, 300].tolist() == [100] * 3
    assert drawn[0, 0].tolist() == list(colours(3)[0])  # the name


def test_objects_below_the_score_are_left_out():
    found = objects_of(
        {
            "bboxes": torch.rand(3, 4, requires_grad=False),
            "labels": torch.tensor([0, 1, 2]),
            "scores": torch.tensor([0.2, 0.9, 0.3]),
            "masks": torch.ones(3, 4, 4, dtype=torch.bool),
        },
        0.3,
    )
    assert found.labels.tolist() == [1, 2]
    assert found.boxes.shape == (2, 4)
    assert found.masks.shape == (2, 4, 4)


def test_a_label_map_leaves_other_labels_and_names_what_it_has():
    labels = np.full((400, 400), 1)
    labels[:, 200:] = 255
    drawn = draw_label_map(grey(400, 400), labels, CLASSES)
    expected = [(1 - BLEND) * 100 + BLEND * part for part in colours(3)[1]]
    assert np.abs(drawn[10, 10] - np.array(expected)).max() <= 1
    assert drawn[10, 300].tolist() == [100] * 3
    assert drawn.shape[1] > 400  # the legend


def test_tiles_of_any_image_have_one_width():
    tiles = [draw_names(grey(*size), CLASSES) for size in ((8, 8), (500, 20), (3, 900))]
    assert {tile.shape for tile in tiles} == {tiles[0].shape}
    assert tiles[0].shape[1] == TILE
    assert sheet(tiles).shape[1] > 3 * TILE
    both = side_by_side([grey(10, 20), grey(30, 40)], ("truth", "prediction"))
    assert both.shape[1] >= 60


def test_the_most_probable_classes_come_first():
    assert top_classes(torch.tensor([0.1, 0.7, 0.2]), CLASSES, 2) == [
        ("größe", pytest.approx(0.7)),
        (CLASSES[2], pytest.approx(0.2)),
    ]


def test_a_k_nn_run_keeps_the_paths_of_its_stored_images(tmp_path):
    reserved = []
    model = SimpleNamespace(labels=[], reserve=reserved.append)
    images = [{"img_path": f"cats/{number}.png"} for number in range(3)]
    kind = type("Data", (), {"__len__": lambda _: 3, "get_data_info": lambda _, n: images[n]})
    loader = SimpleNamespace(dataset=kind())
    hook = HOOKS.build({"type": "simmim_bench.ReserveMemoryHook"})
    hook.before_train(SimpleNamespace(model=model, train_dataloader=loader, work_dir=str(tmp_path)))
    assert reserved == [3]
    listed = (tmp_path / "stored_images.txt").read_text("utf-8")
    assert listed == "cats/0.png\ncats/1.png\ncats/2.png\n"


def test_a_long_path_is_drawn_without_its_start():
    long, name = "a folder/and another of them/photo 17.png", "another of them/photo 17.png"
    drawn = draw_names(grey(8, 8), [], long)
    assert (drawn == draw_names(grey(8, 8), [], f"x{long}")).all()
    assert (drawn != draw_names(grey(8, 8), [], f"{long}x")).any()
    assert (drawn != draw_names(grey(8, 8), [], name.replace("17", "18"))).any()


def test_the_best_objects_are_kept():
    instances = {
        "bboxes": torch.zeros(4, 4),
        "labels": torch.arange(4),
        "scores": torch.tensor([0.1, 0.9, 0.5, 0.7]),
    }
    assert objects_of(instances, 0.2, most=2).labels.tolist() == [1, 3]
    assert objects_of(instances, 0.6, most=3).labels.tolist() == [1, 3]
    assert objects_of(instances, 0.2).labels.tolist() == [1, 2, 3]
