"""``python -m simmim_bench``, the same as the command ``simmim-bench``."""

from simmim_bench.commands import main

if __name__ == "__main__":
    main()
