"""The same as ``simmim-bench export``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("export")
