"""The commands of ``simmim-bench``: one file each, with ``add_arguments`` and ``run``.

A file imports nothing heavy; what it runs is imported when it is called, so that ``--help`` answers
at once. ``tools/*.py`` call the same functions.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import simmim_bench
from simmim_bench import cli
from simmim_bench.family import check_family
from simmim_bench.plugins import import_modules

COMMANDS = {
    "train": "train a pretraining, or a downstream task from weights",
    "test": "evaluate a trained checkpoint on the test set of its config",
    "robustness": "test a classifier on variants of ImageNet or on corrupted images",
    "predict": "predict with a trained model for any images",
    "evaluate": "from weights of any origin to a table",
    "suite": "run a suite: pretrainings, downstream tasks, leaderboard",
    "leaderboard": "turn results into records, and records into tables and comparisons",
    "data": "prepare, inspect and import data",
    "convert": "convert weights between this project and other libraries",
    "export": "export the backbone of a pretraining",
    "analyze": "look at trained models: representations, reconstructions, masks",
    "doctor": "look at this installation: what is wrong with it, and the remedies",
    "init": "make a project of your own: a method, a mask, a backbone, a suite, tests",
}
"""Name of each command, in the order of the help, and what it does."""
AT_ONCE = ("leaderboard",)
"""Commands that exit without freeing their objects, see ``cli.main``."""
WITHOUT_LIBRARIES = ("leaderboard", "doctor", "init")
"""Commands that need no OpenMMLab family."""
PROGRAM = "simmim-bench"


def parser_of(name: str) -> argparse.ArgumentParser:
    """Parser of one command.

    Args:
        name: One of ``COMMANDS``.
    """
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=_description(_module(name))
    )
    _add_arguments(name, parser)
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """Parser of all commands with all their arguments, for completion and documentation."""
    return _parser(_add_arguments)


def main(*words: str) -> NoReturn:
    """Run the command that ``words`` and then ``sys.argv`` name, and exit with its code.

    Args:
        words: Name of a command, if ``sys.argv`` has none.
    """
    given = [*words, *sys.argv[1:]]
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(whole_parser())
    name = given[0] if given else ""
    if name not in COMMANDS:  # help, version, or a mistake
        parser = _parser(lambda *_: None)
        if name and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"commands are {', '.join(COMMANDS)}"
            parser.error(f"there is no command {name!r}; {hint}")
        parser.parse_args(given or ["--help"])
    cli.main(lambda: _run(name, given[1:]), at_once=name in AT_ONCE)


def _run(name: str, arguments: Sequence[str]) -> int | None:
    args = parser_of(name).parse_args(arguments)
    if name not in WITHOUT_LIBRARIES:
        check_family()
    import_modules(vars(args).pop("imports"))
    code: int | None = _module(name).run(args)
    return code


def _add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command, and ``--import`` to it, or to each of its subcommands."""
    _module(name).add_arguments(parser)
    chosen = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    parts = {id(part): part for each in chosen for part in each.choices.values()}
    for part in parts.values() or [parser]:
        cli.add_import_argument(part)


def _parser(fill: Callable[[str, argparse.ArgumentParser], None]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=simmim_bench.__doc__)
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {simmim_bench.__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        fill(name, commands.add_parser(name, help=text))
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def _description(module: Any) -> str:
    return str(module.__doc__).split("\n\n", maxsplit=1)[0]
