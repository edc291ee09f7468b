"""The command ``simmim-bench``."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench.commands import COMMANDS, main, parser_of, whole_parser

ROOT = Path(__file__).parents[1]


def arguments_of(parser):
    """Options and positional arguments, those of commands below it included."""
    found = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found |= {f"{name} {each}" for each in arguments_of(below)} | {name}
        else:
            found |= set(action.option_strings or [action.dest])
    return found


def run(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["simmim-bench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr()


def test_the_help_lists_every_command(capsys, monkeypatch):
    code, printed = run(capsys, monkeypatch)
    assert code == 0
    assert all(f"\n    {name}" in printed.out for name in COMMANDS)


def test_a_mistake_names_the_nearest_command(capsys, monkeypatch):
    code, printed = run(capsys, monkeypatch, "trai", "config.py")
    assert code == 2
    assert "there is no command 'trai'; did you mean train?" in printed.err


def test_an_error_of_a_command_is_one_sentence(capsys, monkeypatch):
    code, printed = run(capsys, monkeypatch, "train", "demo/simmim_swin-dem")
    assert code == 2
    assert printed.err.startswith("error: config demo/simmim_swin-dem does not exist; did you mean")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_the_whole_parser_has_the_arguments_of_each_command(name):
    whole = arguments_of(whole_parser())
    assert {f"{name} {each}" for each in arguments_of(parser_of(name))} <= whole


def test_every_command_has_a_thin_tool(tmp_path):
    called = {path.stem: path.read_text("utf-8") for path in (ROOT / "tools").glob("*.py")}
    for name in COMMANDS:
        assert any(f'main("{name}")' in text for text in called.values())
    assert all(len(text.splitlines()) < 10 for text in called.values())


@pytest.mark.parametrize(
    ("line", "expected"),
    [("simmim-bench lead", {"leaderboard"}), ("simmim-bench leaderboard sch", {"schema"})],
)
def test_completion(line, expected, tmp_path):
    """As a shell asks for it: argcomplete writes to file descriptor 8."""
    out = tmp_path / "completions"
    environment = {
        **os.environ,
        **{"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))},
        **{"_ARGCOMPLETE_STDOUT_FILENAME": str(out), "_ARGCOMPLETE_IFS": "\n"},
    }
    command = [sys.executable, "-m", "simmim_bench"]
    subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True)
    assert {word.strip() for word in out.read_text("utf-8").splitlines()} == expected
