"""The same as ``simmim-bench robustness``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("robustness")
