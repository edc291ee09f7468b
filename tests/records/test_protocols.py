"""What the configs state must be valid before a long run ends with it."""

from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.literals import literals_in
from simmim_bench.records.manifest import Pretraining
from simmim_bench.records.protocols import Protocol, check_known, known_protocols
from simmim_bench.records.record import Record, RecordBody
from tests.configs.reader import read_config

SOURCE = Path("record.json")

ROOT = Path(__file__).parents[2]
LEAVES = sorted(
    path
    for path in (ROOT / "configs").rglob("*.py")
    if "_base_" not in path.relative_to(ROOT).parts
)


@pytest.fixture(scope="module")
def configs():
    return {path.relative_to(ROOT): read_config(path) for path in LEAVES}


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


def test_protocols_are_read_as_mmengine_reads_them(configs):
    made = {
        config.protocol.id: Protocol.model_validate(config.protocol.to_dict())
        for config in configs.values()
        if config.get("protocol")
    }
    assert known_protocols() == made


@pytest.fixture
def make_known(make_record):
    """A measured record of the demo's classification."""

    def make(*, deviations=(), **changes):
        protocol = known_protocols()["demo-classification"].as_json() | changes
        metrics = dict.fromkeys(protocol["metrics"], 50.0)
        body = make_record(deviations=list(deviations)).as_json()
        for seal in ("run_id", "sha256"):
            del body[seal]
        body |= {"protocol": protocol, "metrics": metrics}
        return Record.seal(RecordBody.model_validate(body))

    return make


def check_record(record, source):
    check_known(record.protocol, source, deviates=bool(record.deviations))


def test_a_metric_of_which_smaller_is_better_is_not_primary(toy):
    with pytest.raises(ValueError, match="smaller is better; name another"):
        Protocol(**toy.protocol(metrics={"d1": "d1", "error": "rmse"}, primary="error"))


def test_what_a_config_defines_is_known(make_known):
    check_record(make_known(), SOURCE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": "my ten images"}, "protocol.dataset is 'my ten images', configs define"),
        ({"epochs": 50}, "protocol.epochs is 50, configs define 5 for demo-classification@1"),
        ({"version": 99}, "protocol.version is 99, the newest that configs define .* is 1"),
        ({"id": "demo-clasification"}, "did you mean demo-classification"),
        ({"task": "segmentation"}, "protocol.task is 'segmentation'"),
    ],
)
def test_another_protocol_under_a_known_id_is_refused(make_known, changes, said):
    with pytest.raises(BenchError, match=said):
        check_record(make_known(**changes), SOURCE)


def test_a_deviating_run_keeps_what_is_measured(make_known):
    check_record(make_known(dataset="my ten images", deviations=["other images"]), SOURCE)
    with pytest.raises(BenchError, match=r"protocol\.task is 'segmentation'"):
        check_record(make_known(task="segmentation", deviations=["other images"]), SOURCE)


def test_own_configs_of_one_protocol(tmp_path):
    def write(name, **changes):
        stated = {**known_protocols()["demo-classification"].as_json(), "id": "mine", **changes}
        (tmp_path / f"{name}.py").write_text(f"protocol = {stated!r}\n", "utf-8")
        known_protocols.cache_clear()
        literals_in.cache_clear()

    write("a")
    write("b", version=2, epochs=9)
    assert known_protocols(tmp_path)["mine"].version == 2
    write("c", version=2, epochs=8)
    with pytest.raises(BenchError, match=r"c.py and .*b.py state mine@2 differently"):
        known_protocols(tmp_path)
    write("c", version=2, task="cooking")
    with pytest.raises(BenchError, match=r"c.py: task is 'cooking'"):
        known_protocols(tmp_path)
    (tmp_path / "c.py").write_text("def", "utf-8")
    literals_in.cache_clear()
    with pytest.raises(BenchError, match=r"c.py is not a config that can be read"):
        known_protocols(tmp_path)
