"""All checks in the order in which they are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from simmim_bench.doctor import machine, places, software
from simmim_bench.doctor.finding import Finding, run_checks
from simmim_bench.doctor.probe import probe

SOFTWARE = {
    "python": software.check_python,
    "simmim_bench": software.check_project,
    "commit": software.check_commit,
    "packages": software.check_packages,
    "OpenMMLab": software.check_family,
    "operators": software.check_operators,
    "OpenCV": software.check_opencv,
}
MACHINE = {
    "processor": machine.check_processor,
    "threads": machine.check_threads,
    "GPU driver": machine.check_driver,
    "shared memory": machine.check_shared_memory,
    "launchers": machine.check_launchers,
}
PLACES = {
    "folders": places.check_places,
    "data sets": places.check_data,
    "caches": places.check_caches,
}


def find(*, quick: bool = False, with_verification: bool = False) -> Iterator[Finding]:
    """Yield what all checks find, each as soon as it is known.

    Args:
        quick: Leave out the self-test.
        with_verification: Run the smoke flow at the end, too.
    """
    yield from run_checks(SOFTWARE | MACHINE)
    has_torch = True
    for finding in run_checks({"torch": lambda: probe("facts")}):
        has_torch = has_torch and (finding.topic, finding.status) != ("torch", "problem")
        yield finding
    yield from run_checks(PLACES)
    if not has_torch:
        yield Finding("self-test", "note", "left out: torch does not work", "see torch above")
        return
    if not quick:
        yield from run_checks({"self-test": lambda: probe("test")})
    if with_verification:
        yield from run_checks({"verification": _verification})


def _verification() -> Iterator[Finding]:
    from rich.console import Console

    from simmim_bench.doctor.verify import verify

    width = None if sys.stderr.isatty() else 120  # of lines in a log
    yield from verify(Console(stderr=True, width=width), places.places()["outputs"])
