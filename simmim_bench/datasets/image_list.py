"""Lists of images in text files, one a line: read one, or find out which images it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath

from simmim_bench.errors import BenchError


def listed_images(path: Path, images: Sequence[str]) -> set[int]:
    """Indices of the images that a file names.

    Args:
        path: Text file; each line is a file name, or a path as in ``images``.
        images: Path of each image below the folder of all.

    Raises:
        BenchError: If the file cannot be read or names nothing, an image that is not there, or a
            file name that several folders have.
    """
    names = _read(path)
    places: dict[str, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        for name in {image, PurePath(image).name}:
            places[name].append(index)
    lacking = [name for name in names if name not in places]
    if lacking:
        raise BenchError(
            f"{len(lacking)} of the {len(names)} images that {path} names are not there, the first "
            f"is {lacking[0]}; give a list of images of this dataset"
        )
    for name in names:
        if len(places[name]) > 1:
            raise BenchError(
                f"{path} names {name}, which {len(places[name])} folders have; name it with its "
                f"folder, for example {images[places[name][0]]}"
            )
    return {places[name][0] for name in names}


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is no list of images: {error}; give a text file") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise BenchError(f"{path} names no image; give a file with one name a line")
    return names
