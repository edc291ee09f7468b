"""The contracts of simmim_bench for the parts of this project: ``python -m pytest``."""

from pathlib import Path

import my_method
import pytest

from simmim_bench import testing
from simmim_bench.config import load_config

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.py"))


class TestTiny(testing.AdapterContract):
    adapter = my_method.backbone.TinyAdapter.name
    ends_with_blocks = True  # no norm after the last block

    def config(self):
        return {"type": "simmim_bench.TinyNet", "channels": 8}


class TestDisk(testing.MaskContract):
    strategy = "disk"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configs_can_be_read(config):
    cfg = load_config(str(config))
    assert "pretraining" in cfg or "protocol" in cfg
