"""The trials of a search: which values each of them has."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable

from simmim_bench.suite.steps import Tune

CHOOSE = "simmim_bench.suite.choose"
Value = bool | int | float | str
Values = dict[str, Value]
_LONGEST = 100  # characters of a name


def trials_of(tune: Tune) -> list[Values]:
    """Values of each trial by full config key, the same for every method and backbone.

    All combinations if they are no more than ``tune.trials``. Otherwise the first different ones of
    a scrambled Halton sequence, which spreads them over the whole search: with more trials, those
    of fewer stay.
    """
    search = tune.by_key()
    axes = list(search.values())
    few = math.prod(map(len, axes)) <= tune.trials
    rows = itertools.product(*axes) if few else _sample(axes, tune)
    return [dict(zip(search, row, strict=True)) for row in rows]


def _sample(axes: list[list[Value]], tune: Tune) -> Iterable[tuple[Value, ...]]:
    from scipy.stats import qmc

    sequence = qmc.Halton(len(axes), scramble=True, seed=tune.seed)
    places: dict[tuple[int, ...], None] = {}
    while len(places) < tune.trials:
        (point,) = sequence.random(1)
        place = tuple(int(part * len(axis)) for part, axis in zip(point, axes, strict=True))
        places.setdefault(place)
    return [
        tuple(axis[number] for number, axis in zip(place, axes, strict=True)) for place in places
    ]


def name_of(values: Values) -> str:
    """Name of a trial's folder: ``lr-0.001_layer_decay-0.8``, or a hash if that is no name."""
    name = "_".join(f"{key.rpartition('.')[2]}-{value}" for key, value in values.items())
    if len(name) <= _LONGEST and re.fullmatch(r"[A-Za-z0-9._+-]+", name):
        return name
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
