"""``--try``: a few iterations and a validation of any config on a handful of images.

It shows on a user's own machine that config, memory and installation work. Images are a few of
``--data`` or ``--data-root``, else of the embedded demo. Model, transforms and image size are those
of the config; data, batch and schedule are tiny.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from simmim_bench.config import datasets, load_config, set_everywhere
from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import CLASSES, DemoSpec
from simmim_bench.data.layouts import expected_paths
from simmim_bench.recipe.command_line import config_of
from simmim_bench.training.run import Run

FOLDER = Path("work_dirs") / "try"
BATCH = 2  # batch norm over pooled features needs two, as does mixup
DETECTION_BATCH = 1  # plain ViT at 1024 px stores 6 GiB of activations per image
VALIDATION_IMAGES = 4

STAND_INS = {
    "cifar10": "imagenet",
    "cifar100": "imagenet",
    "cityscapes": "ade/ADEChallengeData2016",
    "camvid": "ade/ADEChallengeData2016",
    "voc": "ade/ADEChallengeData2016",
}
"""Demo data of the same layout for datasets that the demo does not contain."""
NYU_SIZE = (640, 480)
"""Width and height."""


def takes_demo(args: argparse.Namespace) -> bool:
    """Whether a try takes demo images: the command line names no data."""
    return not (args.data or args.data_root)


def prepare_try(args: argparse.Namespace) -> argparse.Namespace:
    """``--try``: unless there are own data, build demo images and let the config find them.

    Args:
        args: Namespace of ``simmim-bench train``.

    Returns:
        The same with a work dir, and with ``--from-scratch`` if a backbone is needed and not given.
    """
    cfg = _with_demo(args) if takes_demo(args) else config_of(args)
    needs_backbone = "protocol" in cfg and not args.pretrained
    return argparse.Namespace(
        **{
            **vars(args),
            "work_dir": args.work_dir or str(FOLDER / Path(args.config).stem),
            "from_scratch": args.from_scratch or needs_backbone,
        }
    )


def _with_demo(args: argparse.Namespace) -> Any:
    """Build demo images and load the config with them."""
    count = max(40, args.try_iterations * BATCH * _processes())
    spec = DemoSpec(
        train_objects=count,
        val_objects=40,
        unlabelled=count,
        train_scenes=count,
        val_scenes=10,
    )
    data = FOLDER / f"data-{count}"
    demo = build_demo(data, spec, processes=1).folder
    _link_stand_ins(demo)
    kinds = (str(found.get("type")) for _, found in datasets(load_config(args.config)))
    if any(kind.endswith("NYUDataset") for kind in kinds):
        _make_nyu(demo)
    return _find_layout(data, args.config)


def _link_stand_ins(demo: Path) -> None:
    for name, same_layout in STAND_INS.items():
        with contextlib.suppress(FileExistsError):  # of an earlier try, or another process
            (demo / name).symlink_to(same_layout, target_is_directory=True)


def _make_nyu(demo: Path) -> None:
    """The demo's scenes in NYU's layout and size; the depth is the order of overlap."""
    import cv2
    from PIL import Image

    from simmim_bench.tasks.depth_data import DemoDepth, OverlapDepth

    if (demo / "nyu").exists():
        return
    depth_of = OverlapDepth(background=8.0, ratio=2.0)
    with tempfile.TemporaryDirectory(dir=demo) as place:
        for part, split in (("train", "train2017"), ("test", "val2017")):
            images, maps = (Path(place, kind, part) for kind in ("images", "annotations"))
            images.mkdir(parents=True)
            maps.mkdir(parents=True)
            annotations = f"annotations/instances_{split}.json"
            scenes = DemoDepth(
                data_root=str(demo / "coco"), data_prefix={"img_path": split}, ann_file=annotations
            )
            for number in range(len(scenes)):
                scene = scenes.get_data_info(number)
                with Image.open(scene["img_path"]) as image:
                    image.resize(NYU_SIZE).save(images / f"scene_{number}.jpg")
                    size = image.height, image.width
                depth = depth_of.transform({**scene, "ori_shape": size})["gt_depth_map"]
                larger = cv2.resize(depth, NYU_SIZE, interpolation=cv2.INTER_NEAREST)
                cv2.imwrite(str(maps / f"scene_{number}.png"), (1000 * larger).astype("uint16"))
        with contextlib.suppress(OSError):  # another process was faster
            Path(place).rename(demo / "nyu")
            Path(place).mkdir()  # to be removed


def _find_layout(data: Path, config: str) -> Any:
    """Set SIMMIM_BENCH_DATA so that the config, full-size or demo, finds its layout; load it."""
    for root in (data / "demo", data):
        os.environ["SIMMIM_BENCH_DATA"] = str(root.absolute())
        cfg = load_config(config)
        if all(path.exists() for _, found in datasets(cfg) for path in expected_paths(found)):
            break
    return cfg


def _processes() -> int:
    """Processes that torchrun or srun started."""
    return int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1)


def shrink(cfg: Any, run: Run) -> None:
    """``--try``: keep the model and the transforms; make data, batch and schedule tiny."""
    if run.try_iterations is None:
        return
    iterations = run.try_iterations
    detection = cfg.get("protocol", {}).get("task") == "detection"
    batch = DETECTION_BATCH if detection else BATCH
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        loader = cfg.get(name)
        if loader is None:
            continue
        loader.batch_size = batch if name == "train_dataloader" else 1
        loader.num_workers = 0
        for option in ("persistent_workers", "prefetch_factor"):
            loader.pop(option, None)
    for name, dataset in datasets(cfg):
        is_training = name == "train_dataloader"
        dataset.indices = iterations * batch * run.world_size if is_training else VALIDATION_IMAGES
    if "max_iters" in cfg.train_cfg:
        cfg.train_cfg.update(max_iters=iterations, val_interval=iterations)
    else:
        cfg.train_cfg.max_epochs = 1
        if "val_interval" in cfg.train_cfg:
            cfg.train_cfg.val_interval = 1
    cfg.optim_wrapper.pop("accumulative_counts", None)  # each iteration is an optimiser step
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False)  # nothing to export
    for name in ("model", "val_evaluator", "test_evaluator"):
        set_everywhere(cfg.get(name), "neighbours", [1])  # k-NN stores only two images
    if detection and not run.has_own_data:
        set_everywhere(cfg, "num_classes", len(CLASSES))
