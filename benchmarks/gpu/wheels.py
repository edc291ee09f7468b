"""Pack the wheels that a machine with torch lacks for ``benchmarks.gpu``: at most 64 MiB.

    python -m benchmarks.gpu.wheels FOLDER --python 3.12 --installed numpy scipy pillow matplotlib

The machine then needs no network: ``pip install --no-index --no-deps --target SITE FOLDER/*.whl``.
Versions are those of constraints.txt. What the sections do not need is left out (the engine of
suites, compilers of augmentations). OpenCV and SciPy alone have 90 MB: without a machine that has
one of them, the rest does not fit, and the command says so.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from benchmarks import sparse
from simmim_bench import cli
from simmim_bench.errors import BenchError

LIMIT = 64 * 2**20
ROOTS = ("simmim_bench", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection",
         "onedl-mmsegmentation", "onedl-mmpretrain", "nvidia-ml-py", "pytest")  # fmt: skip
WITH_TORCH = {"torch", "torchvision", "triton", "sympy", "mpmath", "networkx", "fsspec", "filelock",
              "typing-extensions", "setuptools"}  # fmt: skip
LEFT_OUT = {"snakemake", "hf-xet", "imaug", "imagecorruptions-imaug", "fonttools"}
"""Not imported by a training; fonttools only draws letters that DejaVu lacks."""
INSTEAD = {"opencv-python": "opencv-python-headless"}
"""The same package without graphics libraries."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64",
             "manylinux2014_x86_64", "manylinux1_x86_64")  # fmt: skip
BUILT = ("onedl-mmcv", "onedl-mmdetection", "onedl-mmengine", "onedl-mmpretrain",
         "onedl-mmsegmentation")  # fmt: skip
"""May be distributed as source; their wheels, without compiled operators, fit every Python."""


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="new or empty folder for the wheels")
    parser.add_argument("--python", default="3.12", help="of the machine (default: 3.12)")
    parser.add_argument("--installed", nargs="+", default=[], metavar="NAME",
                        help="packages that the machine has besides torch")  # fmt: skip
    return parser.parse_args()


def run() -> None:
    """Download, build, report.

    Raises:
        BenchError: If pip fails, or the wheels have more than 64 MiB.
    """
    args = parse()
    if args.folder.exists() and any(args.folder.iterdir()):
        raise BenchError(f"{args.folder} is not empty; give a new folder")
    args.folder.mkdir(parents=True, exist_ok=True)
    names = needed(ROOTS, {*map(canonical, args.installed)}) - {"simmim-bench"}
    pins = pinned((sparse.ROOT / "constraints.txt").read_text("utf-8").splitlines(), names)
    ready = [pin for name, pin in pins.items() if name not in BUILT]
    target = ["--python-version", args.python, "--implementation", "cp", "--only-binary=:all:"]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    _pip("download", "--dest", args.folder, *target, *platforms, *ready)
    built = [pins[name] for name in BUILT if name in pins]
    _pip("wheel", "--wheel-dir", args.folder, *built, sparse.ROOT)
    report(args.folder)


def report(folder: Path) -> None:
    """Print the size of each wheel, largest first.

    Raises:
        BenchError: If the sum is above the limit.
    """
    sizes = {path.name.split("-")[0]: path.stat().st_size for path in folder.glob("*.whl")}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        print(f"{size / 2**20:7.2f} MiB  {name}")
    total = sum(sizes.values())
    print(f"{total / 2**20:7.2f} MiB  {len(sizes)} wheels")
    if total > LIMIT:
        raise BenchError(
            f"{folder} has {total / 2**20:.1f} MiB, the limit is {LIMIT / 2**20:.0f} MiB; name "
            f"what the machine has with --installed"
        )


def needed(roots: Iterable[str], installed: set[str]) -> set[str]:
    """Canonical names of what ``roots`` need, followed through the packages installed here.

    Args:
        roots: Packages.
        installed: What the machine has; their own requirements are not followed.
    """
    found: set[str] = set()
    waiting = [canonical(name) for name in roots]
    left = installed | WITH_TORCH | LEFT_OUT
    while waiting:
        given = waiting.pop()
        name = INSTEAD.get(given, given)
        if name not in left | found and not name.startswith("nvidia-c"):
            found.add(name)
            waiting += _requirements(name)
    return found


def _requirements(name: str) -> Iterator[str]:
    """Canonical names that a package asks for on this machine, without extras."""
    from packaging.requirements import Requirement

    try:
        listed = requires(name) or []
    except PackageNotFoundError:
        return
    for one in map(Requirement, listed):
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield canonical(one.name)


def pinned(constraints: Iterable[str], names: set[str]) -> dict[str, str]:
    """Requirement of each name: its version in the constraints, or any."""
    pins = {canonical(line.partition("==")[0]): line for line in constraints if "==" in line}
    return {name: pins.get(name, name) for name in sorted(names)}


def canonical(name: str) -> str:
    """Name of a package as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip(action: str, *words: object) -> None:
    command = [sys.executable, "-m", "pip", action, "--quiet", "--no-deps", *map(str, words)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BenchError(f"pip {action} failed: {done.stderr.strip()[-800:]}")


if __name__ == "__main__":
    cli.main(run)
