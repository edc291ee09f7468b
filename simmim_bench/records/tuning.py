"""How some values of a fine-tuning were chosen: by trials on a held-out part of the training data.

A suite gives every method and backbone the same trials (docs/suites.md). What they measured and
what was chosen is a file, ``choice.json``, and a part of the record of the fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from simmim_bench.records.curves import Curve
from simmim_bench.records.hash import content_sha256
from simmim_bench.records.names import counted
from simmim_bench.records.schema import (
    Name,
    NonNegativeFloat,
    Percent,
    PositiveInt,
    Seed,
    Sha256,
    StrictModel,
    Text,
)

REMEDY = "delete it and run its suite again"
Value = bool | int | float | str
Values = Annotated[dict[Text, Value], Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=0.5)]


class HeldOut(StrictModel):
    """Part of the training data that a trial is scored on; it is trained on the other images."""

    share: Share
    seed: Seed
    images: PositiveInt
    training_images: PositiveInt


class Trial(StrictModel):
    """Values that were tried, and what they gave.

    ``score`` is the primary metric at the end, on the held-out images; None if the training
    diverged, which ``failure`` then says. ``curves`` are the loss and the primary metric.
    """

    values: Values
    score: Percent | None = None
    failure: Text | None = None
    wall_seconds: NonNegativeFloat
    curves: dict[Name, Curve] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.score is None) == (self.failure is None):
            raise ValueError("a trial needs either a score or a failure")
        return self


class Choice(StrictModel):
    """A search, its trials, and what it chose: the values of the best score, the first of ties.

    ``search`` has the values to choose from by config key, ``seed`` is that of the sample if not
    all combinations were tried, ``hours`` are processes times wall time of all trials.
    """

    search: Annotated[dict[Text, list[Value]], Field(min_length=1)]
    seed: Seed
    held_out: HeldOut
    metric: Name
    hours: NonNegativeFloat
    trials: Annotated[list[Trial], Field(min_length=1)]
    chosen: Values

    @model_validator(mode="after")
    def _check(self) -> Self:
        for trial in self.trials:
            if trial.values.keys() != self.search.keys() or any(
                value not in self.search[key] for key, value in trial.values.items()
            ):
                raise ValueError(f"the trial {trial.values} is not in the search {self.search}")
        if self.chosen != best_of(self.trials).values:
            raise ValueError(f"chosen is {self.chosen}, which is not the trial of the best score")
        return self

    def overrides(self) -> tuple[str, ...]:
        """The chosen values as ``KEY=VALUE``."""
        return tuple(f"{key}={value}" for key, value in self.chosen.items())

    def deviations(self) -> tuple[str, ...]:
        """What a record says of the chosen values."""
        return tuple(f"tuned: {each}" for each in self.overrides())

    def described(self) -> str:
        """``tuned, 3 trials each``."""
        return f"tuned, {counted(len(self.trials), 'trial')} each"

    def explained(self) -> str:
        """What was tried, and on what: ``lr of 0.001, 0.0005; scored on 20 % of the ...``."""
        short = [key.rpartition(".")[2] for key in self.search]
        names = short if len(set(short)) == len(short) else list(self.search)
        tried = "; ".join(
            f"{name} of {', '.join(map(str, values))}"
            for name, values in zip(names, self.search.values(), strict=True)
        )
        return f"{tried}; scored on {100 * self.held_out.share:g} % of the training images"

    def at_the_end(self) -> list[str]:
        """What was chosen at an end of three numbers and more: a better one may lie beyond."""
        found = []
        for key, values in self.search.items():
            numbers = [value for value in values if isinstance(value, (int, float))]
            for end, further, of in (("smallest", "smaller", min), ("largest", "larger", max)):
                if len(numbers) == len(values) > 2 and self.chosen[key] == of(numbers):
                    found.append(
                        f"{key}={self.chosen[key]} is the {end} value tried, and a {further} one "
                        "may be better"
                    )
        return found

    def key(self) -> str:
        """Hash of what a fair comparison needs to be equal: trials, held-out part, metric."""
        return content_sha256(
            {
                "search": self.search,
                "trials": [trial.values for trial in self.trials],
                "held_out": [self.held_out.share, self.held_out.seed],
                "metric": self.metric,
            }
        )


class Tuning(Choice):
    """A choice as the record of a fine-tuning has it.

    ``recipe_sha256`` is the hash of the config without the searched values: equal for fine-tunings
    of one recipe that chose different values.
    """

    recipe_sha256: Sha256


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the largest score, the first of several.

    Raises:
        ValueError: If none has a score.
    """
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        raise ValueError("no trial has a score")
    return max(scored, key=lambda trial: trial.score or 0.0)
