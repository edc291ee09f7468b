"""``benchmarks.speed``: rounds, the table in a page, limits, and the families on small inputs."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks import sparse
from benchmarks.speed import steps, table, work
from benchmarks.speed.steps import matrix_products
from simmim_bench.errors import BenchError
from simmim_bench.training.process import prepare

PAGE = f"# Speed\n\n{table.HEADING}\nold text | 1.0 |\n\n## How cost grows\n\nkept\n"
MACHINE = {"cpu": "A CPU", "cores": 2, "instructions": "AVX2", "load": 0.1,
           "torch": "2.14.1"}  # fmt: skip


def measured(seconds, *, rounds, fits, monkeypatch, cold=False):
    """Measure two implementations whose calls take ``seconds``, first call first."""
    now = 0.0
    left = {name: iter(times) for name, times in seconds.items()}
    calls = []

    def run(name):
        nonlocal now
        now += next(left[name])
        calls.append(name)

    monkeypatch.setattr(work.time, "perf_counter", lambda: now)
    given = work.Work(
        name="work", unit="images", amount=6,
        runs={name: lambda n=name: run(n) for name in seconds}, target=1.5, wall=True,
        cold=cold,
        equal=lambda: f"after {len(calls)} calls",
    )  # fmt: skip
    return work.measure(given, rounds, fits), calls


def test_rounds_alternate_after_a_first_one_that_does_not_count(monkeypatch):
    seconds = {work.OURS: [9, 2, 3, 2], "peer": [9, 4, 3, 6]}
    found, calls = measured(seconds, rounds=3, fits=1000, monkeypatch=monkeypatch)
    assert calls == [work.OURS, "peer"] * 2 + ["peer", work.OURS, work.OURS, "peer"]
    assert found.rates == {work.OURS: 3.0, "peer": 1.5}
    assert (found.ratio, found.spread) == (2.0, (1.5, 2.5))
    assert found.equal == "after 2 calls"


def test_of_a_slow_work_two_rounds_are_run(monkeypatch):
    seconds = {work.OURS: [99, 10, 20], "peer": [99, 30, 20]}
    found, calls = measured(seconds, rounds=7, fits=20, monkeypatch=monkeypatch)
    assert calls == [work.OURS, "peer"] * 2 + ["peer", work.OURS]
    assert (found.rounds, found.ratio) == (2, 2.0)


def test_processes_cannot_be_warmed_up(monkeypatch):
    seconds = {work.OURS: [10, 20], "peer": [30, 20]}
    found, calls = measured(seconds, rounds=7, fits=20, monkeypatch=monkeypatch, cold=True)
    assert calls == [work.OURS, "peer", "peer", work.OURS]
    assert (found.rounds, found.ratio) == (2, 2.0)


def test_as_many_rounds_as_fit(monkeypatch):
    seconds = {work.OURS: [2] * 9, "peer": [3] * 9}
    found, _ = measured(seconds, rounds=7, fits=20, monkeypatch=monkeypatch)
    assert found.rounds == 4


def test_time_of_children_counts():
    before = work.cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(i * i for i in range(3_000_000))"], check=True)
    assert work.cpu_seconds() - before > 0.05


def test_the_table_replaces_its_section_alone_and_again(monkeypatch):
    found, _ = measured({work.OURS: [2] * 3, "peer": [3] * 3}, rounds=2, fits=99,
                        monkeypatch=monkeypatch)  # fmt: skip
    page = table.page(PAGE, [found.json()], MACHINE)
    assert "| work | 3 images/s | peer 2 | 1.50 (1.50 to 1.50) | 1.5 |  | wall, 1 thread |" in page
    assert "Machine: A CPU, 2 cores, AVX2, load 0.1 at the start; torch 2.14.1." in page
    assert page.startswith(f"# Speed\n\n{table.HEADING}")
    assert page.endswith("\n\n## How cost grows\n\nkept\n")
    assert "old text" not in page
    assert table.page(page, [found.json()], MACHINE) == page


@pytest.mark.parametrize("text", ["# Speed\n", PAGE + PAGE])
def test_a_page_without_the_one_heading_is_refused(text):
    with pytest.raises(BenchError, match="expected one"):
        table.page(text, [], MACHINE)


def test_the_limit_repeats_products_and_convolutions():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),
                                torch.nn.Linear(144, 5))  # fmt: skip
    images = torch.randn(2, 3, 8, 8)
    limit = matrix_products(lambda: model(images).sum().backward())
    with torch.profiler.profile() as profiled:
        limit()
    counts = {event.key: event.count for event in profiled.key_averages()}
    assert counts["aten::convolution"] == 1
    assert counts["aten::convolution_backward"] == 1
    assert counts["aten::matmul"] == 3  # forward, and two gradients
    assert "aten::relu" not in counts


@pytest.mark.slow
@pytest.mark.timeout(1500)  # processes that import everything
def test_sparse_and_dense_steps_run():
    prepare("none", "mmpretrain")
    found = list(steps._sparse(small=True))
    assert len(found) == 4
    for one in found[:2]:
        for run in one.runs.values():
            run()


@pytest.mark.parametrize(("family", "number"), [("whole_tests", 1), ("downstream_steps", 3)])
def test_a_family_runs_on_small_inputs(tmp_path, family, number):
    stored, page = tmp_path / "bench.json", tmp_path / "speed.md"
    page.write_text(PAGE)
    command = [sys.executable, "-m", "benchmarks.speed", family, "--small", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--json", stored, "--page", page], cwd=sparse.ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    works = json.loads(stored.read_text())["works"]
    assert len(works) == number
    assert all(one["ratio"] > 0 and one["equal"] for one in works)
    assert all(f"| {one['name']} |" in page.read_text() for one in works)
