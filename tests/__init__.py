"""One thread, and operators in place before mmdet is imported, also in processes of tests."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from simmim_bench import ops

ops.install()
