"""LaTeX tables: structure, emphasis, and text that stays text."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmim_bench.leaderboard.grid import Entry, Grid, Note, Page, Section
from simmim_bench.leaderboard.latex import escape, render_latex
from simmim_bench.leaderboard.page import make_page
from simmim_bench.records.published import read_published
from simmim_bench.records.store import read_records

ROOT = Path(__file__).parents[2]
STORES = sorted(path.parent.relative_to(ROOT) for path in (ROOT / "results").rglob("records"))


def page_of(*rows):
    headers = [Entry("method"), Entry("top-1", above="classification", mark="¹")]
    grid = Grid("Results", headers, list(rows), frozenset({0}))
    return Page("Leaderboard", "", [Section("Full runs", None, [grid], [])], 1)


def body(text):
    """Cells of each row between the rules."""
    inner = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip()
    return [line.removesuffix(r" \\").split(" & ") for line in inner.splitlines()]


def test_best_is_bold_and_signs_stand_behind():
    text = render_latex(
        page_of(
            [Entry("a"), Entry("84.1 ± 0.3 (3)", bold=True, top=True)],
            [Entry("b"), Entry("83.0", near=True, mark="†")],
            [Entry("gain", italic=True), Entry("\N{MINUS SIGN}1.1", italic=True)],
        )
    )
    assert body(text) == [
        ["a", r"\bfseries 84.1 +- 0.3 { (3)$\star$}"],
        ["b", r"83.0 {$\approx$\dag{}}"],
        [r"\emph{gain}", r"\itshape -1.1"],
    ]
    assert r"\multicolumn{1}{c}{} & \multicolumn{1}{c}{classification} \\" in text
    assert r"method & {top-1\textsuperscript{1}} \\" in text
    assert (
        r"\begin{tabular}{l S[table-format=+2.1(2), table-space-text-post={ (3)$\star$}]}" in text
    )


def test_every_environment_is_closed_and_rules_are_booktabs(make_record, make_simmim):
    text = render_latex(make_page([make_record(), make_simmim()]))
    opened, closed = (re.findall(rf"\\{word}{{([a-z*]+)}}", text) for word in ("begin", "end"))
    assert sorted(opened) == sorted(closed)
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{rule}") == text.count(r"\begin{table*}")
    assert "hline" not in text
    assert r"AP\textsuperscript{box}" in text


def test_numbers_of_cells_agree(make_record, make_simmim):
    text = render_latex(make_page([make_record(), make_simmim()]))
    [columns] = re.findall(r"\\begin{tabular}{(.*)}\n", text)
    assert {len(row) for row in body(text)} == {len(re.findall(r"[lr] ?|S\[.*?\]", columns))}


def test_what_all_rows_say_is_in_the_caption(make_record, make_simmim):
    text = render_latex(make_page([make_record(), make_simmim()]))
    assert "Backbone: swin-toy. Pretraining: toy images, 5 ep, 64 px." in text
    assert [row[0] for row in body(text)] == ["scratch", "simmim", r"\emph{gain over scratch}"]
    other = make_simmim(backbone="vit-toy")
    assert "swin-toy &" in render_latex(make_page([make_record(), other]))


def test_a_table_has_the_notes_of_its_own_marks():
    page = page_of([Entry("a", mark="¹⁰†"), Entry("84.1")])
    notes = [Note(mark, f"note of {mark}") for mark in ("¹", "⁰", "¹⁰", "†", "‡")]
    text = render_latex(replace(page, sections=[replace(page.sections[0], notes=notes)]))
    assert re.findall(r"note of (\S+)\\par", text) == [
        r"\textsuperscript{1}", r"\textsuperscript{10}", r"\dag{}",
    ]  # fmt: skip


def test_an_address_stays_as_it_is():
    page = page_of([Entry("a", mark="†"), Entry("84.1")])
    notes = [Note("†", "source", url="https://example.org/a%20b%?c=1")]
    text = render_latex(replace(page, sections=[replace(page.sections[0], notes=notes)]))
    assert r"\url{https://example.org/a%20b%25?c=1}" in text


@pytest.mark.parametrize("is_cited", [True, False])
def test_bold_is_explained_as_it_is_meant(is_cited):
    page = page_of([Entry("a"), Entry("84.1", bold=True)])
    text = render_latex(replace(page, sections=[replace(page.sections[0], is_cited=is_cited)]))
    assert ("best of its protocol" in text, "best of its backbone" in text) == (
        is_cited,
        not is_cited,
    )


@given(st.text(max_size=40))
def test_any_text_stays_text(text):
    escaped = escape(text)
    plain = re.sub(
        r"\\(textless|textgreater|textbar|textbackslash|textasciitilde|textasciicircum|dag|ddag|S|P){}",
        "x",
        escaped,
    )
    plain = re.sub(r"\\textsuperscript{[0-9a-z]+}|\$\\(pm|times|diamond)\$|\$-\$", "x", plain)
    plain = re.sub(r"\\[&%$#_{}]", "x", plain)
    assert not set(plain) & set("\\&%$#_{}~^<>|\n")


def test_a_command_in_a_name_is_spelled_out():
    assert escape(r"\input{x}_%") == r"\textbackslash{}input\{x\}\_\%"


HEAD = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage{booktabs, graphicx, siunitx, url}
\begin{document}"""


def has_packages():
    """Whether pdfLaTeX and siunitx are installed; Debian's package is texlive-science."""
    finder = shutil.which("kpsewhich")
    if finder is None or shutil.which("pdflatex") is None:
        return False
    return subprocess.run([finder, "siunitx.sty"], capture_output=True, check=False).returncode == 0


needs_latex = pytest.mark.skipif(not has_packages(), reason="no pdfLaTeX with siunitx")


def set_by_engine(text, folder):
    """Size of the PDF.

    Raises:
        RuntimeError: With LaTeX's first complaint.
    """
    main = folder / "main.tex"
    main.write_text(f"{HEAD}\n{text}\n\\end{{document}}\n", "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", main.name]
    made = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    if made.returncode:
        raise RuntimeError(made.stdout[made.stdout.index("\n!") :][:500])
    assert "Missing character" not in main.with_suffix(".log").read_text("latin-1")
    return main.with_suffix(".pdf").stat().st_size


@needs_latex
@pytest.mark.usefixtures("any_name")
def test_a_real_engine_sets_it(make_record, make_simmim, toy, tmp_path):
    hostile = r"100% & _under_ #1 ^2 ~ {x} $y$ <b>"
    origin = {**toy.pretraining(), "method": hostile}
    records = [make_record(), make_simmim(), make_simmim(method=hostile, pretraining=origin)]
    text = render_latex(make_page(records))
    assert set_by_engine(text, tmp_path) > 10_000
    cell = text.replace(r"\midrule", r"\midrule" + " & " * 30 + r"\\", 1)
    with pytest.raises(RuntimeError, match="Extra alignment tab"):
        set_by_engine(cell, tmp_path)


@needs_latex
@pytest.mark.parametrize("folder", STORES, ids=str)
def test_a_real_engine_sets_what_the_project_shows(tmp_path, folder):
    records = read_records(ROOT / folder / "records")
    page = make_page(records, read_published(ROOT / "results" / "published"))
    assert set_by_engine(render_latex(page), tmp_path) > 50_000
