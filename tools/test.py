"""The same as ``simmim-bench test``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("test")
