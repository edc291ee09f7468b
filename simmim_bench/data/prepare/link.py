"""Put an existing copy of a dataset in its place, without copying it."""

from __future__ import annotations

from pathlib import Path

from simmim_bench.data.layouts import LAYOUTS, home, missing
from simmim_bench.errors import BenchError


def link_dataset(dataset: str, source: Path | None, root: Path) -> Path:
    """Link ``source`` as ``dataset`` below the data root ``root``.

    Returns:
        The dataset's home, a symbolic link to the copy.

    Raises:
        BenchError: If there is no source, if it does not have the expected folders, or if
            something else lies in the dataset's place.
    """
    layout = LAYOUTS[dataset]
    target = home(dataset, root)
    if source is None:
        raise BenchError(
            f"--link needs --source with the folder that holds {', '.join(layout.entries)}; "
            f"{layout.origin}"
        )
    copy = find_copy(dataset, source)
    if copy is None:
        raise no_copy(dataset, source)
    _check_classes(copy, layout.class_folders)
    if target.exists() or target.is_symlink():
        if target.resolve() == copy:
            return target
        raise BenchError(
            f"{target.absolute()} exists and is not {copy}; move it away or choose another --out"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(copy, target_is_directory=True)
    return target


def find_copy(dataset: str, source: Path) -> Path | None:
    """``source``, or the usual folder inside it, whichever holds all of the dataset."""
    layout = LAYOUTS[dataset]
    candidates = (source, source / Path(layout.home).name, source / layout.home)
    return next((each.resolve() for each in candidates if not missing(dataset, each)), None)


def no_copy(dataset: str, source: Path) -> BenchError:
    """What to say of a ``source`` that cannot be linked."""
    layout = LAYOUTS[dataset]
    if not source.is_dir():
        return BenchError(f"--source {source} is no folder; it should hold {layout.entries[0]}")
    absent = ", ".join(str(path.relative_to(source)) for path in missing(dataset, source))
    return BenchError(
        f"--source {source} is no {dataset}: {absent} missing; {layout.origin} and unpack it so "
        f"that the folder holds {', '.join(layout.entries)}"
    )


def _check_classes(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if not any(entry.is_dir() for entry in (folder / name).iterdir()):
            raise BenchError(
                f"{folder / name} has no folder per class; sort its images into "
                f"{name}/<class>/ first (for ImageNet's validation set: valprep.sh)"
            )
