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
from simmim_bench.records.hash import content_sha256

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


# Bring what earlier versions wrote to the current schema.
#
# Version 2 added curves and energy; what version 1 did not measure stays unknown.


CURRENT = 2
SEAL = frozenset({"run_id", "sha256"})


def manifest_to_current(value: Any) -> Any:
    """A manifest of version 1 as one of version 2.

    Raises:
        ValueError: If it is of a version that is not known.
    """
    return {**value, "schema_version": CURRENT} if _version(value) == 1 else value


def record_to_current(value: Any) -> Any:
    """A record of version 1 as one of version 2, sealed anew; its run id stays.

    Raises:
        ValueError: If it is of a version that is not known, or was changed after it was sealed.
    """
    if _version(value) != 1:
        return value
    body = {key: field for key, field in value.items() if key not in SEAL}
    sealed, found = value.get("sha256"), content_sha256(body)
    if sealed != found:
        raise ValueError(
            f"sha256 is {str(sealed)[:12]}... but the content hashes to {found[:12]}...; the "
            f"record was changed after it was written"
        )
    costs = {
        name: {"energy_joules": None, "energy_source": None, **body[name]}
        for name in ("cost", "pretraining_cost")
        if isinstance(body.get(name), dict)
    }
    added = {"schema_version": CURRENT, "curves": {}, "pretraining_curves": {}}
    body = {**body, **costs, **added}
    return {**body, "run_id": value.get("run_id"), "sha256": content_sha256(body)}


def _version(value: Any) -> int:
    """Version of a file; the newest where it states none or no number, which is refused later.

    Raises:
        ValueError: If it is newer than this code.
    """
    stated = value.get("schema_version") if isinstance(value, dict) else None
    if not isinstance(stated, int) or isinstance(stated, bool):
        return CURRENT
    if stated > CURRENT:
        raise ValueError(
            f"schema_version is {stated}, this simmim_bench knows versions up to {CURRENT} and "
            f"has to be updated to read it"
        )
    return stated
