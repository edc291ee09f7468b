"""What a stage passes to its command."""

import os
import subprocess
import sys

from simmim_bench.suite.stage import KEEP_MEMORY, environment_of

FAULTS = """
import resource
for repetition in range(20):
    if repetition == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [bytearray(2**23) for _ in range(3)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(environment):
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_is_kept_between_steps():
    """A page fault for each of 2048 pages of each of 30 buffers, or hardly any."""
    given_back = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    assert faults(given_back) > 30_000
    assert faults(environment_of(1)) < 10_000


def test_settings_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000")
    found = environment_of(2)
    assert found["MALLOC_TRIM_THRESHOLD_"] == "1000"
    assert found["MALLOC_MMAP_THRESHOLD_"] == KEEP_MEMORY["MALLOC_MMAP_THRESHOLD_"]
    assert found["OMP_NUM_THREADS"] == "2"
