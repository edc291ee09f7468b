"""Mean ranks against an independent computation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simmim_bench.leaderboard.ranks import mean_ranks


def test_mean_ranks_share_ties():
    values = [[80.0, 40.0, 3.0], [70.0, 40.0, 9.0], [60.0, 10.0, 1.0]]
    assert mean_ranks(values) == pytest.approx([(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3.0])
    assert mean_ranks([]) == []
    assert not math.isnan(sum(mean_ranks([[1.0], [1.0]])))


RANKED = st.tuples(st.integers(0, 5).map(float), st.integers(0, 3).map(float))


@settings(deadline=None)
@given(st.lists(RANKED, min_size=1, max_size=9))
def test_mean_ranks_are_scipys(values):
    wanted = np.mean(
        [stats.rankdata([-v for v in column]) for column in zip(*values, strict=True)], axis=0
    )
    assert mean_ranks(values) == pytest.approx(wanted)
