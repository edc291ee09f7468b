"""Write ``manifest.json`` when a run has ended well: what went in, what came out, what it cost."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.records.curves import curves_of
from simmim_bench.records.environment import collect_environment
from simmim_bench.records.manifest import Cost, Failure, FileRef, Manifest
from simmim_bench.records.protocols import protocol_metrics
from simmim_bench.registry import HOOKS
from simmim_bench.tasks.few_shot import IMAGE_LIST
from simmim_bench.training.cost import (
    backbone_flops,
    device_name,
    device_of,
    energy_of,
    peak_memory_mb,
)
from simmim_bench.training.runner import latest_checkpoint
from simmim_bench.weights.identity import BLOCK

PACKAGES = (
    "torch", "torchvision", "numpy", "opencv-python", "onedl-mmengine", "onedl-mmcv",
    "onedl-mmdetection", "onedl-mmsegmentation", "onedl-mmpretrain", "simmim_bench",
)  # fmt: skip


@HOOKS.register_module()
class ManifestHook(Hook):
    """Measure a run and write its manifest.

    Seconds of a run that was interrupted and resumed are added up: they travel in the
    checkpoints.

    Args:
        facts: Fields of the manifest that are known before the run (stage, method, config...).
    """

    priority = "VERY_LOW"

    def __init__(self, *, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.metrics: dict[str, float] | None = None
        self.earlier = {"wall": 0.0, "validation": 0.0}
        self.begin = self.validation_begin = time.monotonic()
        self.validation = 0.0
        self.started = datetime.now(timezone.utc)

    def before_run(self, runner: Any) -> None:
        """Count the backbone's work while every process holds all of it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.flops = backbone_flops(model.backbone, self._image_size())

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        self.begin = time.monotonic()

    def before_val(self, runner: Any) -> None:
        """Start the clock of the validation."""
        self.validation_begin = time.monotonic()

    def after_val(self, runner: Any) -> None:
        """Stop the clock of the validation."""
        self.validation += time.monotonic() - self.validation_begin

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Keep the newest metrics; a protocol reports the last epoch, never the best."""
        self.metrics = metrics

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the seconds spent so far and the first start into the checkpoint."""
        checkpoint.setdefault(BLOCK, {}).update(
            wall=self._wall(),
            validation=self.earlier["validation"] + self.validation,
            started=self.started.isoformat(),
        )

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take over the seconds of the run that is resumed."""
        kept = checkpoint[BLOCK]
        self.earlier = {"wall": kept["wall"], "validation": kept["validation"]}
        self.started = datetime.fromisoformat(kept["started"])

    def after_train(self, runner: Any) -> None:
        """Validate if the run was cut off between its last checkpoint and its validation."""
        if runner.val_loop is not None and self.metrics is None:
            runner.val_loop.run()
        self._write(runner)

    @master_only
    def write_failed(self, runner: Any, reason: str, iteration: int) -> None:
        """Write a manifest that says that the run failed, why, and where.

        Args:
            runner: The runner.
            reason: A sentence.
            iteration: From 1.
        """
        Manifest(
            **self.facts,
            status="failed",
            failure=Failure(reason=reason, iteration=iteration),
            cost=self._cost(runner),
            environment=collect_environment(PACKAGES),
            started=self.started,
            finished=datetime.now(timezone.utc),
        ).write(Path(runner.work_dir) / "manifest.json")

    def _wall(self) -> float:
        return self.earlier["wall"] + time.monotonic() - self.begin

    @master_only
    def _write(self, runner: Any) -> None:
        work_dir = Path(runner.work_dir)
        final = latest_checkpoint(work_dir)
        if final is None:
            raise BenchError(f"no checkpoint in {work_dir} after training; is its disk full?")
        Manifest(
            **self.facts,
            status="complete",
            outputs=_outputs(final),
            metrics=protocol_metrics(self.facts.get("protocol"), self.metrics),
            cost=self._cost(runner),
            curves=curves_of(work_dir, self.facts.get("protocol"), by_epoch=_by_epoch(runner)),
            environment=collect_environment(PACKAGES),
            load_report=runner.message_hub.runtime_info.get("load_report"),
            started=self.started,
            finished=datetime.now(timezone.utc),
        ).write(work_dir / "manifest.json")

    def _image_size(self) -> tuple[int, int]:
        stated = (self.facts["protocol"] or self.facts["pretraining"])["image_size"]
        return (stated, stated) if isinstance(stated, int) else tuple(stated)

    def _cost(self, runner: Any) -> Cost:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        wall = self._wall()
        training = wall - self.earlier["validation"] - self.validation
        images = (
            min(runner.iter, runner.max_iters) * runner.train_dataloader.batch_sampler.batch_size
        )
        return Cost(
            device=device_name(device_of(model)),
            device_count=get_world_size(),
            wall_seconds=wall,
            peak_memory_mb=peak_memory_mb(runner),
            images_per_second=images * get_world_size() / training if training > 0 else None,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            flops=self.flops,
            **energy_of(runner),
        )


def _outputs(checkpoint: Path) -> dict[str, FileRef]:
    files = {"checkpoint": checkpoint, "training_images": checkpoint.with_name(IMAGE_LIST)}
    return {
        name: FileRef(path=file.name, sha256=sha256_file(file))
        for name, file in files.items()
        if file.is_file()
    }


def _by_epoch(runner: Any) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


# Tell other processes how far a run is: ``progress.json`` in the work dir.


@HOOKS.register_module()
class ProgressHook(Hook):
    """Write done and total iterations, seconds left and the last loss.

    Args:
        seconds: Write at most this often.
    """

    priority = "LOWEST"

    def __init__(self, *, seconds: float = 3.0) -> None:
        self.seconds = seconds
        self.started = (0.0, 0)
        self.written = 0.0

    def before_train(self, runner: Any) -> None:
        """Remember where this process began, which is not 0 after a resume."""
        self.started = (time.monotonic(), runner.iter)

    @master_only
    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write when the last write is old enough."""
        now = time.monotonic()
        if now - self.written < self.seconds:
            return
        loss = float(outputs["loss"].detach())
        self.written = now
        begin, first = self.started
        done = runner.iter + 1
        rate = (now - begin) / max(done - first, 1)
        atomic_write_json(
            Path(runner.work_dir) / "progress.json",
            {
                "done": done,
                "total": runner.max_iters,
                "unit": "iter",
                "eta_seconds": rate * (runner.max_iters - done),
                "metric": {"loss": loss} if math.isfinite(loss) else {},
            },
        )
