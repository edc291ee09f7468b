"""Turn the errors of the libraries that users meet into one sentence each."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.registry import unknown_name

NOT_REGISTERED = re.compile(r"(?P<name>\S+) is not in the (?P<scope>\w+)::(?P<registry>[\w ]+) reg")
SMALL_STAGE = re.compile(r"input shape \((\d+), (\d+)\) is smaller than the window size \((\d+)\)")
OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory")
NO_IMAGES = re.compile(r"Found 0 files in subfolders of: (.+)\. Supported extensions are: (\S+)")
BAD_ARGUMENT = re.compile(r"got an unexpected keyword argument '(?P<name>\w+)'")

LESS_MEMORY = "use fewer or smaller images, or a device with more memory"
TRAIN_WITH_LESS = (
    "lower train_dataloader.batch_size with --cfg-options (gradients are then accumulated to the "
    "same batch)"
)
TEST_WITH_LESS = (
    "lower test_dataloader.batch_size with --cfg-options, or use a device with more memory"
)


@contextmanager
def explained(config: str, *, less_memory: str = LESS_MEMORY) -> Iterator[None]:
    """Raise a ``BenchError`` instead of an error whose cause is known.

    Args:
        config: Config or other file that was given.
        less_memory: What to do when memory runs out.
    """
    try:
        yield
    except BenchError as error:
        raise BenchError(_last_line(str(error))) from None
    except Exception as error:
        sentence = _sentence(error, less_memory)
        if sentence is None:
            raise
        raise BenchError(f"{config}: {sentence}") from error


def _sentence(error: Exception, less_memory: str) -> str | None:
    """What to tell the user, or None if the cause is not known."""
    message = str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({message}); free some space and run the same command again"
    if isinstance(error, KeyError | RuntimeError):
        return unknown_type(message) or _memory(message, less_memory) or _no_images(message)
    if isinstance(error, ValueError) and _raised_here(error):
        return _last_line(message)
    if isinstance(error, TypeError) and BAD_ARGUMENT.search(message):
        return f"{_last_line(message)}; remove or correct it"
    if isinstance(error, AssertionError):
        return _small_stage(message)
    return None


def out_of_memory(message: str) -> bool:
    """Whether an error of torch means that a GPU or the machine is out of memory."""
    return bool(OUT_OF_MEMORY.search(message))


def _memory(message: str, less_memory: str) -> str | None:
    if not out_of_memory(message):
        return None
    return f"out of memory: {_last_line(message)}; {less_memory}"


def _no_images(message: str) -> str | None:
    """Sentence for the error of mmpretrain's ``CustomDataset`` before the first iteration."""
    found = NO_IMAGES.search(message)
    if not found:
        return None
    folder = found[1].removeprefix("{'img_path': '").removesuffix("'}")
    return (
        f"{folder} has no images ({', '.join(sorted(found[2].split(',')))}); point --data-root or "
        "SIMMIM_BENCH_DATA at a folder that has some"
    )


def _small_stage(message: str) -> str | None:
    """Sentence for the error of mmpretrain's Swin at the first image."""
    found = SMALL_STAGE.search(message)
    if not found:
        return None
    rows, columns, window = map(int, found.groups())
    return (
        f"window_size {window} does not fit a stage of {rows} x {columns} tokens; give that stage "
        f"a window of at most {min(rows, columns)} in stage_cfgs, or set pad_small_map=True"
    )


def unknown_type(message: str) -> str | None:
    """Sentence with near names if ``message`` is about a name that is not registered."""
    near = re.search(r"unknown simmim_bench [^\n]*", message)
    if near:
        return near.group().rstrip("'\"")
    found = NOT_REGISTERED.search(message)
    if not found:
        return None
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
    """The error itself if a data worker has wrapped it in a traceback."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    if "Traceback (most recent call last)" not in message:
        return message
    return re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1]) if lines else message
