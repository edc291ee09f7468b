"""Noise between seeds, intervals and tests against independent computations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from simmim_bench.leaderboard.aggregate import Stat, summarise
from simmim_bench.leaderboard.noise import CAUTION, Noise, holm

OURS, THEIRS = [44.0, 45.5, 46.0, 44.7], [43.1, 42.2, 43.9]


def test_the_interval_of_a_row_alone_is_students():
    low, high = stats.t.interval(0.95, len(OURS) - 1, loc=np.mean(OURS), scale=stats.sem(OURS))
    stat = summarise(OURS)
    assert Noise.of([stat]).half_width(stat) == pytest.approx((high - low) / 2)


def test_two_rows_differ_by_students_test():
    ours, theirs = summarise(OURS), summarise(THEIRS)
    found = Noise.of([ours, theirs]).difference(ours, theirs)
    wanted = stats.ttest_ind(OURS, THEIRS)
    assert found.points == pytest.approx(np.mean(OURS) - np.mean(THEIRS))
    assert found.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert found.interval == pytest.approx((interval.low, interval.high))


def test_a_single_run_has_no_uncertainty_and_is_never_told_apart():
    ours, single = summarise(OURS), Stat(40.0, None, 1)
    noise = Noise.of([ours, single])
    found = noise.difference(ours, single)
    assert (found.interval, found.p) == (None, None)
    assert found.points == pytest.approx(5.05)
    assert noise.half_width(single) is None
    assert not noise.are_told_apart(ours, Stat(0.0, None, 1), 2)
    assert Noise.of([single, single]) is None


def test_equal_repeats_say_nothing_about_noise():
    """As of k-NN with given weights, which a seed does not change."""
    assert Noise.of([Stat(40.0, 0.0, 3), Stat(42.0, 0.0, 3), Stat(40.0, 0.0, 3)]) is None


def test_one_row_without_spread_among_others():
    """A lucky pair of equal figures does not make its row certain."""
    rows = [Stat(50.0, 0.0, 2), *(Stat(49.0 + n, 0.5 + 0.1 * n, 2) for n in range(6))]
    noise = Noise.of(rows)
    assert noise.variance_of(rows[0]) > 0.01
    assert not noise.are_told_apart(rows[0], rows[1], len(rows))


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("rows", [3, 8, 30])
def test_alike_rows_are_told_apart_as_tukey_does(seeds, rows):
    """SciPy's test of all pairs; variances taken to be equal."""
    generator = np.random.default_rng(seeds * rows)
    samples = generator.normal(0, 1, (rows, seeds)) + generator.choice([0, 4], (rows, 1))
    means = [summarise(list(sample)) for sample in samples]
    pooled = float(np.mean([stat.sd**2 for stat in means]))
    noise = Noise(pooled, math.inf, rows * (seeds - 1))
    wanted = stats.tukey_hsd(*samples).pvalue < 0.05
    found = [[noise.are_told_apart(one, other, rows) for other in means] for one in means]
    assert found == (wanted & ~np.eye(rows, dtype=bool)).tolist()
    assert rows == 3 or wanted.sum() > 0


def test_two_seeds_and_many_rows_tell_9_from_92():
    """Welch's test with Holm's correction could not."""
    near = [Stat(90.0 - n, 0.3 + 0.05 * n, 2) for n in range(36)]
    best, far = Stat(92.7, 0.1, 2), Stat(9.8, 1.2, 2)
    noise = Noise.of([best, far, *near])
    assert noise.are_told_apart(best, far, 38)


@pytest.mark.parametrize("weight", [4.0, 10.0])
def test_the_estimate_finds_how_variances_are_spread(weight):
    """Variances of the model: scaled inverse chi-squared, times chi-squared over its freedom."""
    generator = np.random.default_rng(0)
    true = 2.5 * weight / generator.chisquare(weight, 40000)
    seen = true * generator.chisquare(2, 40000) / 2
    noise = Noise.of(Stat(0.0, math.sqrt(value), 3) for value in seen)
    assert noise.weight == pytest.approx(CAUTION * weight, rel=0.2)
    assert noise.variance == pytest.approx(2.5, rel=0.1)
    assert noise.freedom == 80000
    stat = Stat(0.0, 2.0, 3)
    wanted = (noise.weight * noise.variance + 2 * 4.0) / (noise.weight + 2)
    assert noise.variance_of(stat) == pytest.approx(wanted)
    assert noise.freedom_of(stat) == noise.weight + 2


def test_equal_variances_share_all_freedom():
    rows = [Stat(float(n), 1.0, 3) for n in range(5)]
    assert Noise.of(rows) == Noise(1.0, math.inf, 10.0)
    assert Noise.of(rows).freedom_of(rows[0]) == 10


def test_the_least_difference_is_where_means_are_told_apart():
    noise = Noise(1.0, math.inf, 20.0)
    least = noise.least_difference(3, 6)
    assert noise.are_told_apart(Stat(least + 0.01, 1.0, 3), Stat(0.0, 1.0, 3), 6)
    assert not noise.are_told_apart(Stat(least - 0.01, 1.0, 3), Stat(0.0, 1.0, 3), 6)


def test_holm_multiplies_the_smallest_most():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize(("rows", "seeds", "control"), [(2, 2, 5), (6, 3, 3), (6, 2, 8)])
def test_intervals_against_a_control_are_dunnetts(rows, seeds, control):
    generator = np.random.default_rng(rows)
    runs = generator.normal(50, 1, (rows, seeds)).tolist()
    base = generator.normal(40, 1, control).tolist()
    summaries = list(map(summarise, runs))
    freedom = rows * (seeds - 1) + control - 1
    squares = sum(stat.sd**2 * (stat.n - 1) for stat in [*summaries, summarise(base)])
    noise = Noise(squares / freedom, math.inf, freedom)
    wanted = stats.dunnett(*runs, control=base, rng=0).confidence_interval()
    assert noise.reaches(summarise(base), summaries) == pytest.approx(
        (wanted.high - wanted.low) / 2,
        rel=0.02,  # scipy's numbers are random
    )


def test_one_interval_against_a_control_is_students():
    ours, theirs = summarise(OURS), summarise(THEIRS)
    noise = Noise.of([ours, theirs])
    low, high = noise.difference(ours, theirs).interval
    assert noise.reaches(theirs, [ours]) == pytest.approx([(high - low) / 2], rel=1e-3)


def test_an_exact_control_leaves_independent_intervals():
    exact, other = Stat(40.0, 0.0, 10**9), Stat(50.0, 1.0, 4)
    noise = Noise(1.0, math.inf, 10**6)
    [reach, _] = noise.reaches(exact, [other, other])
    sidak = stats.norm.ppf((1 + 0.95**0.5) / 2) / 2
    assert reach == pytest.approx(sidak, rel=1e-3)
