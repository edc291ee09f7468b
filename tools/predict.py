"""The same as ``simmim-bench predict``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("predict")
