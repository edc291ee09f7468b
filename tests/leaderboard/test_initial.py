"""A pretraining from weights has its own row and its own name in every output."""

import json

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.compare import compare
from simmim_bench.leaderboard.export import FORMS
from simmim_bench.leaderboard.latex import render_latex
from simmim_bench.leaderboard.markdown import render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.terminal import print_page
from simmim_bench.leaderboard.web.board import boards_of

NAME = "supervised ImageNet-1k"
LABEL = f"simmim, from {NAME}"


@pytest.fixture
def records(make_simmim, toy):
    """Two seeds from random weights and two from ImageNet's, equal in everything else."""

    def started(seed, name):
        initial = {"initial": name, "initial_sha256": toy.sha(name)}
        weights = {"checkpoint_sha256": toy.sha(f"{name} {seed}")}
        return make_simmim(seed, pretraining=toy.pretraining(seed, **initial, **weights))

    return [
        *(make_simmim(seed) for seed in range(2)),
        *(started(seed, NAME) for seed in range(2)),
    ]


def test_they_are_never_averaged_with_random_initial_weights(records):
    (table,) = aggregate(records)
    assert sorted(row.method for row in table.rows) == ["simmim", LABEL]
    assert [len(cell.records) for row in table.rows for cell in row.cells.values()] == [2, 2]


def test_two_files_of_one_name_are_two_rows(make_simmim, toy):
    made = [
        make_simmim(0, pretraining=toy.pretraining(0, initial=NAME, initial_sha256=toy.sha(file)))
        for file in "ab"
    ]
    (table,) = aggregate(made)
    assert len(table.rows) == 2


def test_run_ids_differ(records):
    assert len({record.run_id for record in records}) == 4


def test_every_output_says_it(records, capsys):
    page = make_page(records)
    print_page(page)
    outputs = {
        "markdown": render_markdown(page),
        "latex": render_latex(page),
        "terminal": capsys.readouterr().out,
        **{name: render(records) for name, render in FORMS.items() if name != "jsonl"},
    }
    assert {name for name, text in outputs.items() if LABEL not in " ".join(text.split())} == set()
    lines = lines_of(records)
    assert sorted({line.method for line in lines}) == ["simmim", LABEL]
    stated = [json.loads(line)["pretraining"] for line in FORMS["jsonl"](records).splitlines()]
    assert [origin["initial"] for origin in stated].count(NAME) == 2


def lines_of(records):
    boards = boards_of(aggregate(records), (), curves=0)
    return [line for board in boards for group in board.groups for line in group.lines]


def test_the_two_can_be_compared(records):
    page = compare(records, LABEL, "simmim")
    assert page.sections[0].heading == f"{LABEL} and simmim"
    with pytest.raises(BenchError, match=f"methods are: simmim; {LABEL}$"):
        compare(records, "other", "simmim")


def test_a_card_without_a_seal_is_told_in_the_details(make_simmim):
    def labels(sealed):
        [line] = lines_of([make_simmim(card_sealed=sealed)])
        return dict(line.facts)

    assert "no seal" in labels(False)["backbone"]
    assert "backbone" not in labels(True)
    assert "backbone" not in labels(None)
