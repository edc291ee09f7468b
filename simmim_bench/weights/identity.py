"""Identity of a run, written into its checkpoints, so that only the same run resumes from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Kind
from simmim_bench.weights.files import load_checkpoint

BLOCK = "simmim_bench"
KEY = "run"
LATER = ("data", "precision", "length", "start", "features")
"""Values that checkpoints of earlier versions lack; such a run may continue."""
_OF_SCHEDULE = {
    "processes": ("{} process(es)", "start {} process(es)"),
    "images": ("{} images per process", "set train_dataloader.batch_size={}"),
    "accumulation": (
        "gradients accumulated over {} batches",
        "start as many processes as before, with the same batch size",
    ),
}
"""Values that a schedule in iterations depends on: how to show them, and the remedy."""


def read_identity(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """Identity of the run that wrote ``checkpoint``.

    Raises:
        BenchError: If the checkpoint has no identity, or its kind is unknown.
    """
    block = checkpoint.get(BLOCK)
    if not isinstance(block, dict) or not isinstance(block.get(KEY), dict):
        raise BenchError(
            f"{path} does not contain the identity of a run; give an epoch_N.pth or iter_N.pth "
            f"that simmim-bench train wrote"
        )
    run: dict[str, Any] = block[KEY]
    if run.get("kind") not in get_args(Kind):
        raise BenchError(
            f"kind in the identity in {path} is {run.get('kind')!r:.80}, expected "
            f"{' or '.join(get_args(Kind))}; the file was changed after training, use the original"
        )
    return run


def check_resumable(
    path: Path, own: dict[str, Any], length: tuple[str, int] | None = None
) -> list[str]:
    """Refuse to resume from the checkpoint of another run, or from one that holds code.

    Args:
        path: The checkpoint.
        own: Identity of the run that resumes.
        length: ``max_epochs`` or ``max_iters`` of the run that resumes, and its value.

    Returns:
        Sentences for the log.

    Raises:
        BenchError: Names the first value that differs, and the remedy.
    """
    content = load_checkpoint(path)
    written = read_identity(content, path)
    meta = content.get("meta")
    if isinstance(meta, dict) and "config" in meta:
        raise BenchError(
            f"meta.config in {path} is a config that mmengine would execute, which simmim-bench "
            "train never writes; do not use the file if it is not yours, or remove it and start "
            "again"
        )
    _check_length(path, meta, length)
    notes: list[str] = []
    for name, value in own.items():
        before = written.get(name)
        if before == value or (name in LATER and name not in written):
            continue
        if name == "data":
            notes += _check_data(path, before, value)
            continue
        if name == "precision":
            raise BenchError(
                f"{path} was written with precision {before}, this run has precision {value}; pass "
                f"--precision {before}, or give another --work-dir"
            )
        if name in _OF_SCHEDULE:
            shown, remedy = _OF_SCHEDULE[name]
            raise BenchError(
                f"{path} was written with {shown.format(before)}, this run has "
                f"{shown.format(value)}, which would change the schedule; {remedy.format(before)}"
            )
        raise BenchError(
            f"{path} was written with {name} {_short(before)}, this run has {name} "
            f"{_short(value)}; resume with the same values as before, or give another --work-dir"
        )
    return notes


def _check_length(path: Path, meta: Any, length: tuple[str, int] | None) -> None:
    """Raise if the checkpoint was trained for longer than the run that resumes."""
    if length is None or not isinstance(meta, dict):
        return
    unit = "epoch" if length[0] == "max_epochs" else "iter"
    flag = "epochs" if unit == "epoch" else "iterations"
    done = meta.get(unit)
    if isinstance(done, int) and done > length[1]:
        raise BenchError(
            f"{path} was trained for {done} {flag}, this run has {length[1]}; pass --{flag} {done} "
            f"or more"
        )


def _check_data(path: Path, before: Any, now: Any) -> list[str]:
    """Raise if the training data differ; a repaired validation image does not end a training."""
    if before is None or now is None:
        return []
    if isinstance(before, dict) and before.get("sha256") == now["sha256"]:
        return []
    shown = [_shown_data(data) for data in (before, now)]
    if _trained_on(before) is not None and _trained_on(before) == _trained_on(now):
        return [
            f"the training data are those of {path.name}, the validation data changed: it was "
            f"written with {shown[0]}, this run reads {shown[1]}"
        ]
    raise BenchError(
        f"{path} was written with the data {shown[0]}, this run reads {shown[1]}; use the same "
        f"data as before, or give another --work-dir"
    )


def _trained_on(data: Any) -> Any:
    """Fingerprint of the training data."""
    parts = data.get("parts") if isinstance(data, dict) else None
    return parts.get("train") if isinstance(parts, dict) else None


def _shown_data(data: Any) -> str:
    if not isinstance(data, dict):
        return f"{data!r:.80}"
    return f"{data.get('name')} ({data.get('images')} images, {_short(data.get('sha256'))})"


def check_unused(work_dir: Path) -> None:
    """Refuse a work dir with the results of another run, which a new run would mix with its own.

    Raises:
        BenchError: Names what was found, and the remedies.
    """
    found = sorted(path.name for path in work_dir.glob("*.pth")) if work_dir.is_dir() else []
    found += ["manifest.json"] if (work_dir / "manifest.json").exists() else []
    if found:
        raise BenchError(
            f"{work_dir} contains {found[-1]} of an earlier run; pass --resume to continue that "
            f"run, give another --work-dir, or remove the folder"
        )


def _short(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)
