"""Put a dataset below the data root: link a copy, or unpack given or downloaded archives."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock

from simmim_bench.data.layouts import LAYOUTS, home, missing
from simmim_bench.data.prepare.archives import gather, gather_folder
from simmim_bench.data.prepare.convert import CONVERTERS, folder_converter
from simmim_bench.errors import BenchError

Say = Callable[[str], None]


def obtain(dataset: str, sources: list[str], root: Path, *, link: bool, say: Say) -> Path:
    """Put ``dataset`` below the data root ``root``, unless it is there.

    A folder that has the expected layout is linked. Archives are checked, unpacked and converted
    in a temporary folder, which is renamed when it is complete.

    Args:
        dataset: A key of ``ARCHIVES``.
        sources: A folder, or archives by path or address. Others are downloaded, if they have a
            public address.
        root: Data root; downloads are kept in ``root/downloads``.
        link: Only link a folder.
        say: Called with lines of text for the user.

    Returns:
        Folder of the dataset.

    Raises:
        BenchError: If something is missing or damaged, or the target exists.
    """
    target = home(dataset, root)
    folder = Path(sources[0]) if len(sources) == 1 else None
    if link or (folder and find_copy(dataset, folder)):
        return link_dataset(dataset, folder, root)
    if not sources and not missing(dataset, target):
        say(f"{target} is already there; check it with --verify")
        return target
    _check_free(target)
    try:
        fill = _filler(dataset, folder, sources, root, say)
        with _building(target) as building:
            fill(building)
            if absent := missing(dataset, building):
                raise BenchError(
                    f"{' '.join(sources) or dataset} has no {absent[0].relative_to(building)}, "
                    f"expected {dataset}; check --source or download it again"
                )
    except OSError as error:
        raise BenchError(
            f"{dataset} cannot be written to {root.absolute()} ({error.strerror or error}); choose "
            "another folder with --out or SIMMIM_BENCH_DATA"
        ) from error
    return target


def link_dataset(dataset: str, source: Path | None, root: Path) -> Path:
    """Link ``source`` as ``dataset`` below the data root ``root``.

    Returns:
        Folder of the dataset, a symbolic link to the copy.

    Raises:
        BenchError: If there is no source, it lacks an expected folder, or the target exists and is
            not this copy.
    """
    layout = LAYOUTS[dataset]
    target = home(dataset, root)
    if source is None:
        raise BenchError(
            f"--link needs --source with the folder that holds {', '.join(layout.needed)}; "
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
    """``source`` or the usual folder inside it, whichever is complete; None if neither is."""
    layout = LAYOUTS[dataset]
    candidates = (source, source / Path(layout.home).name, source / layout.home)
    return next((each.resolve() for each in candidates if not missing(dataset, each)), None)


def no_copy(dataset: str, source: Path) -> BenchError:
    """Error for a ``source`` that cannot be linked."""
    layout = LAYOUTS[dataset]
    if not source.is_dir():
        return BenchError(
            f"--source {source} is not a folder; expected one with {layout.needed[0]}"
        )
    absent = ", ".join(str(path.relative_to(source)) for path in missing(dataset, source))
    return BenchError(
        f"--source {source} is not {dataset}: {absent} missing; {layout.origin} and unpack it so "
        f"that the folder holds {', '.join(layout.needed)}"
    )


def _filler(
    dataset: str, folder: Path | None, sources: list[str], root: Path, say: Say
) -> Callable[[Path], None]:
    """Function that fills a folder with ``dataset``."""
    if folder is None or not folder.is_dir():
        archives = gather(dataset, sources, root / "downloads", say)
    elif not (archives := gather_folder(dataset, folder)):
        fill = folder_converter(dataset, folder)
        if fill is None:
            raise no_copy(dataset, folder)
        return fill
    return partial(CONVERTERS[dataset], archives)


def _check_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise BenchError(
            f"{target.absolute()} exists; move it away to prepare it again, or choose another --out"
        )


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    """Folder beside ``target``, renamed to it at the end; leftovers of a killed run are removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.building")
    with FileLock(target.with_name(f".{target.name}.lock")):
        _check_free(target)  # another process may have made it meanwhile
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        try:
            yield building
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _check_classes(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if not any(entry.is_dir() for entry in (folder / name).iterdir()):
            raise BenchError(
                f"{folder / name} has no folder per class; sort its images into "
                f"{name}/<class>/ first (for ImageNet's validation set: valprep.sh)"
            )
