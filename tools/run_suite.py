"""The same as ``simmim-bench suite``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("suite")
