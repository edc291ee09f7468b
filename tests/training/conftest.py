"""Runs as ``simmim-bench train`` makes them."""

import pytest

from simmim_bench.commands import parser_of
from simmim_bench.recipe.command_line import config_of
from simmim_bench.training.run import check_origin, make_run


@pytest.fixture
def command_line():
    """Function from arguments of ``simmim-bench train`` to its config and its run."""

    def make(*arguments, world_size=1):
        args = parser_of("train").parse_args([str(argument) for argument in arguments])
        cfg = config_of(args)
        check_origin(args, cfg)
        return cfg, make_run(args, cfg, world_size)

    return make
