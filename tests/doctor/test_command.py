"""The whole doctor as users call it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench.commands import parser_of
from simmim_bench.commands.doctor import run
from simmim_bench.doctor import checks
from simmim_bench.doctor.finding import Finding

ROOT = Path(__file__).parents[2]


@pytest.fixture
def findings(monkeypatch):
    """Function that replaces all checks by what they find."""

    def replace(*found):
        monkeypatch.setattr(checks, "find", lambda **_: iter(found))

    return replace


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("problem", 1)])
def test_the_exit_code_says_whether_there_is_a_problem(findings, capsys, status, code):
    findings(Finding("python", "ok", "3"), Finding("x", status, "text"))
    assert run(parser_of("doctor").parse_args([])) == code
    assert f"{status:<10}x " in capsys.readouterr().out


def test_json_is_all_that_is_printed(findings, capsys, tmp_path):
    findings(Finding("x", "problem", "text", "do this"))
    arguments = ["--json", "--report", str(tmp_path / "r.md")]
    assert run(parser_of("doctor").parse_args(arguments)) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["findings"][0]["remedy"] == "do this"
    assert "do this" in (tmp_path / "r.md").read_text("utf-8")


def test_the_report_is_shown_as_it_was_written(findings, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "jane"))
    findings(Finding("x", "problem", f"no {tmp_path}/jane/secret/file", "do this"))
    run(parser_of("doctor").parse_args(["--report", str(tmp_path / "r.md")]))
    written = (tmp_path / "r.md").read_text("utf-8")
    assert capsys.readouterr().out.endswith(f"read it before you share it:\n\n{written}")
    assert "jane" not in written


def test_a_report_replaces_no_folder(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        parser_of("doctor").parse_args(["--report", str(tmp_path)])
    assert ended.value.code == 2
    assert "expected a file" in capsys.readouterr().err


def test_what_is_left_out(monkeypatch):
    asked = []

    def probe(part):
        asked.append(part)
        yield Finding("torch", "ok", "2")

    monkeypatch.setattr(checks, "probe", probe)
    [*checks.find(quick=True)]
    assert asked == ["facts"]
    [*checks.find()]
    assert asked == ["facts", "facts", "test"]


def test_without_torch_neither_self_test_nor_verification_runs(monkeypatch):
    broken = [Finding("torch", "problem", "it is broken")]
    monkeypatch.setattr(checks, "probe", lambda part: broken if part == "facts" else 1 / 0)
    monkeypatch.setattr(checks, "_verification", lambda: 1 / 0)
    last = [*checks.find(with_verification=True)][-1]
    assert (last.topic, last.status) == ("self-test", "note")


def test_the_verification_comes_last(monkeypatch):
    monkeypatch.setattr(checks, "probe", lambda _: [])
    monkeypatch.setattr(checks, "_verification", lambda: [Finding("verification", "ok", "same")])
    assert [*checks.find(with_verification=True)][-1].text == "same"


def test_an_environment_without_any_package(tmp_path):
    """Python's own library is enough to say what is missing."""
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    has_torch = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if has_torch.returncode == 0:
        pytest.skip("the Python below this environment has torch")
    done = subprocess.run(
        [python, "-m", "simmim_bench", "doctor", "--json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {one["topic"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["torch"]["text"] == "ModuleNotFoundError: No module named 'torch'"
    assert found["OpenMMLab"]["status"] == "problem"
    assert found["outputs"]["status"] in ("ok", "note")
    assert found["self-test"]["status"] == "note"


def test_nothing_heavy_is_imported_and_no_network_is_asked(tmp_path):
    """The quick doctor in a process whose sockets raise."""
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from simmim_bench.commands import doctor, parser_of\n"
        "code = doctor.run(parser_of('doctor').parse_args(['--quick', '--report', 'r.md']))\n"
        "assert not {'torch', 'mmengine', 'mmcv', 'cv2', 'matplotlib'} & {*sys.modules}\n"
        "sys.exit(code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "network" not in done.stdout
    assert str(Path.home()) + "/" not in (tmp_path / "r.md").read_text("utf-8")
