"""The web page: one file, text stays text, the same bytes every time."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from scipy import stats

from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.web.board import boards_of
from simmim_bench.leaderboard.web.layout import MANY
from simmim_bench.leaderboard.web.page import render_web

HOSTILE = '<script>alert(1)<|script> $x^2$ & "q" </td>'.replace("/", "|").replace("|", "\u2215")


class Page(HTMLParser):
    """Rows of the table, tags and addresses."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.addresses, self._cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data


@pytest.fixture
def records(make_record, make_simmim):
    return [
        *(make_record(seed=s, metrics={"box_ap": 30.0 + s, "mask_ap": 25.0}) for s in range(3)),
        *(make_simmim(s, metrics={"box_ap": 44.0 + s, "mask_ap": 26.0}) for s in range(3)),
    ]


def only(boards):
    """The only board, its only group, and lines by method."""
    [board] = boards
    [group] = board.groups
    return board, {line.method: line for line in group.lines}


def boards(records, cited=()):
    return boards_of(aggregate(records), aggregate(cited), curves=0)


def test_a_row_for_each_method_and_a_column_for_each_metric(records, make_record):
    more = make_record(protocol=toy_classification(make_record), metrics={"top1": 50.0})
    page = Page(render_web([*records, more]))
    head, group, *rows, foot = page.rows
    assert [" ".join(text.split()) for text in head[:4]] == [
        "method", "classification top-1", "detection AP\u1d47\u1d52\u02e3",
        "detection AP\u1d50\u1d43\u02e2\u1d4f",
    ]  # fmt: skip
    assert group == ["swin-toy"]
    assert [row[0].split()[0] for row in rows] == ["scratch", "simmim"]
    assert [row[1] for row in rows] == ["50.0 (1)", ""]
    assert rows[0][2].startswith("31.0 \u00b1 1.0 (3)")
    assert rows[1][2].startswith("45.0 \u00b1 1.0 (3)")
    assert "44.00 (seed 0), 45.00 (seed 1), 46.00 (seed 2)" in rows[1][0]
    assert foot[0] == "smallest significant difference"


def toy_classification(make_record):
    """The protocol of another task."""
    return {**make_record().protocol.as_json(), "id": "toy-classification",
            "task": "classification", "metrics": {"top1": "accuracy/top1"},
            "primary": "top1"}  # fmt: skip


def test_cells_have_marks_gains_and_intervals(records):
    _, lines = only(boards(records))
    best, other = (lines[name].cells[0] for name in ("simmim", "scratch"))
    assert (best.marks, other.marks) == ("best", "")
    low, high = (float(end) for end in best.gain_interval.strip("[]").split(", "))
    assert (best.gain, best.sure, other.gain) == ("+14.0", True, "")
    wanted = stats.ttest_ind([44.0, 45.0, 46.0], [30.0, 31.0, 32.0]).confidence_interval()
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.06)
    low, high = map(float, other.interval.split(" to "))
    assert (low + high) / 2 == pytest.approx(31.0, abs=0.06)
    assert other.bar[0] < other.bar[1] < other.bar[2] <= best.bar[0]


def test_a_long_group_says_which_method_is_best(make_simmim, toy):
    def run(number):
        origin = {**toy.pretraining(), "method": f"m{number}"}
        metrics = {"box_ap": 40.0 + number, "mask_ap": 30.0 - number}
        return make_simmim(method=f"m{number}", pretraining=origin, metrics=metrics)

    few, many = ([run(number) for number in range(count)] for count in (MANY, MANY + 1))
    [group] = boards(few)[0].groups
    assert group.best == ()
    [board] = boards(many)
    found = dict(zip([head.text for head in board.heads], board.groups[0].best, strict=True))
    assert (found["APᵇᵒˣ"], found["APᵐᵃˢᵏ"], found["(min)"]) == (f"m{MANY}", "m0", "")
    [shown] = [row for row in Page(render_web(many)).rows if row[0].strip() == "swin-toy"]
    assert "".join(shown[1].split()) == f"bestm{MANY}"


def test_rows_stand_by_their_mean_rank(make_simmim, toy):
    values = {"a": (50.0, 40.0), "b": (60.0, 30.0), "c": (70.0, 50.0)}
    records = [
        make_simmim(method=name, pretraining=toy.pretraining(method=name), protocol=protocol,
                    metrics=dict.fromkeys(protocol["metrics"], value))
        for name, pair in values.items()
        for protocol, value in zip((toy.classification, toy.protocol()), pair, strict=True)
    ]  # fmt: skip
    board, lines = only(boards(records))
    assert list(lines) == ["c", "b", "a"]  # equal ranks: by the first column
    assert [lines[name].cells[0].value for name in lines] == ["1.0", "2.5", "2.5"]
    assert board.heads[0].key == "rank"


def test_costs_are_sums_and_extremes_of_the_stages(make_record, make_simmim, toy):
    cost = {**toy.run_fields()["cost"], "energy_joules": 3600.0}
    before = {**cost, "device": "GPU", "device_count": 4, "peak_memory_mb": 2000.0}
    ways = [(toy.classification, {"top1": 50.0}), (toy.protocol(), {"box_ap": 1.0, "mask_ap": 1.0})]
    records = [
        make(protocol=protocol, metrics=metrics, cost=cost, **more)
        for make, more in ((make_record, {}), (make_simmim, {"pretraining_cost": before}))
        for protocol, metrics in ways
    ]
    board, lines = only(boards(records))
    costs = {
        head.key: [lines[name].cells[place].value for name in ("scratch", "simmim")]
        for place, head in enumerate(board.heads)
        if head.kind == "cost"
    }
    assert costs == {
        "pretrain (GPU h)": ["", "0.13"],
        "fine-tune (min)": ["4.0", "4.0"],
        "params (M)": ["3.9", "3.9"],
        "pretrain (images/s)": ["", "77"],
        "memory (MiB)": ["900", "2000"],
        "energy (Wh)": ["2", "3"],
    }


def test_a_cited_value_has_a_place_for_its_mark(make_record, make_published):
    """CSS writes the dagger into the span, which is empty where there is no spread."""
    cited = make_published(deviations=["batch 2048"])
    text = render_web([make_record()], [cited])
    [cell] = re.findall(r'<td class="[^"]*deviates"[^>]*>.*?</td>', text)[:1]
    assert cell.endswith("</b> <span></span></td>")


def test_deviating_results_are_marked(make_record):
    records = [make_record(), make_record(seed=1, deviations=["longer"])]
    [board] = boards(records)
    assert [line.cells[0].marks for line in board.groups[0].lines] == ["", "deviates"]


def test_nothing_is_loaded_from_elsewhere(records, make_published):
    text = render_web(records, [make_published()])
    page = Page(text)
    assert [a for a in page.addresses if not a.startswith(("data:", "#"))] == [
        "https://example.org/paper"
    ]
    assert len(text) < 200_000


def test_the_policy_allows_the_script_of_the_page_alone(records):
    text = render_web(records)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; " \
           f"script-src 'sha256-{digest}'" in text  # fmt: skip


def test_cited_rows_stand_by_task_and_protocol(records, make_published, toy):
    """Also those of a protocol that was measured; each protocol has its own best."""
    cited = [
        make_published(metrics={"box_ap": 50.0}),
        make_published(metrics={"box_ap": 40.0, "mask_ap": 90.0}, backbone="other"),
        make_published(metrics={"box_ap": 60.0}, protocol=toy.protocol(id="toy-cited")),
        make_published(metrics={"top1": 80.0}, protocol=toy.classification),
    ]
    measured, *others = boards(records, cited)
    assert [line.provenance for group in measured.groups for line in group.lines] == [
        "measured"
    ] * 2
    assert [board.heading for board in others] == ["Cited: classification", "Cited: detection"]
    groups = others[1].groups
    assert [group.heading.split(":")[0] for group in groups] == ["toy-cited@1", "toy-detection@1"]
    assert [[(line.cells[0].value, line.cells[0].marks) for line in g.lines] for g in groups] == [
        [("60.0", "")],
        [("50.0", "best"), ("40.0", "")],
    ]


@pytest.mark.usefixtures("any_name")
def test_hostile_names_stay_text(make_record, make_simmim, toy):
    origin = {**toy.pretraining(), "method": HOSTILE}
    records = [make_record(), make_simmim(method=HOSTILE, pretraining=origin)]
    text = render_web(records)
    plain = Page(render_web([make_record(), make_simmim()]))
    page = Page(text)
    assert page.tags.count("script") == plain.tags.count("script")
    assert any(row[0].strip().startswith(HOSTILE) for row in page.rows)
    assert "<script>alert" not in text


def test_the_same_records_give_the_same_bytes(records):
    assert render_web(records) == render_web(records[::-1])


def facts(records):
    """Of the only row under its only protocol."""
    _, lines = only(boards(records))
    [line] = lines.values()
    return dict(line.details[0].facts)


def test_uncommitted_changes_are_told(make_record, toy):
    where = {**toy.run_fields()["environment"], "git_commit": "ab" * 20, "git_dirty": True}
    assert facts([make_record(environment=where)])["environment"] == (
        "Python 3.11.7, torch 2.14.1, Linux, commit abababababab, with uncommitted changes"
    )


def test_seeds_of_several_environments_are_told_apart(make_record, toy):
    """By commit, or by a package that is not named where all have the same."""
    where = {**toy.run_fields()["environment"], "versions": {"numpy": "2.2", "torch": "2.14.1"}}
    changes = [
        {},
        {"git_commit": "ab" * 20},
        {},
        {"versions": {"numpy": "2.2", "onedl-mmcv": "2.3.6"}},
    ]
    records = [make_record(seed=n, environment={**where, **new}) for n, new in enumerate(changes)]
    texts = [facts(some)["environment"] for some in (records[::2], records[:3], records[2:])]
    plain = "Python 3.11.7, torch 2.14.1, Linux"
    assert texts == [
        plain,
        f"seed 0, 2: {plain}; seed 1: {plain}, commit abababababab",
        "seed 2: Python 3.11.7, torch 2.14.1, onedl-mmcv absent, Linux; "
        "seed 3: Python 3.11.7, torch 2.14.1, onedl-mmcv 2.3.6, Linux",
    ]


def test_details_tell_all_metrics(make_record, toy):
    metrics = {"box_ap": 30.0, "box_ap50": 50.0, "mask_ap": 25.0, "one": 1.0}
    protocol = toy.protocol(metrics={name: f"coco/{name}" for name in metrics})
    records = [make_record(protocol=protocol, metrics=metrics)]
    [board] = boards(records)
    assert [head.text for head in board.heads if head.kind == "other"] == [
        "AP\u1d50\u1d43\u02e2\u1d4f", "one"
    ]  # fmt: skip
    assert facts(records)["other metrics"].split("; ") == [
        "box_ap50 50.0 (1)",
        "AP\u1d50\u1d43\u02e2\u1d4f 25.0 (1)",
        "one 1.0 (1)",
    ]
