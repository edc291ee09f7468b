"""Build a leaderboard: from the manifests of a suite to records to tables on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.aggregate import aggregate
from simmim_bench.leaderboard.columns import protocol_key
from simmim_bench.leaderboard.export import export
from simmim_bench.leaderboard.grid import Page
from simmim_bench.leaderboard.latex import render_latex
from simmim_bench.leaderboard.markdown import insert_results, render_markdown
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.sharing import keep_own
from simmim_bench.leaderboard.web.page import render_web
from simmim_bench.leaderboard.web.run_report import renew_reports
from simmim_bench.records.collect import Collected, collect
from simmim_bench.records.pictures import keep_pictures
from simmim_bench.records.published import read_published
from simmim_bench.records.record import Record
from simmim_bench.records.store import read_records

MARKDOWN, WEB = "README.md", "index.html"
PICTURES = "pictures"
LATEX, CSV = "leaderboard.tex", "leaderboard.csv"


@dataclass(frozen=True)
class Built:
    """A leaderboard that was written."""

    page: Page
    collected: Collected
    records: Path
    markdown: Path
    lost: tuple[str, ...] = ()
    """A sentence for each file of a run that cannot be read; tables are complete all the same."""

    def summary(self) -> str:
        """What was collected and where it was written, in a few lines."""
        found = self.collected.records
        lines = [
            f"records:     {self.records} ({len(found['added'])} new, {len(found['present'])} "
            f"unchanged)",
            f"leaderboard: {self.markdown}, {self.markdown.with_name(WEB)}",
            "reports:     report.html in the folder of each run",
        ]
        lines += [
            f"note: {path} repeats a recorded run with the same metrics; the first record is kept"
            for path in found["repeated"]
        ]
        lines += self.page.remarks()
        lines += [f"note: {path} is left out, its run failed" for path in self.collected.skipped]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.lost)])


def build(
    work_dir: Path,
    out: Path | None = None,
    *,
    published: Path | None = None,
    readme: Path | None = None,
) -> Built:
    """Collect the manifests of a suite; write records, tables and run reports.

    Args:
        work_dir: Work dir of a suite.
        out: Folder for ``records/`` and ``leaderboard/``; ``work_dir/results`` by default.
        published: Folder of cited results; those of the suite's protocols are shown.
        readme: File into which the table of measured results is inserted.

    Raises:
        BenchError: If the work dir has nothing to collect, or something in it is not valid.
    """
    if not work_dir.is_dir():
        raise BenchError(
            f"work dir {work_dir} does not exist; run `simmim-bench suite SUITE.yaml` first"
        )
    out = out or work_dir / "results"
    collected = collect(work_dir, out / "records")
    keep_own(out / "records")
    lost = keep_pictures(work_dir, out / PICTURES)
    page = render(out, published=published, everything_cited=False, readme=readme)
    lost += renew_reports(work_dir)
    markdown = out / "leaderboard" / MARKDOWN
    return Built(page, collected, out / "records", markdown, tuple(dict.fromkeys(lost)))


def render(
    out: Path, *, published: Path | None, everything_cited: bool, readme: Path | None = None
) -> Page:
    """Write the tables of the records in ``out/records``: Markdown, LaTeX, CSV and a web page.

    Args:
        out: Folder with ``records/``; ``leaderboard/`` is written next to it.
        published: Folder of cited results.
        everything_cited: Show cited results of other protocols, too, in sections of their own.
        readme: File into which the table of measured results is inserted.

    Raises:
        BenchError: If there are no records, or something is not valid.
    """
    records = read_records(out / "records")
    cited = cited_for(records, published, everything=everything_cited)
    tables = aggregate(records)
    page = make_page(records, cited, tables=tables)
    web = render_web(records, cited, pictures=out / PICTURES, tables=tables)
    folder = out / "leaderboard"
    atomic_write_text(folder / MARKDOWN, render_markdown(page))
    atomic_write_text(folder / LATEX, render_latex(page))
    export([*records, *cited], folder / CSV, form="csv")
    atomic_write_text(folder / WEB, web)
    if readme:
        insert_results(readme, make_page(records, tables=tables))
    return page


def cited_for(records: list[Record], published: Path | None, *, everything: bool) -> list[Record]:
    """Cited results to show with ``records``: those of the same protocols, or all."""
    cited = read_published(published) if published else []
    protocols = {protocol_key(record) for record in records}
    return [record for record in cited if everything or protocol_key(record) in protocols]
