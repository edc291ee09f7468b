"""The same as ``simmim-bench doctor``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("doctor")
