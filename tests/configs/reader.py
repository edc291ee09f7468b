"""Configs for tests: each file is read once in a process, and for each folder of data."""

import copy
import functools
import os
from pathlib import Path

from mmengine.config import Config


@functools.cache
def _read(path, data_folder):
    return Config.fromfile(path)


def read_config(path):
    """The config in ``path``, a copy that a test may change."""
    return copy.deepcopy(_read(Path(path).resolve(), os.environ.get("SIMMIM_BENCH_DATA")))
