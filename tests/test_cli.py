"""What arguments take."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench import cli

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("kind", "text"), [(cli.seed, "0"), (cli.seed, "4294967295")])
def test_valid_numbers(kind, text):
    assert kind(text) == int(text)
    assert cli.positive("1") == 1
    assert cli.port("65535") == 65535


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (cli.seed, "-1", "from 0 to 4294967295"),
        (cli.seed, "4294967296", "from 0 to 4294967295"),
        (cli.seed, "1.5", "from 0 to 4294967295"),
        (cli.positive, "0", ">= 1"),
        (cli.positive, "x", ">= 1"),
        (cli.port, "99999", "from 0 to 65535"),
        (cli.port, "-1", "from 0 to 65535"),
    ],
)
def test_invalid_numbers_say_what_is_expected(kind, text, expected):
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"must be an integer {expected}, got '{text}'"
    ):
        kind(text)


def test_runs_check_their_seed(capsys):
    parser = argparse.ArgumentParser(parents=[cli.run_arguments()])
    assert parser.parse_args(["--seed", "7"]).seed == 7
    with pytest.raises(SystemExit) as refused:
        parser.parse_args(["--seed", "-1"])
    assert refused.value.code == 2
    assert (
        "argument --seed: must be an integer from 0 to 4294967295, got '-1'"
        in capsys.readouterr().err
    )


def test_an_output_folder_may_not_be_or_be_below_a_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path, tmp_path / "new" / "folder"):
        assert cli.folder(str(path)) == path
    assert not (tmp_path / "new").exists()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(argparse.ArgumentTypeError, match="file is a file, expected a folder"):
            cli.folder(str(path))


@pytest.mark.parametrize(
    "command",
    [
        ["tools/analyze.py", "inpaint", "config", "checkpoint", "image"],
        ["tools/analyze.py", "super-resolve", "config", "checkpoint", "image"],
        ["tools/analyze.py", "painting", "config", "run", "--protocol", "config"],
        ["tools/analyze.py", "representation", "images"],
        ["tools/analyze.py", "masks"],
        ["tools/leaderboard.py", "ablation", "suite"],
        ["tools/leaderboard.py", "build"],
        ["tools/prepare_data.py", "demo"],
        ["tools/export_backbone.py", "checkpoint"],
    ],
    ids=lambda command: command[0],
)
def test_tools_refuse_a_file_as_output_folder(command, tmp_path):
    (tmp_path / "out").write_text("kept")
    failed = run(*command, "--out", tmp_path / "out")
    assert failed.returncode == 2
    assert failed.stderr.endswith("out is a file, expected a folder\n")
    assert (tmp_path / "out").read_text() == "kept"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["tools/analyze.py", "page", "config", "checkpoint", "--port", "99999"], "0 to 65535"),
        (["benchmarks/variants.py", "images", "--steps", "0"], "must be an integer >= 1, got '0'"),
        (
            ["benchmarks/variants.py", "images", "--batch-size", "0"],
            "must be an integer >= 1, got '0'",
        ),
        (["benchmarks/variants.py", "images", "--only", "none"], "--only none matches no config"),
    ],
)
def test_invalid_arguments_get_one_line(command, message):
    failed = run(*command)
    assert failed.returncode == 2
    assert message in failed.stderr.splitlines()[-1]


def run(*command):
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
