"""Groups of windows against every possible partition."""

import random
from collections import Counter
from functools import cache
from itertools import combinations

import pytest

from simmim_bench.backbones.sparse.group_attention import best_groups, fullest, group_windows


@cache
def fewest_groups(counts, size):
    """By trying every set of companions for the first window, and so on."""
    if not counts:
        return 0
    first, rest = counts[0], counts[1:]
    found = len(counts)
    for number in range(len(rest) + 1):
        for chosen in combinations(range(len(rest)), number):
            if first + sum(rest[i] for i in chosen) <= size:
                others = tuple(rest[i] for i in range(len(rest)) if i not in chosen)
                found = min(found, 1 + fewest_groups(others, size))
    return found


def cases(number):
    draw = random.Random(0)
    for _ in range(number):
        yield [draw.randint(1, 16) for _ in range(draw.randint(1, 7))], draw.randint(0, 16)


def test_no_partition_has_fewer_groups():
    for counts, more in cases(300):
        size = max(counts) + more
        groups = group_windows(counts, size)
        assert sorted(i for members in groups for i in members) == list(range(len(counts)))
        assert max(sum(counts[i] for i in members) for members in groups) <= size
        assert len(groups) == fewest_groups(tuple(counts), size), (counts, size)


def test_no_other_size_costs_less():
    larger = 0
    for counts, _ in cases(150):
        size, groups = best_groups(counts)
        larger += size > max(counts)
        costs = {
            other: fewest_groups(tuple(counts), other) * other**2
            for other in range(max(counts), sum(counts) + 1)
        }
        assert len(groups) * size**2 == min(costs.values()), counts
    assert larger > 5  # the largest window alone does not decide


def test_the_fullest_set_against_every_subset():
    for counts, room in cases(300):
        sums = {sum(c) for n in range(len(counts) + 1) for c in combinations(counts, n)}
        taken = fullest(Counter(counts), room)
        assert not Counter(taken) - Counter(counts)
        assert sum(taken) == max(value for value in sums if value <= room)


def test_thousands_of_windows_are_grouped_nearly_without_gaps():
    draw = random.Random(0)
    counts = [draw.randint(1, 36) for _ in range(4000)]
    size, groups = best_groups(counts)
    assert sum(counts) / (size * len(groups)) > 0.99


def test_a_window_that_fits_no_group():
    with pytest.raises(ValueError, match="groups of at least 9"):
        group_windows([4, 9], 8)
    with pytest.raises(ValueError, match="at least 1 token"):
        group_windows([0, 2], 8)
