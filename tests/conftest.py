"""Set-up every test shares: operators in place before mmdet is imported, one thread."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from simmim_bench import ops

ops.install()
