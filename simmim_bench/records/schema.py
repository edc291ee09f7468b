"""Base of all result files: strict pydantic models, schema versions, errors that name the field.

Nothing is coerced (``"81.3"`` is not a number); unknown fields, NaN and infinity are errors.

Version 2 added curves and energy, version 3 the identity of the data, the precision, what a
pretraining started from, and whether the card of the backbone was sealed, version 4 what data share
with other data, version 5 how values were tuned, version 6 the configs of the pretraining. A model
reads an earlier version through its ``upgrade``; what that version did not state stays unknown.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from simmim_bench.errors import BenchError
from simmim_bench.io import LARGEST, parse_json, read_bytes
from simmim_bench.plugins import HINT
from simmim_bench.records.names import checked_name

CURRENT = 6
"""Schema version of manifests and records."""
EARLIER = (1, 2, 3, 4, 5)
"""Versions that ``upgrade`` converts."""
SHOWN = 80
"""An error repeats at most this many characters of a bad value."""


class StrictModel(BaseModel):
    """Frozen model that raises on unknown fields, on values to be coerced, on NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def upgrade(cls, value: Any) -> Any:
        """Convert plain JSON of an earlier schema version; current content is returned unchanged.

        Raises:
            ValueError: If the version is unknown.
        """
        return value

    def as_json(self) -> dict[str, Any]:
        """JSON-ready dict; ``validate(type(self), self.as_json(), ...)`` gives an equal model."""
        return self.model_dump(mode="json")


def _title(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("a title must be printable, without outer spaces")
    return text


def _no_number(time: Any) -> Any:
    """Refuse a number, also one in quotes, which pydantic reads as seconds since 1970."""
    if isinstance(time, datetime) or (isinstance(time, str) and "-" in time[1:]):
        return time
    raise ValueError("a time must be ISO 8601 in UTC, for example 2025-01-31T12:00:00+00:00")


def _utc(time: datetime) -> datetime:
    if time.utcoffset() != timedelta(0):
        raise ValueError("a time must be ISO 8601 in UTC, for example 2025-01-31T12:00:00+00:00")
    return time


def _plain_json(value: Any) -> Any:
    """The value as JSON gives it back (tuples become lists), so that a round trip is exact."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except TypeError as error:
        raise ValueError(str(error)) from error


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(checked_name)]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_title)]
Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, le=LARGEST)]
PositiveInt = Annotated[int, Field(gt=0, le=LARGEST)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Epochs = PositiveInt | PositiveFloat
HeightWidth = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
ImageSize = PositiveInt | HeightWidth
UtcTime = Annotated[
    datetime, Field(strict=False), BeforeValidator(_no_number), AfterValidator(_utc)
]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_plain_json)]
Percent = Annotated[float, Field(ge=0, le=100)]

Model = TypeVar("Model", bound=StrictModel)


def validate(model: type[Model], value: Any, *, source: str, remedy: str) -> Model:
    """Build a ``model`` from plain JSON values.

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
        problem = _first_problem(error)
        end = "" if problem.endswith(HINT) else f"; {remedy}"  # a part of a user's module
        raise BenchError(f"{source}: {problem}{end}") from error
    except ValueError as error:
        raise BenchError(f"{source}: {error}; {remedy}") from error


def read_model(model: type[Model], path: Path, *, remedy: str) -> Model:
    """Read a JSON file as ``model``.

    Args:
        model: Class to validate against.
        path: File.
        remedy: What to do about a bad file, for the error.

    Raises:
        BenchError: If the file is missing, unreadable, not JSON or not valid.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise BenchError(f"{path} does not exist; {remedy}") from error
    except OSError as error:
        raise BenchError(f"cannot read {path} ({error}); {remedy}") from error
    return parse_model(model, content, source=str(path), remedy=remedy)


def parse_model(model: type[Model], content: bytes, *, source: str, remedy: str) -> Model:
    """Read the content of a JSON file as ``model``.

    Args:
        model: Class to validate against.
        content: UTF-8.
        source: Where it comes from, for the error.
        remedy: What to do about bad content, for the error.

    Raises:
        BenchError: If it is not JSON or not valid.
    """
    try:
        return model.model_validate_json(content)  # five times as fast as json.loads and validate
    except ValidationError:
        pass  # an earlier version, or an error that shall name its field
    try:
        value = parse_json(content)
    except ValueError as error:
        raise BenchError(f"{source} is not valid JSON ({error}); {remedy}") from error
    return validate(model, value, source=source, remedy=remedy)


def version_of(value: Any) -> int:
    """Schema version that a file states; ``CURRENT`` if it states none or no integer.

    A missing version is an error of the validation that follows.

    Raises:
        ValueError: If the version is newer than this code.
    """
    stated = value.get("schema_version") if isinstance(value, dict) else None
    if not isinstance(stated, int) or isinstance(stated, bool):
        return CURRENT
    if stated > CURRENT:
        raise ValueError(
            f"schema_version is {stated}, this simmim_bench reads versions up to {CURRENT}; "
            f"update simmim_bench"
        )
    return stated


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
