"""Convert a file on disk or at a URL, and say what was done."""

from __future__ import annotations

import sys
from pathlib import Path

from simmim_bench.checkpoint.conversion import convert_checkpoint
from simmim_bench.checkpoint.source import read_source
from simmim_bench.checkpoint.write_converted import check_free, report_path, write_conversion


def convert_file(
    *,
    source: str,
    destination: Path,
    to: str = "simmim_bench",
    window: int | None = None,
    image_size: int | None = None,
    resize: str = "geometric",
    method: str | None = None,
    sha256: str | None = None,
    trust_pickle: bool = False,
) -> None:
    """Read, convert, write, and show the report; arguments are those of the tool.

    Raises:
        BenchError: As ``read_source``, ``convert_checkpoint`` and ``write_conversion``; nothing
            is written then.
    """
    check_free(destination)
    given = read_source(source, sha256=sha256, trust_pickle=trust_pickle)
    conversion = convert_checkpoint(
        given, to=to, resize=resize, window=window, image_size=image_size
    )
    write_conversion(conversion, destination, method=method)
    sys.stdout.write(conversion.report.table())
    sys.stdout.write(f"wrote {destination} and {report_path(destination).name}\n")
