"""Charts of the leaderboard's web page as SVG; each is drawn only where it answers its question.

A chart of seeds needs a repeated run and two rows; cost, three rows with known costs, two of them
pretrained; two tasks, ``MIN_PAIRED`` rows that have both; mean ranks, so many tasks that Nemenyi's
test can tell something apart; learning, curves with two points.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from simmim_bench.leaderboard.aggregate import Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey, subject_of
from simmim_bench.leaderboard.metrics import METRICS, UNITS, with_unit
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.leaderboard.ranks import Ranking, alike, rankings
from simmim_bench.leaderboard.statistics import noise_of
from simmim_bench.leaderboard.web.curves import learning_charts
from simmim_bench.leaderboard.web.drawing import (
    CHARACTERS,
    WIDTH,
    Chart,
    as_svg,
    legend,
    looks_of,
    shorten,
    styled,
)
from simmim_bench.plots import new_figure

MAX_ROWS = 24
MAX_PAIRS = 12
MIN_PAIRED = 4
MIN_TIMED = 3
LINE = 0.38  # inches for the name of a row and the line below it
POINT = 36  # area of a marker in square points
LABEL = 18  # characters of a name in a chart of points
Look = dict[str, Any]


def charts_of(table: Table) -> Iterator[Chart]:
    """Charts of a table, in the order of their kinds."""
    looks = looks_of(row.backbone for row in table.rows)
    known = {key: _known(table, key) for key in table.columns}
    for ranking in rankings(table):
        if ranking.can_tell_apart:
            yield _ranks(ranking, looks[ranking.backbone])
    for key, values in known.items():
        if len(values) > 1 and any(len(row.cells[key].records) > 1 for row in values):
            yield _seeds(table, key, list(values), looks)
    for key, values in known.items():
        if chart := _cost(table, key, values, looks):
            yield chart
    pairs = itertools.combinations(table.columns, 2)
    if len(table.columns) * (len(table.columns) - 1) / 2 > MAX_PAIRS:
        pairs = itertools.pairwise(table.columns)  # type: ignore[assignment]
    for pair in pairs:
        both = [row for row in known[pair[0]] if row in known[pair[1]]]
        if len(both) >= MIN_PAIRED and len({table.columns[key].task for key in pair}) > 1:
            yield _two_tasks(
                table, pair, {row: [known[key][row] for key in pair] for row in both}, looks
            )
    yield from learning_charts(table, {key: list(values) for key, values in known.items()},
                               {key: _topic(table, key) for key in known})  # fmt: skip


def _known(table: Table, key: ColumnKey) -> dict[Row, float]:
    """Primary metric of the rows that have it, best first; of those that deviate only if all do."""
    name = table.columns[key].primary
    rows = [row for row in table.rows if key in row.cells and name in row.cells[key].metrics]
    plain = [row for row in rows if not row.cells[key].deviations]
    found = {row: row.cells[key].metrics[name].mean for row in plain or rows}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _ranks(ranking: Ranking, look: Look) -> Chart:
    """Mean ranks with intervals; a line at the side joins what is not told apart."""
    rows = ranking.rows[:MAX_ROWS]
    with styled():
        figure = new_figure(width=WIDTH, height=0.7 + LINE * len(rows))
        axes = figure.subplots()
        places = range(len(rows))
        axes.hlines(
            places, *zip(*ranking.intervals[: len(rows)], strict=True), colors=look["color"]
        )
        axes.scatter(ranking.means[: len(rows)], places, POINT, look["color"])
        _names(axes, [row.method for row in rows])
        left, right = axes.get_xlim()
        step = (right - left) / 40
        joined = [(first, min(last, len(rows) - 1)) for first, last in alike(ranking)]
        for number, (first, last) in enumerate(pair for pair in joined if pair[0] < pair[1]):
            axes.vlines(right + (number + 1) * step, first - 0.15, last + 0.15, linewidth=3,
                        colors=axes.xaxis.label.get_color())  # fmt: skip
        axes.set_xlabel(f"mean rank over {ranking.tasks} tasks (1 is best)")
        svg = as_svg(figure)
    sure = "" if ranking.p is None else f" Friedman's test: p = {ranking.p:.2g}."
    more = f" The best {MAX_ROWS} of {len(ranking.rows)}." if len(rows) < len(ranking.rows) else ""
    reading = (
        f"Lines through points are 95 % intervals, by bootstrap of tasks and seeds. Methods joined "
        f"by a line at the side do not differ significantly: their mean ranks are within "
        f"{ranking.difference:.1f} (Nemenyi's critical difference).{sure}{more}"
    )
    return Chart(f"Mean rank, {ranking.backbone}", svg, "Who is best over all tasks?",
                 ranking.backbone, reading)  # fmt: skip


def _seeds(table: Table, key: ColumnKey, known: list[Row], looks: dict[str, Look]) -> Chart:
    """Runs, mean and interval of each row, with its name above: a phone is too narrow for both."""
    rows, primary = known[:MAX_ROWS], table.columns[key].primary
    stats = [row.cells[key].metrics[primary] for row in rows]
    with styled():
        figure = new_figure(width=WIDTH, height=0.6 + LINE * len(rows))
        axes = figure.subplots()
        _runs(axes, rows, key, primary, looks)
        inks = [looks[row.backbone]["color"] for row in rows]
        _intervals(axes, stats, noise_of(table, key, primary), inks)
        _names(axes, [_name(row) for row in rows])
        axes.set_xlabel(with_unit(primary))
        if primary not in UNITS:  # an interval of two seeds may exceed 0 to 100
            left, right = axes.get_xlim()
            axes.set_xlim(max(left, 0), min(right, 100))
        svg = as_svg(figure)
    more = f" The best {MAX_ROWS} of {len(known)}." if len(known) > MAX_ROWS else ""
    reading = f"Points are runs, lines the mean and its 95 % interval.{more}"
    topic = _topic(table, key)
    return Chart(f"{topic}: runs, mean, 95 % interval", svg, "How sure is it?", topic, reading)


def _names(axes: Any, names: Sequence[str]) -> None:
    """Write each name above the line of its row."""
    for place, name in enumerate(names):
        axes.annotate(shorten(name, int(WIDTH * CHARACTERS)), (0, place), (3, 6),
                      ("axes fraction", "data"), "offset points", in_layout=False)  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.6, -0.7)


def _name(row: Row) -> str:
    """Method and backbone; if too long, the method is cut."""
    fitting = int(WIDTH * CHARACTERS)
    return f"{shorten(row.method, max(12, fitting - len(f', {row.backbone}')))}, {row.backbone}"


def _runs(
    axes: Any, rows: Sequence[Row], key: ColumnKey, primary: str, looks: dict[str, Look]
) -> None:
    """A point for each run on the line of its row."""
    points = [
        (record.metrics[primary], place, looks[row.backbone]["color"])
        for place, row in enumerate(rows)
        for record in row.cells[key].records
        if primary in record.metrics
    ]
    values, places, inks = zip(*points, strict=True)
    axes.scatter(values, places, POINT, inks, alpha=0.5, linewidths=0)


def _intervals(axes: Any, stats: Sequence[Stat], noise: Noise | None, inks: Sequence[str]) -> None:
    """Mean and 95 % interval on each line."""
    places = range(len(stats))
    halves = [noise.half_width(stat) or 0.0 if noise else 0.0 for stat in stats]
    means = [stat.mean for stat in stats]
    low = [mean - half for mean, half in zip(means, halves, strict=True)]
    high = [mean + half for mean, half in zip(means, halves, strict=True)]
    axes.scatter(means, places, 3 * POINT, inks, marker="|")
    axes.hlines(places, low, high, colors=inks)


def _cost(
    table: Table, key: ColumnKey, known: dict[Row, float], looks: dict[str, Look]
) -> Chart | None:
    """Results against pretraining cost with the front of rows that nothing cheaper beats."""
    timed = {
        row: value for row, value in known.items() if row.pretraining_cost or not row.pretraining
    }
    costs = [row.pretraining_cost for row in timed if row.pretraining_cost]
    if len(timed) < MIN_TIMED or len(costs) < MIN_TIMED - 1:
        return None
    hours = all(cost.gpu_hours is not None for cost in costs)
    points = {}
    for row, value in timed.items():
        cost = row.pretraining_cost
        points[row] = ((cost.gpu_hours if hours else cost.minutes) or 0.0 if cost else 0.0, value)
    front = front_of(points)
    label = f"pretraining ({'GPU hours' if hours else 'min'})"
    svg = _points(points, front, looks, (label, _axis(table, key)), steps=True)
    topic = _topic(table, key)
    reading = (
        "The line is the front: no method that costs less has a better mean. Colours are backbones."
    )
    return Chart(f"{topic} against pretraining cost", svg, "What does it cost?", topic, reading)


def front_of(points: dict[Row, tuple[float, float]]) -> list[Row]:
    """Rows that no row of at most their cost beats, by rising cost.

    Args:
        points: Cost and value of each row.
    """
    front: list[Row] = []
    for row in sorted(points, key=lambda row: (points[row][0], -points[row][1])):
        if not front or points[row][1] > points[front[-1]][1]:
            front.append(row)
    return front


def _two_tasks(
    table: Table,
    keys: tuple[ColumnKey, ColumnKey],
    known: dict[Row, list[float]],
    looks: dict[str, Look],
) -> Chart:
    from scipy.stats import spearmanr

    points = {row: (x, y) for row, (x, y) in known.items()}
    best = front_of({row: (-x, y) for row, (x, y) in points.items()})
    first, second = (_topic(table, key) for key in keys)
    svg = _points(points, best, looks, (_axis(table, keys[0]), _axis(table, keys[1])))
    reading = "Named methods are best in one task, or in both. Colours are backbones."
    if all(len(set(values)) > 1 for values in zip(*points.values(), strict=True)):
        agree = float(spearmanr(list(points.values())).statistic)
        reading = f"Spearman's rank correlation over {len(points)} rows: {agree:.2f}. {reading}"
    heading = f"{second} against {first}"
    return Chart(heading, svg, "Do tasks agree?", f"{first}, {second}", reading)


def _points(
    points: dict[Row, tuple[float, float]],
    named: Sequence[Row],
    looks: dict[str, Look],
    labels: tuple[str, str],
    *,
    steps: bool = False,
) -> str:
    """Points in the colours of their backbones; ``named`` rows have their method beside them."""
    with styled():
        figure = new_figure(width=WIDTH, height=2.9)
        axes = figure.subplots()
        for backbone, look in looks.items():
            some = [point for row, point in points.items() if row.backbone == backbone]
            if some:
                axes.plot(*zip(*some, strict=True), linestyle="", label=backbone, alpha=0.8,
                          **{**look, "markersize": 5})  # fmt: skip
        if steps:
            line = [points[row] for row in named] + [(axes.get_xlim()[1], points[named[-1]][1])]
            axes.step(*zip(*line, strict=True), where="post", color=axes.xaxis.label.get_color(),
                      linewidth=0.8)  # fmt: skip
        middle = sum(axes.get_xlim()) / 2
        axes.margins(y=0.15)
        for row in named:
            right = points[row][0] > middle
            axes.annotate(shorten(row.method, LABEL), points[row], (-5 if right else 5, 4), "data",
                          "offset points", ha="right" if right else "left")  # fmt: skip
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        if len({row.backbone for row in points}) > 1:
            legend(figure)
        return as_svg(figure)


def _topic(table: Table, key: ColumnKey) -> str:
    name = table.columns[key].primary
    return f"{subject_of(key, table.columns)} {METRICS.get(name, name)}"


def _axis(table: Table, key: ColumnKey) -> str:
    return f"{subject_of(key, table.columns)} {with_unit(table.columns[key].primary)}"
