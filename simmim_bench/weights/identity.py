"""Identity of a run, written into its checkpoints, so that only the same run resumes from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.weights.files import load_checkpoint

BLOCK = "simmim_bench"
KEY = "run"
_REMEDY = {
    "processes": "the schedule counts iterations; start the same number of processes as before",
    "images": "the schedule counts iterations; use the same batch size as before",
    "accumulation": "the schedule counts iterations; start the same number of processes as before",
}
_NEW_FOLDER = "resume with the same values as before, or give another --work-dir"


def read_identity(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """Identity of the run that wrote ``checkpoint``.

    Raises:
        BenchError: If the checkpoint has no identity.
    """
    block = checkpoint.get(BLOCK)
    if not isinstance(block, dict) or not isinstance(block.get(KEY), dict):
        raise BenchError(
            f"{path} does not contain the identity of a run; give an epoch_N.pth or iter_N.pth "
            f"that tools/train.py wrote"
        )
    run: dict[str, Any] = block[KEY]
    return run


def check_resumable(path: Path, own: dict[str, Any]) -> None:
    """Refuse to resume from the checkpoint of another run.

    Raises:
        BenchError: Names the first value that differs, and the remedy.
    """
    written = read_identity(load_checkpoint(path), path)
    for name, value in own.items():
        if written.get(name) != value:
            raise BenchError(
                f"{path} was written by a run with {name} {_short(written.get(name))}, this run "
                f"has {name} {_short(value)}; {_REMEDY.get(name, _NEW_FOLDER)}"
            )


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
