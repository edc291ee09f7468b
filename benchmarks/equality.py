"""Run the tests that compare with the original SimMIM, and print how far each quantity is from it.

Conversions to other libraries and back are included, the schedules of all configs at their real
length, and Swin-B, ViT-B and Swin V2-B at full size (--quick leaves these out). The errors are
those that the tests measured and compared with their bounds.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = (
    "tests/parity/test_golden_pretrain.py",
    "tests/parity/test_golden_finetune.py",
    "tests/parity/test_schedules.py",
    "tests/parity/test_schedules_at_length.py",
    "tests/parity/test_parameter_counts.py",
    "tests/parity/test_round_trips.py",
    "tests/training/test_optim.py",
)
FULL_SIZE = "tests/parity/test_full_size.py"  # a few minutes and 8 GB
GOLDEN = ROOT / "tests" / "golden"
GOLDEN_FILES = ("schedules.json", "simmim_swin_pretrain.pt", "simmim_vit_pretrain.pt",
                "simmim_swin_finetune.pt", "simmim_vit_finetune.pt")  # fmt: skip
PROPERTY = "equality"  # of the fixture ``equal``
HEADER = (
    "| compared with | quantity | values | largest relative error | allowed |\n"
    "|---|---|---:|---:|---:|"
)


class Errors:
    """Pytest plugin that collects the errors that the fixture ``equal`` reports."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int, float, float]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the errors of a test that has run."""
        if report.when == "call":
            self.rows += [value for name, value in report.user_properties if name == PROPERTY]


def table(rows: list[tuple[str, str, int, float, float]]) -> str:
    """Markdown table with one row per quantity, sorted by reference."""
    lines = [
        f"| {reference} | {quantity} | {count} | {error:.1e} | {bound:.0e} |"
        for reference, quantity, count, error, bound in sorted(rows, key=lambda row: row[0])
    ]
    return "\n".join([HEADER, *lines])


def main() -> int:
    """Return the exit code of pytest: 0 if every error is within its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave the full-size models out")
    parser.add_argument(
        "--golden", type=Path, default=GOLDEN, metavar="FOLDER", help="what the original computed"
    )
    args = parser.parse_args()
    if absent := [name for name in GOLDEN_FILES if not (args.golden / name).is_file()]:
        parser.error(f"--golden {args.golden} has no {', '.join(absent)}; give the golden folder")
    os.environ["SIMMIM_BENCH_GOLDEN"] = str(args.golden.absolute())
    import pytest

    errors = Errors()
    options = ["-q", "--no-header", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    paths = [*TESTS, *([] if args.quick else [FULL_SIZE])]
    code = pytest.main([*options, *(str(ROOT / path) for path in paths)], plugins=[errors])
    print(table(errors.rows))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
