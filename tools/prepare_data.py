"""The same as ``simmim-bench data``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("data")
