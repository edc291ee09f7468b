"""What a run writes for others: ``manifest.json`` at the end and ``progress.json`` meanwhile.

The manifest says what went in, what came out and what it cost.
"""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.records.curves import curves_of
from simmim_bench.records.environment import collect_environment
from simmim_bench.records.manifest import Cost, Failure, FileRef, Manifest
from simmim_bench.records.protocols import protocol_metrics
from simmim_bench.registry import HOOKS
from simmim_bench.tasks.few_shot import IMAGE_LIST
from simmim_bench.training.cost import backbone_flops, cost_of, energy_of, peak_memory_mb
from simmim_bench.training.runner import latest_checkpoint, model_of
from simmim_bench.weights.identity import BLOCK


@HOOKS.register_module()
class ManifestHook(Hook):
    """Measure a run and write its manifest.

    The seconds of a resumed run are added up; checkpoints carry them.

    Args:
        facts: Fields of the manifest that are known before training (``Run.facts``).
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
        """Count the FLOPs of the backbone before the model is sharded."""
        model = model_of(runner)
        self.flops = backbone_flops(model.backbone, self._image_size())

    def before_train(self, runner: Any) -> None:
        """Start the clock of training."""
        self.begin = time.monotonic()

    def before_val(self, runner: Any) -> None:
        """Start the clock of the validation."""
        self.validation_begin = time.monotonic()

    def after_val(self, runner: Any) -> None:
        """Stop the clock of the validation."""
        self.validation += time.monotonic() - self.validation_begin

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Keep the last metrics; a protocol reports the last epoch, never the best."""
        self.metrics = metrics

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the seconds so far, and the time of the first start, to the checkpoint."""
        checkpoint.setdefault(BLOCK, {}).update(
            wall=self._wall(),
            validation=self.earlier["validation"] + self.validation,
            started=self.started.isoformat(),
        )

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Continue from the seconds of the resumed run."""
        kept = checkpoint[BLOCK]
        self.earlier = {"wall": kept["wall"], "validation": kept["validation"]}
        self.started = datetime.fromisoformat(kept["started"])

    def after_train(self, runner: Any) -> None:
        """Write the manifest; validate first if the run was stopped before its last validation."""
        if runner.val_loop is not None and self.metrics is None:
            runner.val_loop.run()
        self._write(runner)

    @master_only
    def write_failed(self, runner: Any, reason: str, iteration: int) -> None:
        """Write a manifest with status ``failed``.

        Args:
            runner: The runner.
            reason: Why, in a sentence.
            iteration: At which iteration, from 1.
        """
        Manifest(
            **self._facts(runner),
            status="failed",
            failure=Failure(reason=reason, iteration=iteration),
            cost=self._cost(runner),
            environment=collect_environment(),
            started=self.started,
            finished=datetime.now(timezone.utc),
        ).write(Path(runner.work_dir) / "manifest.json")

    def _facts(self, runner: Any) -> dict[str, Any]:
        """The facts, with the number of images of both parts if one is held out."""
        if self.facts.get("held_out") is None:
            return self.facts
        parts = {"images": runner.val_dataloader, "training_images": runner.train_dataloader}
        counts = {name: len(loader.dataset) for name, loader in parts.items()}
        return {**self.facts, "held_out": {**self.facts["held_out"], **counts}}

    def _wall(self) -> float:
        return self.earlier["wall"] + time.monotonic() - self.begin

    @master_only
    def _write(self, runner: Any) -> None:
        work_dir = Path(runner.work_dir)
        final = latest_checkpoint(work_dir)
        if final is None:
            raise BenchError(
                f"found no checkpoint in {work_dir} after training; check that the disk is not full"
            )
        Manifest(
            **self._facts(runner),
            status="complete",
            outputs=_outputs(final),
            metrics=protocol_metrics(self.facts.get("protocol"), self.metrics),
            cost=self._cost(runner),
            curves=curves_of(work_dir, self.facts.get("protocol"), by_epoch=_by_epoch(runner)),
            environment=collect_environment(),
            load_report=runner.message_hub.runtime_info.get("load_report"),
            started=self.started,
            finished=datetime.now(timezone.utc),
        ).write(work_dir / "manifest.json")

    def _image_size(self) -> tuple[int, int]:
        stated = (self.facts["protocol"] or self.facts["pretraining"])["image_size"]
        return (stated, stated) if isinstance(stated, int) else tuple(stated)

    def _cost(self, runner: Any) -> Cost:
        model = model_of(runner)
        wall = self._wall()
        training = wall - self.earlier["validation"] - self.validation
        images = (
            min(runner.iter, runner.max_iters) * runner.train_dataloader.batch_sampler.batch_size
        )
        return cost_of(
            model,
            device_count=get_world_size(),
            wall_seconds=wall,
            peak_memory_mb=peak_memory_mb(runner),
            images_per_second=images * get_world_size() / training if training > 0 else None,
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


@HOOKS.register_module()
class ProgressHook(Hook):
    """Write ``progress.json``: done and total iterations, seconds left and the last loss.

    During a validation it also has done and total batches, ``validated`` and ``to_validate``.

    Args:
        seconds: Write at most this often.
    """

    priority = "LOWEST"

    def __init__(self, *, seconds: float = 3.0) -> None:
        self.seconds = seconds
        self.started = (0.0, 0)
        self.written = 0.0
        self.last: dict[str, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Remember where this process starts, which is not 0 after a resume."""
        self.started = (time.monotonic(), runner.iter)

    @master_only
    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write at most every ``seconds``."""
        now = time.monotonic()
        if now - self.written < self.seconds:
            return
        loss = float(outputs["loss"].detach())
        self.written = now
        begin, first = self.started
        done = runner.iter + 1
        rate = (now - begin) / max(done - first, 1)
        self.last = {
            "done": done,
            "total": runner.max_iters,
            "unit": "iter",
            "eta_seconds": rate * (runner.max_iters - done),
            "metric": {"loss": loss} if math.isfinite(loss) else {},
        }
        atomic_write_json(Path(runner.work_dir) / "progress.json", self.last)

    def before_val(self, runner: Any) -> None:
        """Say that a validation begins."""
        self._write_validation(runner, 0)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write at most every ``seconds``."""
        if time.monotonic() - self.written >= self.seconds:
            self._write_validation(runner, batch_idx + 1)

    @master_only
    def _write_validation(self, runner: Any, done: int) -> None:
        self.written = time.monotonic()
        atomic_write_json(
            Path(runner.work_dir) / "progress.json",
            {**self.last, "validated": done, "to_validate": len(runner.val_dataloader)},
        )
