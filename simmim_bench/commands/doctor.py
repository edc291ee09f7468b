"""Look at this installation: what it has, what is wrong with it, and what to do about it."""

from __future__ import annotations

import argparse
import json
import sys

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the doctor."""
    parser.add_argument(
        "--quick", action="store_true", help="leave out the self-test of operators and a training"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="also run the smoke flow on the CPU, 4 to 6 minutes, and compare its values with "
        "committed ones",
    )
    parser.add_argument(
        "--report",
        type=cli.output_file,
        metavar="FILE",
        help="write the findings as Markdown for a bug report, without private paths, names, "
        "addresses and secrets, and show what was written",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, with the full paths of this machine"
    )


def run(args: argparse.Namespace) -> int:
    """Look at everything.

    Returns:
        0, or 1 if something is a problem.
    """
    from simmim_bench.doctor import report
    from simmim_bench.doctor.checks import find

    findings = []
    for finding in find(quick=args.quick, with_verification=args.verify):
        findings.append(finding)
        if not args.json:
            report.show(finding)
    if args.json:
        sys.stdout.write(json.dumps(report.as_json(findings), indent=2) + "\n")
    else:
        sys.stdout.write(f"\n{report.summary(findings)}\n")
    if args.report:
        written = report.write_markdown(findings, args.report)
        if not args.json:
            sys.stdout.write(f"\n{args.report}; read it before you share it:\n\n{written}")
    return int(any(finding.status == "problem" for finding in findings))
