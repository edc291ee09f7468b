"""Suite files of any size and damaged files of a suite's state end in a sentence, or run again."""

import json
import time

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.stop import take_stop
from simmim_bench.suite import cache
from simmim_bench.suite.attempt import Attempt
from simmim_bench.suite.events import EVENTS, Board
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.state import read_benchmark, read_progress

SUITE = "name: a\nbackbones: [x]\nbaselines: [scratch]\ntasks: {t: configs/a.py}\n"
AXES = ", ".join(f"a{n}: [{', '.join(map(str, range(1, 99)))}]" for n in range(9))
NAME = "".join(f"{{a{n}}}" for n in range(9))
ODD = ["", "null", "[]", "{", "[" * 3000, "1" * 5000, '"\\ud800"', '{"outputs": {"a": 1}}']
IDS = range(len(ODD))


@pytest.mark.parametrize(
    "more",
    [
        "seeds: 1000000000",
        "include: [{method: scratch, backbone: y, task: t}]\nseeds: 999999",
        f"pretrain:\n  m{NAME}:\n    config: x\n    axes: {{{AXES}}}",
    ],
)
def test_a_huge_matrix_is_refused_before_it_is_listed(tmp_path, more):
    (tmp_path / "x.yaml").write_text(SUITE + more)
    begin = time.monotonic()
    with pytest.raises(BenchError, match=r"the matrix has \d+ cells .* at most 10000"):
        load_suite(tmp_path / "x.yaml")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("seeds", ["true", "'3'", "3.0", "2001-01-01"])
def test_seeds_are_an_integer_as_it_is_written(tmp_path, seeds):
    (tmp_path / "x.yaml").write_text(f"{SUITE}seeds: {seeds}")
    with pytest.raises(BenchError, match="'seeds' should be a valid integer"):
        load_suite(tmp_path / "x.yaml")


def test_a_long_list_of_mistakes_and_a_long_value_are_cut(tmp_path):
    (tmp_path / "x.yaml").write_text(SUITE + "".join(f"key{n}: 1\n" for n in range(90)))
    with pytest.raises(BenchError, match="has 90 mistakes") as caught:
        load_suite(tmp_path / "x.yaml")
    assert str(caught.value).endswith("and 70 more")
    (tmp_path / "x.yaml").write_text(f"{SUITE}seeds: {'x' * 9999}")
    with pytest.raises(BenchError) as caught:
        load_suite(tmp_path / "x.yaml")
    assert len(str(caught.value)) < 400


@pytest.fixture
def plan(tmp_path):
    stage = Stage("finetune/a", ("x",), "work/finetune/a/manifest.json", (), {"config": "1"})
    last = Stage("leaderboard", ("y",), "work/x.md", (stage.id,), {"tool": "1"}, always=True)
    found = Plan("x", tmp_path, tmp_path / "work", (stage, last))
    (found.state / EVENTS).mkdir(parents=True)
    folder = found.folder_of(stage)
    folder.mkdir(parents=True)
    (folder / "stage.json").write_text(json.dumps({"inputs": {"config": "1"}, "files": {}}))
    (folder / "manifest.json").write_text(json.dumps({"status": "complete", "outputs": {}}))
    assert cache.check_stage(found, stage).cached
    return found


@pytest.mark.parametrize("name", ["stage.json", "manifest.json"])
@pytest.mark.parametrize("text", ODD, ids=IDS)
def test_a_stage_with_a_damaged_file_runs_again(plan, name, text):
    (plan.folder_of(plan.stages[0]) / name).write_text(text)
    check = cache.check_stage(plan, plan.stages[0])
    assert not check.cached
    assert cache.explain(plan, plan.stages[0], check)


def test_a_manifest_with_a_broken_output_is_not_complete(plan):
    result = plan.result_of(plan.stages[0])
    result.write_text('{"status": "complete", "outputs": {"a": {"path": 1}}}')
    assert not cache.is_complete(result)


def test_a_stage_whose_manifest_lost_an_output_runs_again(plan):
    trace = {"inputs": {"config": "1"}, "files": {"checkpoint": [1, 2]}}
    (plan.folder_of(plan.stages[0]) / "stage.json").write_text(json.dumps(trace))
    assert cache.check_stage(plan, plan.stages[0]).reason == (
        "its manifest.json lacks the output checkpoint"
    )


@pytest.mark.parametrize(
    "text", [*ODD, '{"attempts": [1, {"exit_code": "x"}], "wall_seconds": []}'], ids=range(9)
)
def test_damaged_costs_progress_and_stops_count_as_absent(plan, text):
    folder = plan.folder_of(plan.stages[0])
    for name in ("benchmark.json", "progress.json", "stop.json"):
        (folder / name).write_text(text)
    assert read_benchmark(folder) == {}
    assert not any(read_progress(folder).values())
    assert Attempt(folder).earlier == []
    assert take_stop(folder) is None


@pytest.mark.parametrize(
    "line", [*ODD, '{"stage": 1}', '{"stage": "gone", "kind": "start"}'], ids=range(10)
)
def test_a_damaged_event_is_passed_over(plan, line):
    good = {"stage": "finetune/a", "kind": "start", "owner": "", "host": "h"}
    (plan.state / EVENTS / "h.jsonl").write_text(f"{line}\n{json.dumps(good)}\n")
    board = Board(plan, shown={"finetune/a"}, cached=set())
    assert [row.state for row in board.refresh()] == ["running"]


@pytest.mark.parametrize("text", ODD, ids=IDS)
def test_a_damaged_plan(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(BenchError, match=r"missing or damaged .* start the suite again"):
        Plan.read(tmp_path / "plan.json")
