"""Findings in a terminal, a pipe, JSON and an issue."""

import pytest

from simmim_bench.doctor import report
from simmim_bench.doctor.finding import Finding, size
from simmim_bench.doctor.privacy import Private

LONG = "a sentence of words " * 12
FINDINGS = [
    Finding("python", "ok", "3.11.7", remedy="not needed"),
    Finding("OpenCV", "problem", f"{LONG}in /home/jane/x", "pip install -U /home/jane/wheel"),
    Finding("data sets", "note", "none; ```@someone``` #1 <b>[x](y)\x1b[31m", "see docs"),
]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_lines_fit_the_terminal(width):
    lines = [line for one in FINDINGS for line in report.lines_of(one, width)]
    assert max(map(len, lines)) <= width
    assert lines[0] == "ok        python            3.11.7"
    assert lines[1].startswith("problem   OpenCV            a sentence of words ")
    assert all(line.startswith(" " * report.INDENT) for line in lines[2:4])


def test_in_a_narrow_terminal_a_text_keeps_twenty_columns():
    assert max(map(len, report.lines_of(FINDINGS[1], 10))) <= report.INDENT + 20


def test_a_pipe_gets_each_sentence_in_a_line():
    assert report.lines_of(FINDINGS[1]) == [
        f"problem   OpenCV            {LONG}in /home/jane/x",
        f"{' ' * report.INDENT}remedy: pip install -U /home/jane/wheel",
    ]


def test_escape_codes_are_shown_and_not_sent():
    assert all("\x1b" not in line for line in report.lines_of(FINDINGS[2]))


def test_json_tells_all():
    found = report.as_json(FINDINGS)
    assert found["ok"] is False
    assert [Finding.read(one) for one in found["findings"]] == FINDINGS
    assert report.as_json(FINDINGS[:1])["ok"] is True


def test_an_issue_shows_what_is_wrong_first_and_nothing_private():
    private = Private({"/home/jane": "~"}, {})
    text = report.as_markdown(FINDINGS, private)
    assert text.startswith("### simmim-bench doctor: 1 ok, 1 note, 1 problem\n\n```text\nproblem ")
    assert text.count("```") == 4  # a text cannot leave its block
    assert text.count("'''@someone'''") == 2
    assert "jane" not in text
    assert text.count("remedy: pip install -U ~<path>") == 2
    assert text.index("</summary>") < text.index("python")


def test_all_is_well():
    text = report.as_markdown(FINDINGS[:1], Private({}, {}))
    assert text.count("```text") == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (67e6, "67 MB"), (1.5e9, "1.5 GB"), (2.5e16, "25000 TB")],
)
def test_sizes(count, text):
    assert size(count) == text
