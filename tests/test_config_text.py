import math

import pytest
from mmengine.config import Config

from simmim_bench.config_text import parse_config_text
from simmim_bench.errors import BenchError
from simmim_bench.family import check_family


def test_the_text_mmengine_writes():
    values = {
        "model": {
            "type": "A",
            "sizes": (1, 2.5),
            "stages": [{"x": None}, {"y": [True, -3]}],
            "odd keys": {"a b": 1e-5, "norm.weight": {"decay": 0.0}},
        },
        "limit": math.inf,
        "name": "it's",
        "empty": {},
    }
    assert parse_config_text(Config(values).pretty_text, "a") == values


@pytest.mark.skipif(check_family() == "openmmlab", reason="mmengine 0.10.7 writes no classes")
def test_a_class_that_mmengine_writes_is_its_name():
    text = Config({"optimizer": {"type": dict}}).pretty_text
    assert parse_config_text(text, "a") == {"optimizer": {"type": "dict"}}


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = open('x')",
        "a = dict(b=__import__('os').getpid())",
        "a = [",
        "a = " + 5000 * "[" + 5000 * "]",
        "a = " + 5000 * "-" + "1",
        "a = 'x\0'",
        "a = {[]: 1}",
        "a = dict(1)",
        "a = -'x'",
    ],
)
def test_code_is_refused(text):
    with pytest.raises(BenchError, match=r"config a\.py contains more than plain values"):
        parse_config_text(text, "config a.py")
