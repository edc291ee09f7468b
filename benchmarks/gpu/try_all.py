"""Try configs one after another in this process: ``PRECISION FOLDER CONFIG...``; for ``tries``."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path


def main() -> None:
    """Print a line for each config: its last loss and its seconds, or NaN and the error."""
    from benchmarks.gpu.trainings import losses_of
    from simmim_bench.commands import parser_of
    from simmim_bench.commands.train import run

    precision, folder, *configs = sys.argv[1:]
    for config in configs:
        out = Path(folder) / precision / config.replace("/", "_")
        words = [config, "--try", "--precision", precision, "--work-dir", str(out)]
        args = parser_of("train").parse_args(words)
        args.imports = []
        begin, loss = time.perf_counter(), float("nan")
        try:
            run(args)
            loss = losses_of(out)[-1]
        except (Exception, SystemExit):
            traceback.print_exc()
        print("tried", config, loss, time.perf_counter() - begin, sep="\t", flush=True)


if __name__ == "__main__":
    main()
