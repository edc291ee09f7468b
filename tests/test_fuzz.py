"""A slice of benchmarks/fuzz.py: no input ends in a traceback or is believed though it is wrong."""

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.fuzz import CASES
from benchmarks.fuzzing import commands
from benchmarks.fuzzing.worker import outcome

FAST = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SLOW = {"folders of runs": 2, "records, valid hash": 2, "suite files": 8, "images": 10}
SLOW |= {"config files, run": 4, "--cfg-options": 4, "conversions": 2, "checkpoint contents": 4}
SLOW |= {"repositories of the Hub": 4}
SLOW |= {"cited results": 6, "URLs": 20, "state dicts": 8}


def outcomes(case, folder, inputs, start=0):
    """How each input ends, without those that are accepted or refused with a sentence."""
    strategy, read = case.prepare(folder)
    found = []

    @seed(start)
    @settings(FAST, max_examples=inputs)
    @given(strategy)
    def each(content):
        found.append(outcome(read, content))

    each()
    assert len(found) >= inputs // 2
    return [one for one in found if one[0] not in ("accepted", "refused")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_files(case, tmp_path):
    assert outcomes(case, tmp_path, SLOW.get(case.name, 20)) == []


def test_command_lines(tmp_path):
    send = requests.Session.send
    case = commands.CASES[0]
    assert outcomes(case, tmp_path, 12) == []
    assert requests.Session.send is send  # what a case stops goes on for the tests after it


def test_a_loader_that_believes_everything_is_found(tmp_path):
    """The fuzzer itself: a reader that fails is not counted as one that refuses."""

    def fail(content):
        raise KeyError(content)

    kind, _, place, _ = outcome(fail, b"x")
    assert kind == "traceback"
    assert "KeyError" in place
