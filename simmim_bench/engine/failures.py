"""Turn the upstream errors that users meet into one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simmim_bench.errors import BenchError

NOT_REGISTERED = re.compile(r"(?P<name>\S+) is not in the (?P<scope>\w+)::(?P<registry>[\w ]+) reg")
BAD_ARGUMENT = re.compile(r"got an unexpected keyword argument '(?P<name>\w+)'")


@contextmanager
def explained(config: str) -> Iterator[None]:
    """Raise ``BenchError`` for an error of the block whose cause is known; pass on the rest."""
    try:
        yield
    except BenchError as error:
        raise BenchError(_last_line(str(error))) from None
    except (KeyError, RuntimeError) as error:
        sentence = unknown_type(str(error))
        if sentence is None and "out of memory" in str(error):
            sentence = (
                f"out of memory: {_last_line(str(error))}; lower train_dataloader.batch_size "
                "with --cfg-options (gradients are then accumulated to the same batch)"
            )
        if sentence is None:
            raise
        raise BenchError(f"{config}: {sentence}") from error
    except ValueError as error:
        if not _raised_here(error):
            raise
        raise BenchError(f"{config}: {_last_line(str(error))}") from error
    except TypeError as error:
        found = BAD_ARGUMENT.search(str(error))
        if not found:
            raise
        raise BenchError(f"{config}: {_last_line(str(error))}; remove or correct it") from error


def unknown_type(message: str) -> str | None:
    """Sentence with near names if ``message`` is about a name that no registry knows."""
    near = re.search(r"unknown simmim_bench [^\n]*", message)
    if near:
        return near.group().rstrip("'\"")
    found = NOT_REGISTERED.search(message)
    if not found:
        return None
    from importlib import import_module

    from simmim_bench.registry import unknown_name

    module = import_module(f"{found['scope']}.registry")
    known = {
        name
        for registry in vars(module).values()
        if getattr(registry, "name", None) == found["registry"]
        for name in registry.module_dict
    }
    name = found["name"].strip("'\"")
    return unknown_name(name, sorted(known), f"{found['scope']} {found['registry']}")


def _raised_here(error: Exception) -> bool:
    """Whether our code raised ``error``, in this process or in a data worker."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    package = str(Path(__file__).parents[1])
    return bool(frame and frame.tb_frame.f_code.co_filename.startswith(package)) or (
        "DataLoader worker" in str(error) and package in str(error)
    )


def _last_line(message: str) -> str:
    """The error itself, when a data worker has wrapped it in its traceback."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    if "Traceback (most recent call last)" not in message:
        return message
    return re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1]) if lines else message
