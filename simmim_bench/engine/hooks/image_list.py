"""Keep the list of the images that a few-shot training saw beside what it made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook

from simmim_bench.io import atomic_write_text
from simmim_bench.registry import HOOKS

IMAGE_LIST = "training_images.txt"


@HOOKS.register_module()
class ImageListHook(Hook):
    """Write ``training_images.txt``, one path a line, if the training data are a chosen part.

    ``simmim_bench.FewShotDataset`` reads it back as ``list_file``.
    """

    @master_only
    def before_train(self, runner: Any) -> None:
        """Ask the dataset which images it chose."""
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, "chosen_images"):
            text = "".join(f"{name}\n" for name in dataset.chosen_images())
            atomic_write_text(Path(runner.work_dir) / IMAGE_LIST, text)
