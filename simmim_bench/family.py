"""Which family of the OpenMMLab libraries is installed; imports none of them.

Two families own the modules mmengine, mmcv, mmdet, mmseg and mmpretrain: the ``onedl`` packages,
which are maintained, and the original ``openmmlab`` packages, which are not. Either works. pip
installs one over the other without a warning, and the files that remain are a mixture of both.

``python -m simmim_bench.family FAMILY`` fails if another family is installed; ``make setup`` asks
this before it installs one.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec

from simmim_bench import cli
from simmim_bench.errors import BenchError

PROJECT = "simmim_bench"
FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "onedl": {
        "mmengine": ("onedl-mmengine",),
        "mmcv": ("onedl-mmcv",),
        "mmdet": ("onedl-mmdetection",),
        "mmseg": ("onedl-mmsegmentation",),
        "mmpretrain": ("onedl-mmpretrain",),
    },
    "openmmlab": {
        "mmengine": ("mmengine", "mmengine-lite"),
        "mmcv": ("mmcv-lite", "mmcv", "mmcv-full"),
        "mmdet": ("mmdet",),
        "mmseg": ("mmsegmentation",),
        "mmpretrain": ("mmpretrain",),
    },
}
"""For each extra of the package, the modules and the packages that may own them."""
PACKAGES = tuple(
    name for modules in FAMILIES.values() for packages in modules.values() for name in packages
)


def installed() -> dict[str, dict[str, str]]:
    """Packages of each family that are installed, with their versions."""
    return {
        family: {
            name: version
            for packages in modules.values()
            for name in packages
            if (version := _version(name)) is not None
        }
        for family, modules in FAMILIES.items()
    }


def check_family() -> str:
    """Check that the libraries are installed, all of one family.

    Returns:
        Name of the family, ``onedl`` or ``openmmlab``.

    Raises:
        BenchError: If no family is installed, both are, or a module is missing.
    """
    found = {family: packages for family, packages in installed().items() if packages}
    missing = [module for module in FAMILIES["onedl"] if find_spec(module) is None]
    if not found and missing:
        raise BenchError(
            f"the OpenMMLab libraries are not installed; pip install '{PROJECT}[onedl]' (or "
            f"'{PROJECT}[openmmlab]', the original releases)"
        )
    if len(found) > 1:
        names = " ".join(name for packages in found.values() for name in packages)
        raise BenchError(
            f"the OpenMMLab libraries are installed twice, as {' and '.join(found)}, and overwrite "
            f"one another's files; remove both and install one: pip uninstall --yes {names} && "
            f"pip install '{PROJECT}[onedl]'"
        )
    family = next(iter(found), "openmmlab")  # a source folder on the path is no package
    if missing:
        raise BenchError(_incomplete(family, found[family], missing))
    return family


def check_no_other(family: str) -> None:
    """Check that installing ``family`` does not overwrite the other one.

    Raises:
        BenchError: If packages of the other family are installed.
    """
    for other, packages in installed().items():
        if packages and other != family:
            raise BenchError(
                f"the OpenMMLab libraries are installed here as {other} ({', '.join(packages)}), "
                f"and {family} would overwrite their files; FAMILY={other} keeps them, "
                f"VENV=.venv-{family} makes another environment"
            )


def _incomplete(family: str, packages: Mapping[str, str], missing: list[str]) -> str:
    names = FAMILIES[family]
    listed = ", ".join(f"{name} {version}" for name, version in packages.items())
    lost = {name: package for name in missing for package in names[name] if package in packages}
    if lost:
        wanted = " ".join(f"{package}=={packages[package]}" for package in lost.values())
        return (
            f"the files of {', '.join(lost)} are gone, as after removing another family of the "
            f"OpenMMLab libraries ({listed}); pip install --force-reinstall --no-deps {wanted}"
        )
    wanted = " ".join(f"'{_requirement(names[name][0])}'" for name in missing)
    return (
        f"{', '.join(missing)} of the OpenMMLab libraries is not installed beside {listed}; pip "
        f"install {wanted}"
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _requirement(package: str) -> str:
    """``package`` with the versions that this project asks for."""
    try:
        stated = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        stated = []
    bare = (text.partition(";")[0].strip() for text in stated)
    return next((text for text in bare if re.split("[<>=!~ ]", text)[0] == package), package)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simmim_bench.family", description=__doc__)
    parser.add_argument("family", choices=list(FAMILIES))
    check_no_other(parser.parse_args().family)


if __name__ == "__main__":
    cli.main(_main)
