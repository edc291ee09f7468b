"""One attempt at a command: time limits and GPUs."""

import sys
import threading
from functools import partial

from simmim_bench.suite import processes
from simmim_bench.suite.attempt import INTERRUPTED, Attempt, hold_gpus

SAVES = """
import signal, sys, time
def leave(*_):
    print("saved", flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_command_that_takes_too_long_is_asked_to_save(tmp_path):
    attempt = Attempt(tmp_path, minutes=1)
    attempt.seconds = 1.5
    log = (tmp_path / "log.txt").open("wb")
    code = attempt.run((sys.executable, "-c", SAVES), tmp_path, {}, log)
    assert code == INTERRUPTED
    assert attempt.overtime
    assert (tmp_path / "log.txt").read_text().split() == ["ready", "saved"]


def test_a_command_has_as_long_to_save_as_stated(tmp_path, monkeypatch):
    slow = SAVES.replace("    print(", "    time.sleep(2)\n    print(")
    monkeypatch.setattr(processes, "end", partial(processes.end, patience=0.1))
    for seconds, printed in (("1", ["ready"]), ("30", ["ready", "saved"])):
        monkeypatch.setenv("SIMMIM_BENCH_SECONDS_TO_SAVE", seconds)
        attempt = Attempt(tmp_path, minutes=1)
        attempt.seconds = 1.5
        log = (tmp_path / "log.txt").open("wb")
        assert attempt.run((sys.executable, "-c", slow), tmp_path, {}, log) == INTERRUPTED
        assert (tmp_path / "log.txt").read_text().split() == printed


def test_each_stage_holds_gpus_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with hold_gpus(2) as first, hold_gpus(1) as second:
        assert (first, second) == (["4", "5"], ["7"])
    with hold_gpus(3) as every, hold_gpus(0) as none:
        assert (every, none) == (["4", "5", "7"], [])


def test_a_stage_waits_for_a_free_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    got = []

    def take():
        with hold_gpus(1) as names:
            got.extend(names)

    with hold_gpus(1):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(0.5)
        assert got == []
    thread.join(20)
    assert got == ["0"]
