"""Own data, there or still to be imported, as far as the next commands depend on them."""

from __future__ import annotations

from dataclasses import dataclass

from simmim_bench.data.layouts import data_root
from simmim_bench.data.own import OwnDataset


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Own data that are there, or will be after an import.

    Attributes:
        name: Of the data.
        given: For ``--data``: the name, or the folder if it is not below the data root.
        task: As of ``OwnDataset``.
        train: Number of training images.
        val: Number of validation images.
        has_masks: Whether every object has a mask; None for other tasks.
        bring: Command that imports them; empty if they are there.
    """

    name: str
    given: str
    task: str
    train: int
    val: int
    has_masks: bool | None = None
    bring: str = ""


def expected_of(dataset: OwnDataset) -> Expected:
    """From own data at their place."""
    known = dataset.folder.resolve() == (data_root() / dataset.name).resolve()
    return Expected(
        name=dataset.name,
        given=dataset.name if known else str(dataset.folder),
        task=dataset.task,
        train=dataset.images.train,
        val=dataset.images.val,
        has_masks=dataset.has_masks,
    )
