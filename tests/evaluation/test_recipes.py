"""Which recipes a command line asks for."""

import pytest

from simmim_bench.data.own import Images, OwnDataset, write_dataset
from simmim_bench.errors import BenchError
from simmim_bench.evaluation.recipes import TASKS, find_jobs


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Own data of every kind below the data root, by the name of their task."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))

    def make(task, name=None, **changed):
        values = {
            "name": name or task,
            "task": task,
            "classes": () if task == "unlabelled" else ("a", "b"),
            "mean": (120.0, 110.0, 100.0),
            "std": (60.0, 50.0, 40.0),
            "reduce_zero_label": False if task == "segmentation" else None,
            "has_masks": True if task == "detection" else None,
            "images": Images(train=30, val=20),
            "fingerprint": "0" * 64,
            "origin": "a test",
        }
        folder = tmp_path / (name or task)
        folder.mkdir()
        write_dataset(OwnDataset(**{**values, **changed}), folder)

    return make


def names(jobs, shape="several_strides"):
    return [(job.name, job.config(shape).stem) for job in jobs]


def test_without_data_all_tasks_run_on_the_demo():
    jobs = find_jobs([], [])
    assert [job.task for job in jobs] == list(TASKS)
    assert {job.config("one_stride").stem.split("_")[0] for job in jobs} == {"demo"}
    assert all(job.config("one_stride").is_file() for job in jobs)


def test_the_task_follows_from_own_data(data):
    data("classification")
    data("detection")
    jobs = find_jobs([], ["classification", "detection"])
    assert names(jobs) == [
        ("knn", "knn"),
        ("linear", "linear"),
        ("classification", "classification"),
        ("detection", "mask-rcnn"),
    ]
    assert (jobs[0].train, jobs[0].val) == (30, 20)


def test_boxes_without_masks_get_a_detector_of_boxes(data):
    data("detection", has_masks=False)
    assert names(find_jobs([], ["detection"])) == [("detection", "faster-rcnn")]
    with pytest.raises(BenchError, match="--tasks detection-frozen needs data for detection"):
        find_jobs(["detection-frozen"], ["detection"], frozen=True)


def test_two_sets_of_one_task_are_told_apart(data):
    data("segmentation", "roads")
    data("segmentation", "Bäume")
    assert names(find_jobs([], ["roads", "Bäume"])) == [
        ("segmentation-roads", "upernet"),
        ("segmentation-B-ume", "upernet"),
    ]


def test_full_size_recipes_follow_the_strides():
    jobs = find_jobs(["detection", "segmentation"], ["coco", "ade20k"])
    assert [stem for _, stem in names(jobs)] == ["coco_mask-rcnn_fpn_1x", "ade20k_upernet_160k"]
    assert [stem for _, stem in names(jobs, "one_stride")] == [
        "coco_mask-rcnn_plain-vit_100e",
        "ade20k_upernet_plain-vit_160k",
    ]
    for job in find_jobs([], ["imagenet", "coco", "ade20k"]):
        assert job.config("one_stride").is_file()


def test_cityscapes_and_voc_are_probed_and_not_fine_tuned():
    linear, voc = find_jobs(["segmentation-linear"], ["cityscapes", "voc"], frozen=True)
    assert names([linear, voc]) == [
        ("segmentation-linear-cityscapes", "cityscapes_segmentation-linear_40k"),
        ("segmentation-linear-voc", "voc_segmentation-linear_40k"),
    ]
    assert (voc.train, voc.val) == (1464, 1449)
    found = find_jobs([], ["cityscapes"], frozen=True)
    assert len(found) == 3
    assert all(job.config("one_stride").is_file() for job in found)
    with pytest.raises(BenchError, match="--data voc has no recipe of it; add --data"):
        find_jobs(["segmentation"], ["voc"])
    with pytest.raises(BenchError, match="segmentation=voc: configs/any has no recipe of both"):
        find_jobs([], ["segmentation=voc"])


def test_data_that_no_task_uses_are_refused():
    with pytest.raises(BenchError, match="--data imagenet: none of the tasks seg"):
        find_jobs(["segmentation-linear"], ["voc", "imagenet"], frozen=True)
    with pytest.raises(BenchError, match=r"--data coco: none .* add a task to --tasks"):
        find_jobs([], ["imagenet", "coco"], frozen=True)


def test_depth_is_probed_where_there_are_depth_maps(data):
    data("segmentation", "roads")
    found = find_jobs([], ["demo", "nyu", "roads"], frozen=True)
    depth = [job for job in found if job.task == "depth-linear"]
    assert names(depth) == [
        ("depth-linear-demo", "demo_depth-linear"),
        ("depth-linear-nyu", "nyu_depth-linear"),
    ]
    assert [job.train for job in depth] == [2000, 24231]
    assert all(job.config("one_stride").is_file() for job in depth)
    with pytest.raises(BenchError, match="--tasks depth-linear needs data for depth, --data roads"):
        find_jobs(["depth-linear"], ["roads"], frozen=True)


@pytest.mark.parametrize(
    ("tasks", "given", "said"),
    [
        (["detektion"], [], r"--tasks: there is no task 'detektion'; did you mean detection\?"),
        (["x"], [], "tasks are knn, linear, classification, detection, segmentation"),
        (["segmentation"], ["birds"], "--tasks segmentation needs data for segmentation, --data"),
        ([], ["detection=birds"], "birds has labels for classification, not for detection"),
        ([], ["boxes=birds"], "--data boxes=birds: there is no task 'boxes'"),
        ([], ["plain"], "--data plain has no labels, so nothing can be measured on it"),
        ([], ["few"], "--data few has no validation images; import it again with --split 0.8"),
        ([], ["nowhere"], "no own data 'nowhere'"),
    ],
)
def test_what_does_not_fit_is_refused(data, tasks, given, said):
    data("classification", "birds")
    data("unlabelled", "plain")
    data("classification", "few", images=Images(train=3, val=0))
    with pytest.raises(BenchError, match=said):
        find_jobs(tasks, given)
