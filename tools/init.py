"""The same as ``simmim-bench init``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("init")
