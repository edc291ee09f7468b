"""Intervals, tests and ranks against independent computations."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from simmim_bench.leaderboard.aggregate import Stat, summarise
from simmim_bench.leaderboard.statistics import difference, half_width, holm, mean_ranks, ties

OURS, THEIRS = [44.0, 45.5, 46.0, 44.7], [43.1, 42.2, 43.9]


def test_the_interval_of_a_mean_is_students():
    low, high = stats.t.interval(0.95, len(OURS) - 1, loc=np.mean(OURS), scale=stats.sem(OURS))
    assert half_width(summarise(OURS)) == pytest.approx((high - low) / 2)
    assert half_width(summarise([1.0])) is None


def test_the_difference_is_welchs():
    found = difference(summarise(OURS), summarise(THEIRS))
    wanted = stats.ttest_ind(OURS, THEIRS, equal_var=False)
    assert found.points == pytest.approx(np.mean(OURS) - np.mean(THEIRS))
    assert found.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert found.interval == pytest.approx((interval.low, interval.high))


def test_a_single_run_has_no_uncertainty():
    found = difference(summarise(OURS), summarise([40.0]))
    assert found.points == pytest.approx(5.05)
    assert (found.interval, found.p) == (None, None)


@pytest.mark.parametrize(("points", "p"), [(0.0, 1.0), (2.0, 0.0)])
def test_runs_without_any_spread(points, p):
    found = difference(Stat(40.0 + points, 0.0, 3), Stat(40.0, 0.0, 3))
    assert found.p == p
    assert found.interval == (points, points)


def test_holm_multiplies_the_smallest_most():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_what_is_within_seed_noise_is_a_tie():
    best = summarise([50.0, 51.0, 52.0])
    near, far = summarise([49.0, 51.5, 50.0]), summarise([40.0, 40.5, 41.0])
    assert ties(best, [far, near]) == [False, True]


def test_a_single_run_is_taken_to_vary_as_its_rival():
    several, lucky, below = summarise([50.0, 51.0, 52.0]), Stat(52.5, None, 1), Stat(40, None, 1)
    assert ties(lucky, [several]) == [True]
    assert ties(several, [below, Stat(50.5, None, 1)]) == [False, True]
    assert ties(lucky, [Stat(52.4, None, 1), several]) == [False, True]


def test_many_comparisons_are_corrected():
    """One test at 3 % is significant; among five alike it is not."""
    best = summarise([50.0, 51.0, 52.0])
    rival = summarise([47.6, 48.6, 49.6])
    p = difference(best, rival).p
    assert 0.01 < p < 0.05
    assert ties(best, [rival]) == [False]
    assert ties(best, [rival] * 5) == [True] * 5


def test_mean_ranks_share_ties():
    values = [[80.0, 40.0, 3.0], [70.0, 40.0, 9.0], [60.0, 10.0, 1.0]]
    assert mean_ranks(values) == pytest.approx([(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3.0])
    assert mean_ranks([]) == []
    assert not math.isnan(sum(mean_ranks([[1.0], [1.0]])))


STATS = st.builds(
    Stat,
    st.floats(0, 100),
    st.floats(1e-9, 10) | st.just(0.0),  # squares of less underflow in the reference
    st.integers(2, 9),
) | st.builds(Stat, st.floats(0, 100), st.none(), st.just(1))


@settings(deadline=None)  # a machine may be busy
@given(STATS, st.lists(STATS, max_size=12))
@example(Stat(50.0, 0.0, 3), [Stat(50.0, 0.0, 3), Stat(40.0, 0.0, 2), Stat(50.0, None, 1)])
def test_ties_all_at_once_are_those_of_one_test_each(best, rivals):
    """The reference: statsmodels' Holm over SciPy's test of each pair."""
    known = [rival for rival in rivals if best.n > 1 or rival.n > 1]
    corrected = iter(
        multipletests([welch(best, r) for r in known], method="holm")[1] if known else []
    )
    assert ties(best, rivals) == [rival in known and next(corrected) >= 0.05 for rival in rivals]


def test_the_smallest_spread_is_one():
    apart = difference(Stat(50.0, 0.0, 2), Stat(40.0, 1e-130, 2))
    assert apart.p < 0.05
    assert apart.interval == (10.0, 10.0)
    assert ties(Stat(50.0, 0.0, 2), [Stat(50.0, 1e-130, 2)]) == [True]


def welch(ours, theirs):
    """Welch's test; with a single run Student's, whose pooled variance is that of the other."""
    single = min(ours.n, theirs.n) == 1
    if not (ours.sd or theirs.sd):
        return float(ours.mean == theirs.mean)
    pair = (value for stat in (ours, theirs) for value in (stat.mean, stat.sd or 0.0, stat.n))
    return stats.ttest_ind_from_stats(*pair, equal_var=single).pvalue


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


RANKED = st.tuples(st.integers(0, 5).map(float), st.integers(0, 3).map(float))


@settings(deadline=None)
@given(st.lists(RANKED, min_size=1, max_size=9))
def test_mean_ranks_are_scipys(values):
    wanted = np.mean(
        [stats.rankdata([-v for v in column]) for column in zip(*values, strict=True)], axis=0
    )
    assert mean_ranks(values) == pytest.approx(wanted)
