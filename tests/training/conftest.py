"""Runs as ``tools/train.py`` makes them."""

import pytest

from simmim_bench.recipe.command_line import config_of
from simmim_bench.training.run import check_origin, make_run
from tools.train import parse


@pytest.fixture
def command_line():
    """Function from arguments of ``tools/train.py`` to its config and its run."""

    def make(*arguments, world_size=1):
        args = parse([str(argument) for argument in arguments])
        cfg = config_of(args)
        check_origin(args, cfg)
        return cfg, make_run(args, cfg, world_size)

    return make
