"""The same as ``simmim-bench analyze``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("analyze")
