"""Which recipes of ``configs/any`` evaluate a backbone on some data."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.own import OwnDataset, read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.recipe.any_backbone import ONE_STRIDE
from simmim_bench.records.names import plain_name
from simmim_bench.shipped import CONFIGS

DEMO = "demo"
TASKS = ("knn", "linear", "classification", "detection", "segmentation")
"""What is evaluated unless the command line chooses."""
PROBES = (
    *("knn", "linear-grid", "logistic", "attentive"),
    *("segmentation-linear", "segmentation-linear-4", "segmentation-retrieval"),
    "depth-linear",
)
"""What ``--frozen`` evaluates: features are computed once."""
FROZEN = (*PROBES, "detection-frozen")
"""Tasks of ``--frozen``: the backbone is not trained."""
ALL = tuple(dict.fromkeys((*TASKS, *FROZEN)))
KIND_OF = {
    **dict.fromkeys(("knn", "linear", "linear-grid", "logistic", "attentive"), "classification"),
    **{task: task.partition("-")[0] for task in FROZEN if task.startswith(("seg", "det", "depth"))},
}
"""Kind of data of a task, if it is not that of its name."""
FULL = {
    "imagenet": "classification",
    "coco": "detection",
    "ade20k": "segmentation",
    "cityscapes": "segmentation",
    "voc": "segmentation",
    "nyu": "depth",
}
FULL_RECIPES = {
    "knn": "imagenet_knn",
    "linear": "imagenet_linear-90e",
    "classification": "imagenet_ft-100e",
    "detection": "coco_mask-rcnn_fpn_1x",
    "segmentation": "{data}_upernet_160k",
    "linear-grid": "imagenet_linear-grid",
    "logistic": "imagenet-1percent_logistic",
    "attentive": "imagenet_attentive",
    "segmentation-linear": "{data}_segmentation-linear_40k",
    "segmentation-linear-4": "{data}_segmentation-linear-4_40k",
    "segmentation-retrieval": "{data}_segmentation-retrieval",
    "depth-linear": "nyu_depth-linear",
    "detection-frozen": "coco_mask-rcnn_fpn_1x_frozen",
}
"""A task exists for data only if its file does: of these, only ADE20K has UperNet."""
FULL_ONE_STRIDE = {
    "detection": "coco_mask-rcnn_plain-vit_100e",
    "segmentation": "{data}_upernet_plain-vit_160k",
    "detection-frozen": "coco_mask-rcnn_plain-vit_100e_frozen",
}
SMALL_RECIPES = {
    **{task: task for task in ALL},
    "detection": "mask-rcnn",
    "segmentation": "upernet",
    "detection-frozen": "mask-rcnn_frozen",
}
BOXES_ALONE = "faster-rcnn"
FULL_IMAGES = {
    "imagenet": (1281167, 50000),
    "coco": (118287, 5000),
    "ade20k": (20210, 2000),
    "cityscapes": (2975, 500),
    "voc": (1464, 1449),
    "nyu": (24231, 654),
}
"""Training and validation images."""


@dataclass(frozen=True)
class Job:
    """A task on some data.

    Attributes:
        task: One of ``ALL``.
        name: Of the task in the suite; with the name of the data if there are several.
        data: ``demo``, one of ``FULL``, or the name of own data.
        own: Own data.
        train: Training images.
        val: Validation images.
    """

    task: str
    name: str
    data: str
    own: OwnDataset | None
    train: int
    val: int

    def config(self, shape: str) -> Path:
        """Recipe for a backbone of this shape (``Levels.shape``)."""
        if self.data in FULL:
            return _full_recipe(self.task, self.data, one_stride=shape == ONE_STRIDE)
        name = SMALL_RECIPES[self.task]
        if self.own is not None and self.own.has_masks is False:
            name = BOXES_ALONE
        return CONFIGS / "any" / (f"demo_{name}.py" if self.data == DEMO else f"{name}.py")


def find_jobs(tasks: Sequence[str], data: Sequence[str], *, frozen: bool = False) -> list[Job]:
    """Tasks on data, as a command line asks for them.

    Args:
        tasks: ``--tasks``; those of ``TASKS`` that the data allow if empty.
        data: ``--data``: names, or ``TASK=NAME``; the demo's if empty.
        frozen: ``--frozen``: tasks of ``FROZEN`` alone, and ``PROBES`` if ``tasks`` is empty.

    Raises:
        BenchError: If there is no such task or no such data, or data are of another task.
    """
    known = FROZEN if frozen else ALL
    for task in tasks:
        _check_task(task, "--frozen --tasks" if frozen else "--tasks", known)
    usual = PROBES if frozen else TASKS
    jobs: list[Job] = []
    unused: list[str] = []
    for given in data or [DEMO]:
        left, equals, right = given.partition("=")
        asked, name = ([left], right) if equals else (list(tasks), given)
        if equals:
            _check_task(left, f"--data {given}", known)
        found = list(_jobs_of(name, asked or usual, required=bool(equals)))
        unused += [] if found else [given]
        jobs += found
    covered = {job.task for job in jobs}
    if lacking := [task for task in tasks if task not in covered]:
        have = ", ".join(data)
        kind = KIND_OF.get(lacking[0], lacking[0])
        none = "has no recipe of it" if kind in map(FULL.get, data) else "has none"
        raise BenchError(
            f"--tasks {lacking[0]} needs data for {kind}, --data {have} {none}; add "
            f"--data {lacking[0]}=NAME, or leave the task out"
        )
    if unused:
        raise BenchError(
            f"--data {unused[0]}: none of the tasks {', '.join(tasks or usual)} is for these data; "
            "leave the data out, or add a task to --tasks"
        )
    twice = {job.task for job in jobs if sum(other.task == job.task for other in jobs) > 1}
    return [
        Job(**{**vars(job), "name": f"{job.task}-{plain_name(job.data)}"})
        if job.task in twice
        else job
        for job in jobs
        if not tasks or job.task in tasks or "=" in " ".join(data)
    ]


def _full_recipe(task: str, data: str, *, one_stride: bool = False) -> Path:
    names = {**FULL_RECIPES, **FULL_ONE_STRIDE} if one_stride else FULL_RECIPES
    return CONFIGS / "any" / f"{names[task].format(data=data)}.py"


def _check_task(task: str, flag: str, known: Sequence[str]) -> None:
    if task not in known:
        near = difflib.get_close_matches(task, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"tasks are {', '.join(known)}"
        raise BenchError(f"{flag}: there is no task {task!r}; {hint}")


def _jobs_of(name: str, asked: Sequence[str], *, required: bool) -> Iterator[Job]:
    """Tasks on one set of data; those of other data are left out unless they are required."""
    own = None if name == DEMO or name in FULL else read_dataset(name)
    kind = FULL.get(name) if own is None else own.task
    fitting = [
        task
        for task in ALL
        if kind is None or KIND_OF.get(task, task) == kind
        if name not in FULL or _full_recipe(task, name).is_file()
        # Faster R-CNN, which takes the place of Mask R-CNN, has no variant with a frozen backbone
        if not (task == "detection-frozen" and own is not None and own.has_masks is False)
    ]
    if not fitting:
        raise BenchError(
            f"--data {name} has no labels, so nothing can be measured on it; give labelled data, "
            "or pretrain on it: simmim-bench train configs/small/simmim_swin-demo.py "
            f"--data {name}"
        )
    for task in asked if required else []:
        if task not in fitting:
            wanted = KIND_OF.get(task, task)
            why = (
                "configs/any has no recipe of both"
                if wanted == kind
                else f"{name} has labels for {kind}, not for {wanted}"
            )
            raise BenchError(
                f"--data {task}={name}: {why}; give other data, or --data {fitting[-1]}={name}"
            )
    if own is not None and not own.images.val:
        raise BenchError(
            f"--data {name} has no validation images; import it again with --split 0.8"
        )
    for task in fitting:
        if task in asked:
            yield Job(task, task, name if own is None else own.name, own, *_images(name, task, own))


def _images(name: str, task: str, own: OwnDataset | None) -> tuple[int, int]:
    if own is not None:
        return own.images.train, own.images.val
    if name in FULL:
        return FULL_IMAGES[name]
    spec = DemoSpec()
    scenes = KIND_OF.get(task, task) != "classification"
    return (
        (spec.train_scenes, spec.val_scenes) if scenes else (spec.train_objects, spec.val_objects)
    )
