"""The same as ``simmim-bench train``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("train")
