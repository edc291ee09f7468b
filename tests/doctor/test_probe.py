"""The process that imports torch: it may crash, hang, print and fail."""

import json

import pytest

from simmim_bench.doctor import probe as module
from simmim_bench.doctor.finding import Finding, run_checks
from simmim_bench.errors import BenchError

GOOD = Finding("torch", "ok", "2.0")


@pytest.fixture
def child(monkeypatch):
    """Function that replaces the code of the other process."""

    def replace(code):
        monkeypatch.setattr(module, "CHILD", code)

    return replace


def test_a_crash_is_told_after_what_was_found_before(child):
    child(f"""
import os, signal
print({json.dumps(GOOD.as_json())!r}, flush=True)
os.kill(os.getpid(), signal.SIGILL)
""")
    found, crash = module.probe("facts")
    assert found == GOOD
    assert (crash.topic, crash.status) == ("torch", "problem")
    assert crash.text == "the process was ended by SIGILL"
    assert "a build for this processor" in crash.remedy


def test_an_error_at_start_is_told_with_its_last_lines(child):
    child("raise SystemError('no such thing')")
    [found] = module.probe("test")
    assert found.topic == "self-test"
    assert found.text.endswith("SystemError: no such thing")


def test_a_process_that_hangs_is_ended(child, monkeypatch):
    monkeypatch.setitem(module.SECONDS, "facts", 1)
    child(f"import time\nprint({json.dumps(GOOD.as_json())!r}, flush=True)\ntime.sleep(60)")
    found, hangs = module.probe("facts")
    assert found == GOOD
    assert hangs.text == "no answer within 1 s"


@pytest.mark.parametrize("error", ["ModuleNotFoundError", "OSError", "AttributeError"])
def test_a_torch_that_cannot_be_imported_is_told_once(tmp_path, child, error):
    (tmp_path / "torch.py").write_text(f"raise {error}('libcudart.so.13 is missing')", "utf-8")
    child(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{module.CHILD}")
    [found] = module.probe("facts")
    assert found.status == "problem"
    assert found.text == f"{error}: libcudart.so.13 is missing"
    assert found.remedy == module.REINSTALL


def test_what_libraries_print_is_no_finding(tmp_path, child):
    (tmp_path / "torch.py").write_text("print('Could not load')\nraise ImportError('x')", "utf-8")
    child(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{module.CHILD}")
    assert len([*module.probe("facts")]) == 1


def test_no_module_of_the_current_folder_is_imported(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise SystemExit('a stranger ran')", "utf-8")
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger ran')", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert all("stranger" not in one.text for one in module.probe("facts"))


def test_a_check_that_fails_stops_no_other():
    def fails():
        yield GOOD
        raise KeyError("no\nsuch key")

    found = [*run_checks({"first": fails, "second": lambda: [GOOD]})]
    assert [one.status for one in found] == ["ok", "problem", "ok"]
    assert found[1].topic == "first"
    assert found[1].text.startswith("this check failed: KeyError: ")


def test_an_error_of_ours_has_its_remedy_in_it():
    def fails():
        raise BenchError("no mmcv; pip install 'it'; or another")

    [found] = run_checks({"x": fails})
    assert found == Finding("x", "problem", "no mmcv", "pip install 'it'; or another")


@pytest.mark.parametrize("value", [{}, {"topic": "a", "status": "bad", "text": ""}, {"x": 1}])
def test_only_findings_are_read(value):
    with pytest.raises(ValueError, match=r"not a finding|status must be"):
        Finding.read(value)


def test_this_installation_answers():
    found = [*module.probe("facts")]
    assert {"torch", "CPU kernels", "communication"} <= {one.topic for one in found}
