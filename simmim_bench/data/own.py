"""Own data: a folder that ``simmim-bench data import`` wrote, and its ``dataset.json``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from typing_extensions import Self

from simmim_bench.data.layouts import LAYOUTS, data_root
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, parse_json, read_bytes

CARD = "dataset.json"
MOST_CHANNELS = 16
LONGEST = 120
"""Bytes of a name in UTF-8, as of every name in a table."""
EIGHT_BITS = (0.0, 255.0)
IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
"""Statistics of photographs, RGB."""

TRAIN, VAL = "train", "val"
"""Folders of the images."""
Task = Literal["unlabelled", "classification", "detection", "segmentation"]


def annotations_of(split: str) -> str:
    """Annotation file of a detection set, from the folder of the data."""
    return f"annotations/instances_{split}.json"


def labels_of(split: str) -> str:
    """Folder of the label maps of a segmentation set, from the folder of the data."""
    return f"labels/{split}"


def checked_folder_name(name: str) -> str:
    """A name that can be that of a folder.

    Raises:
        ValueError: If it holds a separator or a control character, or is too long.
    """
    if not name.strip(". ") or name.startswith("."):
        raise ValueError(f"a name starts with a letter or digit, got {name!r}")
    if bad := next((letter for letter in name if letter in "/\\" or not letter.isprintable()), ""):
        raise ValueError(f"a name is not a path and holds no {bad!r}")
    if (size := len(name.encode())) > LONGEST:
        raise ValueError(f"a name has at most {LONGEST} bytes in UTF-8, got {size}")
    return name


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("should be text that can be printed")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1, max_length=MOST_CHANNELS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Images(_Strict):
    """Number of images of each part."""

    train: Annotated[int, Field(ge=1)]
    val: Annotated[int, Field(ge=0)]


class Overlap(_Strict):
    """Images that another data set has as well, nearly; ``inspect --against`` writes it.

    Attributes:
        with_: Name of the other data; ``with`` in the file.
        fingerprint: SHA-256 of the other data.
        method: How images were compared.
        threshold: How much of that may differ.
        part: Of these data.
        of: Part of the others; empty if they have no parts.
        images: How many images of ``part`` are in ``of``.
        share: The same as a share of ``part``.
        back: How many images of ``of`` are in ``part``.
        share_back: The same as a share of ``of``.
    """

    with_: Annotated[Text, Field(alias="with")]
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    method: Text
    threshold: Annotated[int, Field(ge=0)]
    part: Literal["train", "val"]
    of: Literal["train", "val", "test", ""]
    images: Annotated[int, Field(ge=0)]
    share: Annotated[float, Field(ge=0, le=1)]
    back: Annotated[int, Field(ge=0)]
    share_back: Annotated[float, Field(ge=0, le=1)]


class OwnDataset(_Strict):
    """The content of ``dataset.json``.

    Attributes:
        format: Says that the file is one of ours.
        version: Of the format.
        name: What tables call the data, and the name of the folder.
        task: What its labels serve; the images of every task serve a pretraining.
        classes: Names, in the order of labels; empty for unlabelled data.
        channels: Bands of each image.
        bits: Of each value in the files.
        kind: Of each value in the files.
        range: Values of the files that become 0 and 255.
        mean: Of each channel, after that.
        std: Same.
        reduce_zero_label: Whether label 0 is ignored and label 1 the first class; only for
            segmentation.
        has_masks: Whether every object has a mask; only for detection.
        images: How many.
        fingerprint: SHA-256 of the content of all images and labels.
        origin: Kind of the files that were imported, and the name of their folder.
        overlaps: With other data.
    """

    format: Literal["simmim_bench dataset"] = "simmim_bench dataset"
    version: Literal[1] = 1
    name: Annotated[Text, AfterValidator(checked_folder_name)]
    task: Task
    classes: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = 3
    bits: Annotated[int, Field(ge=1, le=64)] = 8
    kind: Literal["unsigned", "signed", "float"] = "unsigned"
    range: Annotated[tuple[float, float], Field(strict=False)] = EIGHT_BITS
    mean: Numbers
    std: Numbers
    reduce_zero_label: bool | None = None
    has_masks: bool | None = None
    images: Images
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    origin: Text
    overlaps: Annotated[tuple[Overlap, ...], Field(strict=False)] = ()
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std should have {self.channels} numbers, one per channel")
        if min(self.std) < 0 or self.range[0] >= self.range[1]:
            raise ValueError("std should not be negative, and range should be [low, high]")
        if bool(self.classes) == (self.task == "unlabelled"):
            raise ValueError("classes should be named, unless the task is unlabelled")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes should have different names")
        for key, task in (("reduce_zero_label", "segmentation"), ("has_masks", "detection")):
            if (getattr(self, key) is not None) != (self.task == task):
                raise ValueError(f"{key} should be true or false for {task}, and null otherwise")
        return self

    @property
    def folder(self) -> Path:
        """Where the data are."""
        return self._folder

    @property
    def is_usual(self) -> bool:
        """Whether the images are like photographs: three channels of 8 bits."""
        return self.channels == 3 and self.bits == 8 and self.range == EIGHT_BITS

    def at(self, folder: Path) -> OwnDataset:
        """The same data in ``folder``."""
        placed = self.model_copy()
        placed._folder = folder
        return placed


def write_dataset(dataset: OwnDataset, folder: Path) -> Path:
    """Write ``dataset.json`` into ``folder``; returns its path."""
    path = folder / CARD
    atomic_write_json(path, dataset.model_dump(mode="json", by_alias=True))
    return path


def read_dataset(given: str | Path, root: Path | None = None) -> OwnDataset:
    """Own data by their name, or by the path of their folder.

    Args:
        given: A name below the data root, else a path.
        root: Data root; None: SIMMIM_BENCH_DATA, else ``data``.

    Raises:
        BenchError: If there are no such data, or their ``dataset.json`` cannot be used.
    """
    base = data_root(root)
    below = base / given
    folder = below if _is_name(str(given)) and (below / CARD).is_file() else Path(given)
    path = folder / CARD
    if not path.is_file():
        raise BenchError(_nothing(str(given), base))
    if folder.resolve() == (base / LAYOUTS["demo"].home).resolve():
        raise BenchError(
            "the embedded data are no data of your own: configs/demo already name them; leave out "
            f"--data {given}"
        )
    try:
        return OwnDataset.model_validate(parse_json(read_bytes(path))).at(folder)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"])) or "it"
        message = found["msg"].removeprefix("Value error, ")
        what = f"{place}: {message}, got {found['input']!r:.80}"
    except ValueError as error:
        what = f"it is not JSON ({error})"
    raise BenchError(
        f"{path} is no description of own data: {what}; import the data again with "
        "`simmim-bench data import NAME --from PATH --force`"
    )


def known_datasets(root: Path) -> list[str]:
    """Names of the own data below a data root."""
    found = sorted(root.glob(f"*/{CARD}")) if root.is_dir() else []
    return [path.parent.name for path in found if path.parent.name != LAYOUTS["demo"].home]


def _is_name(text: str) -> bool:
    try:
        return checked_folder_name(text) == text
    except ValueError:
        return False


def _nothing(given: str, base: Path) -> str:
    names = known_datasets(base)
    near = difflib.get_close_matches(given, names, n=1)
    there = f"did you mean {near[0]}?" if near else ""
    more = ", ..." if len(names) > 5 else ""
    there = there or (f"there are: {', '.join(names[:5])}{more}" if names else "there are none")
    where = f"{base.absolute()} and {Path(given).absolute()} have no such {CARD}"
    if not _is_name(given):
        where = f"{Path(given).absolute()} has no {CARD}"
    return (
        f"no own data {given!r}: {where} ({there}); bring them in with "
        "`simmim-bench data import NAME --from PATH`"
    )
