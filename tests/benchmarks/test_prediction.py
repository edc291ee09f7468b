"""Rank correlations of probes and fine-tuned tasks, against scipy and cases known beforehand."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from benchmarks.prediction import agreement, agreements, draw, values_of
from simmim_bench.errors import BenchError

METHODS = ("scratch", "simmim", "sparse", "mocov3", "perceptual")


def starts(values, seeds=3):
    """Values in turn for each method and seed."""
    names = [(method, seed) for method in METHODS for seed in range(seeds)]
    return dict(zip(names, values, strict=True))


@pytest.fixture
def noisy():
    generator = np.random.default_rng(3)
    truth = np.repeat([50.0, 60, 70, 75, 90], 3)
    return {
        "demo-knn": starts(truth + generator.normal(0, 8, 15)),
        "demo-classification": starts(truth + generator.normal(0, 8, 15)),
        "demo-upernet": starts(-truth),
    }


def test_the_correlation_is_that_of_scipy_and_lies_in_its_interval(noisy):
    found = agreement("demo-knn", "demo-classification", noisy)
    columns = [list(noisy[name].values()) for name in ("demo-knn", "demo-classification")]
    assert found.rho == pytest.approx(spearmanr(*columns).statistic)
    low, high = found.interval
    assert -1 <= low < found.rho < high <= 1
    assert agreement("demo-knn", "demo-classification", noisy).interval == found.interval


def test_seeds_of_a_method_are_not_independent(noisy):
    """Three equal seeds tell no more than one."""
    one = {name: {s: v for s, v in of.items() if s[1] == 0} for name, of in noisy.items()}
    same = {name: {(m, s): of[m, 0] for m, s in of} for name, of in noisy.items()}
    wanted = agreement("demo-knn", "demo-classification", one)
    found = agreement("demo-knn", "demo-classification", same)
    assert found.rho == pytest.approx(wanted.rho)
    assert found.interval == pytest.approx(wanted.interval)


def test_a_perfect_and_a_reversed_order(noisy):
    noisy["demo-knn"] = starts(range(15))
    noisy["demo-upernet"] = starts(range(0, -15, -1))
    upernet = agreement("demo-knn", "demo-upernet", noisy)
    assert upernet.rho == pytest.approx(-1)
    assert upernet.interval == pytest.approx((-1, -1))


def test_only_starts_with_both_count(noisy, tmp_path):
    del noisy["demo-knn"]["simmim", 2]
    found = agreements(noisy)
    assert [(one.probe, one.task) for one in found] == [
        ("demo-knn", "demo-classification"),
        ("demo-knn", "demo-upernet"),
    ]
    assert found[0].row().startswith("| demo-knn | demo-classification | 0.")
    assert found[0].row().endswith(" | 14 | 5 |")
    draw(found, tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as image:
        assert image.size == (420, 780)


def test_too_little_is_refused(noisy):
    few = {name: {s: v for s, v in of.items() if s[0] < "scratch"} for name, of in noisy.items()}
    with pytest.raises(BenchError, match="2 methods have results of both demo-knn and demo-class"):
        agreements(few)
    with pytest.raises(BenchError, match="have 0 probes and 1 other protocols"):
        agreements({"demo-upernet": noisy["demo-upernet"]})


def record(label, backbone="one", *, kind="full", top1=50.0):
    """What is read of a record."""
    protocol = SimpleNamespace(id="demo-knn", primary="top1")
    metrics = {"top1": top1, "top5": 90.0}
    return SimpleNamespace(
        kind=kind, seed=0, label=label, backbone=backbone, protocol=protocol, metrics=metrics
    )


def test_the_primary_metric_of_full_runs_counts():
    given = [record("simmim", top1=61.0), record("scratch"), record("sparse", kind="smoke")]
    assert values_of(given) == {"demo-knn": {("simmim", 0): 61.0, ("scratch", 0): 50.0}}


def test_records_of_two_studies_are_refused():
    with pytest.raises(BenchError, match="records are of the backbones one, two, expected one"):
        values_of([record("simmim"), record("scratch", "two")])
    with pytest.raises(BenchError, match="simmim, seed 0, has two results of demo-knn; give"):
        values_of([record("simmim"), record("simmim")])
