"""The same as ``simmim-bench leaderboard``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main("leaderboard")
