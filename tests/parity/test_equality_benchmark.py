"""``benchmarks/equality.py``: it runs every test that measures an error, and says what it lacks."""

import subprocess
import sys
from pathlib import Path

from benchmarks import equality

ROOT = Path(__file__).parents[2]


def test_it_runs_every_file_whose_tests_measure_errors():
    measuring = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if " equal(" in path.read_text("utf-8")
    } - {"tests/parity/test_equality_benchmark.py"}
    assert measuring == {*equality.TESTS, equality.FULL_SIZE}


def test_another_folder_without_golden_files_is_refused(tmp_path):
    command = [sys.executable, "benchmarks/equality.py", "--golden", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"--golden {tmp_path} has no schedules.json, simmim_swin_pretrain.pt" in done.stderr
    assert "Traceback" not in done.stderr
