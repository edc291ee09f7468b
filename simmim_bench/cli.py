"""What the command-line tools share: argument types, argument parents and exit codes.

Imports nothing heavy, so that every tool answers ``--help`` at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import select
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from simmim_bench import shipped
from simmim_bench.errors import BenchError
from simmim_bench.io import check_output, kind_of

LARGEST_SEED = 2**32 - 1  # of NumPy
LARGEST_PORT = 2**16 - 1
READER_GONE = 128 + 13  # SIGPIPE
LONGEST_SHOWN = 200  # characters of a path
LONGEST_LINE = 1000  # characters of an error
REASONS = {
    errno.ENOENT: "{} does not exist; check the path",
    errno.EISDIR: "{} is a folder, expected a file",
    errno.ENOTDIR: "{} or a folder above it is a file, expected a folder; give another path",
    errno.EEXIST: "{} exists already; remove it or give another path",
    errno.EROFS: "{} is on a read-only file system; give a path elsewhere",
    errno.EACCES: "no permission to read or write {}; change its permissions or give another path",
    errno.EPERM: "no permission to change {}; change its permissions or give another path",
    errno.ENAMETOOLONG: "the path {} is too long; give a shorter one",
    errno.EIO: "the device of {} reports an error; check the disk or give a path elsewhere",
    errno.EMFILE: "too many open files, {} cannot be opened; raise the limit with `ulimit -n 4096`",
    errno.ESTALE: "{} has vanished from the network file system; check its mount and start again",
    errno.ELOOP: "{} is a symbolic link that leads to itself; give another path",
}


def main(run: Callable[[], int | None], *, at_once: bool = False) -> NoReturn:
    """Call ``run`` and exit with its code.

    A ``BenchError`` or an error of the operating system prints one line and exits with code 2; a
    reader of the output that has gone, as in ``| head``, ends the tool silently with 141, as the
    shell reports it.

    Args:
        run: The tool; returns its exit code, or None for 0.
        at_once: Exit without freeing objects, which takes a second for a million of them;
            functions of ``atexit`` do not run.
    """
    _open_closed_streams()
    try:
        code = run() or 0
        sys.stdout.flush()  # fails here, and not at exit, if it cannot be written
    except BenchError as error:
        code = _fail(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            code = READER_GONE
        else:
            code = _fail(_sentence(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    except SystemExit:  # of argparse
        _drop_output()
        raise
    _drop_output()
    if at_once:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Open what the shell closed (``>&-``) to nowhere, so that no file gets its number instead."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, Path(os.devnull).open("w" if number else "r"))  # noqa: SIM115


def _fail(message: str) -> int:
    with suppress(OSError):  # stderr may be closed
        sys.stderr.write(f"error: {printable(message)}\n")
    return 2


def printable(message: str) -> str:
    """``message`` as a terminal may show it: what is not text is escaped, long lines are cut.

    Messages repeat what a stranger's file says, such as names with control characters.
    """
    lines = message.encode("utf-8", "backslashreplace").decode("utf-8").split("\n")
    return "\n".join(_shortened("".join(map(_visible, line))) for line in lines)


def _visible(letter: str) -> str:
    hidden = unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") and letter != "\t"
    return letter.encode("unicode_escape").decode("ascii") if hidden else letter


def _shortened(line: str) -> str:
    """A long line without its middle: what was given stands first, the remedy last."""
    half = LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"


def _sentence(error: OSError) -> str:
    """What went wrong, with which path, and the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error}); free some space and start again"
    given = error.filename
    if given is None or error.strerror is None:
        lines = str(error).split("\n")  # of a worker process: its traceback, the error at its end
        return next((line for line in reversed(lines) if line.strip()), type(error).__name__)
    path = os.fsdecode(given) if isinstance(given, bytes) else str(given)
    path = path.encode(errors="backslashreplace").decode()  # undecodable bytes
    path = path if len(path) <= LONGEST_SHOWN else f"{path[:LONGEST_SHOWN]}..."
    return REASONS.get(error.errno or 0, f"{{}}: {error.strerror}").replace("{}", path)


def _reader_is_gone() -> bool:
    with suppress(OSError, ValueError):  # a stdout that is no file, as in tests
        poll = select.poll()
        poll.register(sys.stdout, 0)  # 0: only errors
        return any(event & select.POLLERR for _, event in poll.poll(0))
    return False


def _drop_output() -> None:
    """Flush stdout; if that fails, send the rest to nowhere, so that exiting does not fail."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def seed(text: str) -> int:
    """``type=`` of a random seed: an integer from 0 to 2**32 - 1, the range of NumPy.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 0, LARGEST_SEED)


def positive(text: str) -> int:
    """``type=`` of an integer >= 1.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 1, None)


def zero_or_more(text: str) -> int:
    """``type=`` of an integer >= 0.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 0, None)


def share(text: str) -> float:
    """``type=`` of a share: a number above 0 and at most 1.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number above 0, at most 1, got {text!r}")
    return value


def port(text: str) -> int:
    """``type=`` of a port, 0 to 65535; 0: any free port.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 0, LARGEST_PORT)


def folder(text: str) -> Path:
    """``type=`` of an output folder, which need not exist.

    Raises:
        ArgumentTypeError: If it, or a folder above it, is a file.
    """
    path = Path(text)
    for part in (path, *path.parents):
        if os.path.lexists(part) and not part.is_dir():
            raise argparse.ArgumentTypeError(f"{part} is {kind_of(part)}, expected a folder")
    return path


def output_file(text: str) -> Path:
    """``type=`` of a file to write.

    Raises:
        ArgumentTypeError: If it exists and is not an ordinary file, or a folder above it is a file.
    """
    path = Path(text)
    folder(str(path.parent))
    try:
        check_output(path)
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def suite(text: str) -> Path:
    """``type=`` of a suite file: a path, or the name of one that came with the package."""
    return shipped.find(text, folder=shipped.SUITES, suffix=".yaml")


def add_import_argument(parent: argparse.ArgumentParser) -> None:
    """Add ``--import``: modules of the user (``plugins.import_modules``)."""
    parent.add_argument(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="module of yours that registers methods, masks, backbones, ..., for example "
        "my_package.methods; repeatable (docs/own-method.md)",
    )


def add_config_arguments(parent: argparse.ArgumentParser) -> None:
    """Add a config, changes to it, and the folder of the data."""
    parent.add_argument(
        "config", help="config file, or name of one of the package: simmim/swin-b_8xb128"
    )
    parent.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override config values, for example train_cfg.max_epochs=3",
    )
    parent.add_argument(
        "--data",
        metavar="NAME",
        help="your own data, which `simmim-bench data import NAME` brought in, instead of the "
        "config's: a name below the data root, or a folder",
    )
    parent.add_argument(
        "--data-root", help="folder of the config's dataset (default: as in the config)"
    )
    parent.add_argument(
        "--dataset-name",
        metavar="NAME",
        help="what tables call the data (default: as in the config; with --data, its NAME; with "
        "--data-root, its folder)",
    )
    parent.add_argument(
        "--num-classes", type=positive, metavar="N", help="number of classes of the dataset"
    )
    parent.add_argument(
        "--image-size",
        type=positive,
        metavar="N",
        help="shorter side of the images in pixels; crops, windows and masks follow",
    )


def add_run_arguments(parent: argparse.ArgumentParser) -> None:
    """Add output folder, seed and launcher of a run."""
    parent.add_argument("--work-dir", help="output folder (default: work_dirs/<config name>)")
    parent.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    parent.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="how the processes were started; set by dist_*.sh and slurm_*.sh",
    )
    parent.add_argument("--local-rank", "--local_rank", type=int, help=argparse.SUPPRESS)


def _integer(text: str, least: int, most: int | None) -> int:
    expected = f">= {least}" if most is None else f"from {least} to {most}"
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        raise argparse.ArgumentTypeError(f"must be an integer {expected}, got {text!r}")
    return value
