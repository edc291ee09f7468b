"""What the configs state must be valid before a long run ends with it."""

from pathlib import Path

import pytest
from mmengine.config import Config

from simmim_bench.results.manifest import Pretraining, Protocol

ROOT = Path(__file__).parents[2]
LEAVES = sorted(
    path
    for path in (ROOT / "configs").rglob("*.py")
    if "_base_" not in path.relative_to(ROOT).parts
)


@pytest.fixture(scope="module")
def configs():
    return {path.relative_to(ROOT): Config.fromfile(path) for path in LEAVES}


def test_every_config_states_a_valid_pretraining_or_protocol(configs):
    stated = {"protocol": Protocol, "pretraining": Pretraining}
    found = {}
    for path, config in configs.items():
        keys = [key for key in stated if config.get(key)]
        assert len(keys) == 1, path
        assert stated[keys[0]].model_validate(config[keys[0]].to_dict()), path
        found[path] = keys[0]
    assert set(found.values()) == set(stated)


def test_a_protocol_version_means_one_thing(configs):
    meanings = {}
    for path, config in configs.items():
        if config.get("protocol"):
            made = Protocol.model_validate(config.protocol.to_dict())
            first = meanings.setdefault((made.id, made.version), (path, made))
            assert made == first[1], f"{path} and {first[0]} differ"
    assert len(meanings) >= 3
