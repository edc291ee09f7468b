"""What one stage of a suite may use, as people write it: ``memory: 16 GB``, ``time: 2 h``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_MB = {"mb": 1.0, "gb": 1024.0, "tb": 1024.0**2}
_MINUTES = {"s": 1 / 60, "min": 1.0, "m": 1.0, "h": 60.0, "d": 1440.0}
_MEASURE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


class Strict(BaseModel):
    """A part of a suite file: unknown keys are mistakes, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _reader(units: dict[str, float], example: str) -> BeforeValidator:
    """Validator from a number with a unit to a whole number of the unit whose factor is 1."""

    def read(value: Any) -> Any:
        found = _MEASURE.fullmatch(value) if isinstance(value, str) else None
        factor = units.get(found.group(2).lower()) if found else None
        if found is None or factor is None:
            raise ValueError(f"should be a number with a unit ({', '.join(units)}), as {example}")
        return max(1, round(float(found.group(1)) * factor))

    return BeforeValidator(read)


def _shown(units: dict[str, float], what: str, example: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*\d+(\.\d+)?\s*({'|'.join([*units, *map(str.upper, units)])})\s*$",
            "description": f"{what}, a number with a unit, as {example}",
        }
    )


Memory = Annotated[int, _reader(_MB, "16 GB"), Field(ge=1), _shown(_MB, "memory", "16 GB")]
Time = Annotated[int, _reader(_MINUTES, "2 h"), Field(ge=1), _shown(_MINUTES, "time", "2 h")]


class Resources(Strict):
    """What one stage may use.

    Attributes:
        threads: CPU threads of each process; ``--cores`` divided by it is how many stages run at
            once.
        gpus: Processes of a training with one GPU each, under ``--launcher torchrun`` and
            ``slurm``; on a machine without GPUs as many processes on its CPU. Export uses none.
        memory: Main memory, MiB; stages that need more than is there together wait.
        time: Minutes after which a stage is asked to save and end.
        precision: Of a training's forward pass, instead of its recipe's; records note it.
        recompute: Whether trainings compute activations again to save memory.
        compile: Whether trainings compile the backbone.
        fsdp: Whether trainings with several processes shard the model.
    """

    threads: int = Field(default=1, ge=1)
    gpus: int = Field(default=1, ge=1)
    memory: Memory | None = None
    time: Time | None = None
    precision: Literal["float32", "bfloat16", "float16"] | None = None
    recompute: bool = False
    compile: bool = False
    fsdp: bool = False

    def flags(self, processes: int) -> list[str]:
        """Arguments of ``tools/train.py``; one process has nothing to shard over."""
        words = ["--precision", self.precision] if self.precision else []
        words += ["--recompute"] if self.recompute else []
        words += ["--compile"] if self.compile else []
        return [*words, "--fsdp"] if self.fsdp and processes > 1 else words


class Budget(Strict):
    """What a suite may cost at most; a plan that is estimated to cost more does not start.

    Attributes:
        gpu_hours: Of all stages that have to run.
    """

    gpu_hours: float = Field(gt=0)
