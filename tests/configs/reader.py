"""Configs for tests: each file is read once in a process, and for each folder of data."""

import copy
import functools
import os
from pathlib import Path
from types import SimpleNamespace

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from simmim_bench.training.adapt import set_precision


@functools.cache
def _read(path, data_folder):
    return Config.fromfile(path)


def read_config(path):
    """The config in ``path``, a copy that a test may change."""
    return copy.deepcopy(_read(Path(path).resolve(), os.environ.get("SIMMIM_BENCH_DATA")))


def golden_folder():
    """Tensors and rates of the original; ``benchmarks/equality.py --golden`` names another."""
    return Path(os.environ.get("SIMMIM_BENCH_GOLDEN", Path(__file__).parents[1] / "golden"))


def wrapper_of(cfg, model):
    """Optimiser wrapper of a config and a model, in float32 without a GPU."""
    set_precision(cfg, SimpleNamespace(precision=None))
    return build_optim_wrapper(model, cfg.optim_wrapper)
