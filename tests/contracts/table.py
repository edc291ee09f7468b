"""Write the table of docs/backbones.md from what the contract tests find.

Usage: python tests/contracts/table.py
"""

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "backbones.md"
START, END = "<!-- written by tests/contracts/table.py -->\n", "<!-- end -->"
TABLE = re.compile(f"(?<={START}).*?(?={END})", re.DOTALL)
DOWNSTREAM = "test_it_is_loaded_strictly_and_trains_a_step"
EXPORT = "test_weights_survive_export_and_loading"
COLUMNS = {
    "pretrain": "pretrain",
    "export": "export",
    "classification": "classification",
    "mask-rcnn": "Mask R-CNN",
    "upernet": "UperNet",
}


class Outcomes:
    """Plugin that notes for each backbone and column whether all of its tests passed."""

    def __init__(self):
        self.passed = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        cell = cell_of(item)
        if cell is not None and (call.when == "call" or not report.passed):
            self.passed[cell] = self.passed.get(cell, True) and report.passed
        return report


def cell_of(item):
    """(adapter, column) that a test speaks of, or None."""
    adapter = getattr(item.cls, "adapter", None)
    if adapter is not None:
        return adapter, "export" if item.originalname == EXPORT else "pretrain"
    if item.originalname == DOWNSTREAM:
        return item.callspec.params["name"], item.callspec.params["task"]
    return None


def own_adapters():
    """Adapters of the package, by name; a test may have registered others."""
    from simmim_bench.backbones import adapters

    return [known for known in adapters() if known.__module__.startswith("simmim_bench.")]


def render(passed):
    """Markdown table; a cell without a test stays empty."""
    from simmim_bench.backbones.pixels import PixelAdapter

    words = {True: "yes", False: "no", None: ""}
    lines = [
        ["backbone", "class", "masked at", *COLUMNS.values(), "notes"],
        ["---"] * (4 + len(COLUMNS)),
    ]
    for adapter in own_adapters():
        where = "pixels" if issubclass(adapter, PixelAdapter) else "tokens"
        notes = adapter.__doc__.splitlines()[0].partition(": ")[2]
        cells = [words[passed.get((adapter.name, column))] for column in COLUMNS]
        lines.append([f"`{adapter.name}`", class_name(adapter), where, *cells, notes])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def class_name(adapter):
    """Type as a config names it."""
    package = adapter.backbone_type.__module__.partition(".")[0]
    return f"`{package}.{adapter.backbone_type.__name__}`"


def main():
    outcomes = Outcomes()
    tests = [*map(str, sorted(HERE.glob("test_backbones*.py"))), str(HERE / "test_downstream.py")]
    code = pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[outcomes])
    DOCS.write_text(TABLE.sub(lambda _: render(outcomes.passed), DOCS.read_text("utf-8")), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
