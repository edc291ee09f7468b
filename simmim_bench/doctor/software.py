"""Installed packages: versions, the OpenMMLab family, OpenCV, operators; imports none of them."""

from __future__ import annotations

import importlib.util
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from simmim_bench import __version__, family
from simmim_bench.doctor.finding import Finding

PROJECT = "simmim_bench"
SHOWN = ("torch", "torchvision", "numpy", "scipy", "timm", "transformers")
OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
OPENCV_VERSION = "4.12.0.88"
"""The one that the package requires."""
HEADLESS = "pip install --force-reinstall --no-deps opencv-python-headless=={}"


def version_of(package: str) -> str | None:
    """Version of an installed distribution; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Those of ``packages`` that are installed, with their versions."""
    return {name: found for name in packages if (found := version_of(name)) is not None}


def listed(found: dict[str, str]) -> str:
    """Packages and versions in a line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())


def check_python() -> Iterator[Finding]:
    """Python is of a version that the package is for."""
    from packaging.specifiers import SpecifierSet

    text = f"{platform.python_version()} ({platform.python_implementation()}), "
    text += f"{platform.system()} {platform.release()} {platform.machine()}"
    wanted = (metadata.metadata(PROJECT)["Requires-Python"] or "") if version_of(PROJECT) else ""
    if platform.python_version() in SpecifierSet(wanted, prereleases=True):
        yield Finding("python", "ok", text)
    else:
        remedy = "make a new environment with such a Python, for example by uv or conda"
        yield Finding("python", "problem", f"{text}; {PROJECT} needs Python {wanted}", remedy)


def check_project() -> Iterator[Finding]:
    """The package itself: version, and whether pip knows it."""
    installed = version_of(PROJECT)
    if installed is None:
        yield Finding(
            PROJECT,
            "note",
            f"{__version__}, from the source folder; pip does not know it",
            "pip install -e '.[onedl]' in the source folder",
        )
    elif installed != __version__:
        yield Finding(
            PROJECT,
            "note",
            f"the code is {__version__}, pip knows {installed}",
            "pip install -e . again in the source folder",
        )
    else:
        yield Finding(PROJECT, "ok", __version__)


def check_commit() -> Iterator[Finding]:
    """Commit of the source folder, if the package runs from one."""
    from simmim_bench.records.environment import collect_environment

    found = collect_environment(())
    if found.git_dirty is not None and found.git_commit:
        also = ", with changes" if found.git_dirty else ""
        yield Finding("commit", "ok", f"{found.git_commit[:12]}{also}")


def check_packages() -> Iterator[Finding]:
    """The main libraries, and all that the package requires."""
    found = versions(SHOWN)
    yield Finding("packages", "ok", listed(found) or f"none of {', '.join(SHOWN)}")
    count, wrong = 0, list[Finding]()
    for owner in (PROJECT, "torchvision"):  # torchvision fits exactly one torch
        known, unmet = _unmet(owner)
        count, wrong = count + known, wrong + unmet
    yield from wrong
    if count and not wrong:
        yield Finding("requirements", "ok", f"all {count} are met")


def _unmet(owner: str) -> tuple[int, list[Finding]]:
    """Number of requirements of a distribution, and those that are not met.

    Those of the extra of the installed OpenMMLab family are among them.
    """
    from packaging.requirements import Requirement

    stated = map(Requirement, (metadata.requires(owner) or []) if version_of(owner) else [])
    extras = ["", *(name for name, packages in family.installed().items() if packages)]
    needed = [
        one
        for one in stated
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]
    wrong = []
    for one in needed:
        installed = version_of(one.name)
        if installed is None and one.name in family.PACKAGES:
            continue  # another package may serve the module; ``check_family`` knows
        if installed is not None and one.specifier.contains(installed, prereleases=True):
            continue
        has = "it is not installed" if installed is None else f"installed is {installed}"
        want = f"{one.name}{one.specifier}"
        text = f"{owner} needs {want}; {has}"
        wrong.append(Finding("requirements", "problem", text, f"pip install '{want}'"))
    return len(needed), wrong


def check_family() -> Iterator[Finding]:
    """One OpenMMLab family, whole: the onedl packages or the originals."""
    name = family.check_family()
    found = listed(family.installed()[name])
    yield Finding("OpenMMLab", "ok", f"{name}: {found or 'of a source folder'}")


def check_operators() -> Iterator[Finding]:
    """Who serves ``nms`` and ``roi_align``: mmcv's compiled operators or torchvision."""
    spec = importlib.util.find_spec("mmcv")
    if spec is None or spec.origin is None:
        yield Finding("operators", "note", "there is no mmcv", "see OpenMMLab above")
        return
    compiled = sorted(Path(spec.origin).parent.glob("_ext*"))
    by = f"compiled by mmcv ({compiled[0].name})" if compiled else "torchvision's (mmcv has none)"
    yield Finding("operators", "ok", f"nms and roi_align are {by}")


def check_opencv() -> Iterator[Finding]:
    """``cv2`` belongs to one package, or to several of the same version."""
    owners = versions(OPENCV)
    if not owners:
        remedy = HEADLESS.format(OPENCV_VERSION)
        yield Finding("OpenCV", "problem", "no package of it is installed", remedy)
        return
    used = _opencv_in_use()
    if len(set(owners.values())) > 1:
        yield Finding(
            "OpenCV",
            "problem",
            f"{len(owners)} packages of different versions own cv2: {listed(owners)}; used is the "
            f"one that was installed last ({used})",
            f"pip uninstall -y {' '.join(owners)}, then pip install -e '.[onedl]' and "
            + HEADLESS.format(OPENCV_VERSION),
        )
    elif used is None:
        yield Finding(
            "OpenCV",
            "problem",
            f"the files of {listed(owners)} are gone, as after removing another package of cv2",
            HEADLESS.format(next(iter(owners.values()))),
        )
    else:
        also = f"; {len(owners)} packages of this version own cv2" if len(owners) > 1 else ""
        yield Finding("OpenCV", "ok", f"{used}{also}")


def _opencv_in_use() -> str | None:
    """Version and kind of the files of cv2; None if there are none."""
    spec = importlib.util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).with_name("version.py")
    text = file.read_text("utf-8") if file.is_file() else ""
    version = re.search(r'opencv_version = "([^"]+)"', text)
    kind = "headless" if "headless = True" in text else "with windows"
    return f"{version[1]} {kind}" if version else "unknown version"
