"""The same as ``simmim-bench evaluate``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("evaluate")
