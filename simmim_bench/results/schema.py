"""What all result files share: strict pydantic models and errors that name the field.

Nothing is coerced (``"81.3"`` is no number), unknown fields, NaN and infinity are refused.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from simmim_bench.errors import BenchError

SHOWN = 80  # characters of a refused value that an error repeats


class StrictModel(BaseModel):
    """Frozen model that refuses unknown fields, coercion, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Bring plain JSON of an earlier version to this one; what is current stays as it is.

        Raises:
            ValueError: If the version is not known.
        """
        return value

    def as_json(self) -> dict[str, Any]:
        """JSON-ready dict; ``validate(type(self), self.as_json(), ...)`` gives an equal model."""
        return self.model_dump(mode="json")


@lru_cache(maxsize=4096)  # a record has a dozen names, a store has few different ones
def _name(text: str) -> str:
    if (
        text != text.strip()
        or not text.isprintable()
        or text.startswith(".")
        or set(text) & {*"/\\"}
    ):
        raise ValueError("a name is printable, without '/', '\\', a leading '.' or outer spaces")
    return text


def _title(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("a title is printable, without outer spaces")
    return text


def _utc(time: datetime) -> datetime:
    if time.utcoffset() != timedelta(0):
        raise ValueError("a time is ISO 8601 in UTC, for example 2025-01-31T12:00:00+00:00")
    return time


def _plain_json(value: Any) -> Any:
    """The value as JSON gives it back (tuples become lists), so that a round trip is exact."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except TypeError as error:
        raise ValueError(str(error)) from error


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_title)]
Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Epochs = PositiveInt | PositiveFloat
HeightWidth = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
ImageSize = PositiveInt | HeightWidth
UtcTime = Annotated[datetime, Field(strict=False), AfterValidator(_utc)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_plain_json)]
Percent = Annotated[float, Field(ge=0, le=100)]

Model = TypeVar("Model", bound=StrictModel)


def validate(model: type[Model], value: Any, *, source: str, remedy: str) -> Model:
    """Make a ``model`` of plain JSON values.

    Args:
        model: Class to validate against.
        value: Parsed JSON.
        source: Where the value comes from (a file, a config), for the error.
        remedy: What to do about a bad value, for the error.

    Raises:
        BenchError: Names the source, the first bad field, what was found and the remedy.
    """
    try:
        return model.model_validate(model.upgrade(value))
    except ValidationError as error:
        raise BenchError(f"{source}: {_first_problem(error)}; {remedy}") from error
    except ValueError as error:
        raise BenchError(f"{source}: {error}; {remedy}") from error


def read_model(
    model: type[Model], path: Path, *, remedy: str, context: dict[str, str] | None = None
) -> Model:
    """Read a JSON file as ``model``.

    Args:
        model: Class to validate against.
        path: File.
        remedy: What to do about a bad file, for the error.
        context: Passed on to the validators of ``model``.

    Raises:
        BenchError: If the file is missing, unreadable, no JSON or not valid.
    """
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123  # a third faster
            content = stream.read()
    except FileNotFoundError as error:
        raise BenchError(f"{path} does not exist; {remedy}") from error
    except OSError as error:
        raise BenchError(f"{path} is not readable ({error}); {remedy}") from error
    try:
        # five times as fast as what follows
        return model.model_validate_json(content, context=context)
    except ValidationError:
        return _read_slowly(model, content, source=str(path), remedy=remedy)


def _read_slowly(model: type[Model], content: bytes, *, source: str, remedy: str) -> Model:
    """Through earlier versions, and with errors that name the field."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{source} is not readable as JSON ({error}); {remedy}") from error
    return validate(model, value, source=source, remedy=remedy)


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    field = ".".join(map(str, first["loc"])) or "the file"
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "missing":
        return f"{field} is missing{more}"
    if not first["loc"]:
        return f"{message}{more}"
    found = repr(first["input"])
    found = found if len(found) <= SHOWN else f"{found[:SHOWN]}..."
    return f"{field} is {found}: {message}{more}"
