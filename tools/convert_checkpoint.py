"""The same as ``simmim-bench convert``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("convert")
