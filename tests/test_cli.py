"""What arguments take."""

import argparse
import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench import cli
from simmim_bench.errors import BenchError

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
    parser = argparse.ArgumentParser()
    cli.add_run_arguments(parser)
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


def failing(code, name="out/a"):
    def raises(_):
        raise OSError(code, os.strerror(code), name)

    return raises


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda folder: (folder / "gone").read_text(), "gone does not exist; check the path"),
        (lambda folder: folder.read_text(), "is a folder, expected a file"),
        (lambda folder: (folder / "file" / "a").write_text(""), "is a file, expected a folder"),
        (lambda folder: (folder / "file").mkdir(), "file exists already; remove it or give"),
        (lambda folder: (folder / ("n" * 300)).touch(), "nnn... is too long; give a shorter one"),
        (lambda folder: (folder / "loop").read_text(), "loop is a symbolic link that leads to"),
        (failing(errno.EROFS), "out/a is on a read-only file system; give a path elsewhere"),
        (failing(errno.EACCES), "no permission to read or write out/a; change its permissions"),
        (failing(errno.EPERM), "no permission to change out/a; change its permissions or give"),
        (failing(errno.ENOSPC), "the disk is full ([Errno 28] No space left on device: 'out/a')"),
        (failing(errno.EDQUOT), "the disk is full ([Errno 122] Disk quota exceeded: 'out/a')"),
        (failing(errno.EIO, b"a\xff"), "the device of a\\udcff reports an error; check the disk"),
        (failing(errno.EBADF, 7), "7: Bad file descriptor"),
        (failing(errno.EMFILE, None), "[Errno 24] Too many open files"),
    ],
)
def test_an_error_of_the_system_is_one_sentence(act, message, tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: act(tmp_path))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError("Caught OSError in a worker.\nTraceback:\nOSError: no key 7\n"),
            "OSError: no key 7",
        ),
        (OSError(), "OSError"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "[Errno 32] Broken pipe"),  # not of stdout
    ],
)
def test_an_error_without_a_path_is_one_sentence(error, message, capsys):
    def act():
        raise error

    with pytest.raises(SystemExit) as ended:
        cli.main(act)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.main(lambda: 1 // 0)


@pytest.mark.parametrize("buffering", [1, -1])  # fails in the tool, or when it has ended
def test_a_reader_that_is_gone_ends_a_tool_silently(buffering, monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w", buffering=buffering)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: sys.stdout.write("line\n") and None)
    assert ended.value.code == 141
    assert capsys.readouterr().err == ""
    stream.close()


@pytest.mark.parametrize("flags", [[], ["-u"]])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_process_whose_output_cannot_be_written(flags, at_once):
    code = f"from simmim_bench import cli; cli.main(lambda: print(1), at_once={at_once})"
    read, write = os.pipe()
    os.close(read)
    assert ended_of([*flags, "-c", code], write) == (141, "")
    os.close(write)
    with Path("/dev/full").open("w") as full:
        returned, said = ended_of([*flags, "-c", code], full)
    assert returned == 2
    assert said.startswith("error: the disk is full")
    assert len(said.splitlines()) == 1


def test_an_error_is_shown_though_the_output_cannot_be_written():
    code = (
        "from simmim_bench import cli, errors\n"
        "def act():\n"
        "    print(1)\n"
        "    raise errors.BenchError('no such run')\n"
        "cli.main(act)"
    )
    with Path("/dev/full").open("w") as full:
        assert ended_of(["-c", code], full) == (2, "error: no such run\n")


def test_help_that_nobody_reads_is_silent():
    code = (
        "import argparse; from simmim_bench import cli\n"
        "cli.main(lambda: argparse.ArgumentParser().parse_args(['--help']))"
    )
    with Path("/dev/full").open("w") as full:
        assert ended_of(["-c", code], full) == (0, "")


def ended_of(arguments, stdout):
    command = [sys.executable, *arguments]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # ``-u`` is a case of its own
    ended = subprocess.run(
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=buffered,
        check=False,
    )
    return ended.returncode, ended.stderr


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


@pytest.mark.parametrize("closed", [">&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_tool_whose_streams_are_closed_ends_as_ever(closed, tmp_path):
    out = tmp_path / "x.csv"
    line = f"{shlex.quote(sys.executable)} tools/leaderboard.py export {out} {closed}"
    command = ["bash", "-c", line]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.split())
    assert out.read_text("utf-8").count("\n") > 10
    assert "records and cited" not in out.read_text("utf-8")


@pytest.mark.parametrize("number", ["EIO", "EMFILE", "ESTALE"])
def test_errors_of_devices_have_a_remedy(number, capsys):
    def fail():
        raise OSError(getattr(errno, number), "odd", "/mnt/x")

    with pytest.raises(SystemExit) as ended:
        cli.main(fail)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "/mnt/x" in said
    assert "odd" not in said


def test_what_a_strangers_file_says_is_shown_as_text(capsys):
    def fail():
        raise BenchError("x\x1b[2J\ud800\u202e\n" + "y" * 9999 + "; remove it")

    with pytest.raises(SystemExit):
        cli.main(fail)
    said = capsys.readouterr().err
    assert said.startswith("error: x\\x1b[2J\\ud800\\u202e\n")
    assert said.endswith("; remove it\n")
    assert len(said) < 1200
