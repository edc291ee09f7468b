import math

import pytest
from mmengine.config import Config

from simmim_bench.config_text import parse_config_text
from simmim_bench.errors import BenchError


def test_the_text_mmengine_writes():
    values = {
        "model": {
            "type": "A",
            "sizes": (1, 2.5),
            "stages": [{"x": None}, {"y": [True, -3]}],
            "odd keys": {"a b": 1e-5, "norm.weight": {"decay": 0.0}},
        },
        "optimizer": {"type": dict, "limit": math.inf},
        "name": "it's",
        "empty": {},
    }
    expected = {**values, "optimizer": {"type": "dict", "limit": math.inf}}
    assert parse_config_text(Config(values).pretty_text, "a") == expected


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
