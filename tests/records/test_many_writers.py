"""Records that several processes write, and bytes that are no records."""

import contextlib
import json
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simmim_bench.errors import BenchError
from simmim_bench.records.protocols import known_protocols
from simmim_bench.records.record import Record
from simmim_bench.records.store import add_record, read_record, read_records

ROOT = Path(__file__).parents[2]
PROCESSES, EACH = 4, 12
KILLED = 200


def add_all(folder, texts):
    outcomes = [
        add_record(folder, Record.model_validate_json(text), source=Path("x")) for text in texts
    ]
    return outcomes.count("added")


def test_nothing_is_lost_or_doubled(make_simmim, tmp_path):
    records = [make_simmim(seed) for seed in range(PROCESSES * EACH)]
    texts = [json.dumps(record.as_json()) for record in records]
    # each process adds its own and those of the next
    shares = [(texts + texts)[start : start + 2 * EACH] for start in range(0, len(texts), EACH)]
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        added = pool.starmap(add_all, [(tmp_path, share) for share in shares])
    assert sum(added) == len(records)
    found = {record.run_id: record.sha256 for record in read_records(tmp_path)}
    assert found == {record.run_id: record.sha256 for record in records}


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_records(make_record, tmp_path):
    protocol = known_protocols()["demo-mask-rcnn"].as_json()
    new = tmp_path / "new"
    new.mkdir()
    for seed in range(KILLED):
        record = make_record(seed=seed, protocol=protocol)
        (new / f"{seed}.json").write_text(json.dumps(record.as_json()))
    command = [sys.executable, "tools/leaderboard.py", "add", *sorted(map(str, new.iterdir()))]
    command += ["--records", str(tmp_path / "records")]
    store = tmp_path / "records" / "scratch__swin-toy"
    for _ in range(3):
        before = len(list(store.glob("*.json")))
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(store.glob("*.json"))) == before and process.poll() is None:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert before < len(read_records(tmp_path / "records")) < KILLED
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert len(read_records(tmp_path / "records")) == KILLED


@pytest.fixture(scope="module")
def text(make_simmim):
    return json.dumps(make_simmim().as_json())


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_are_refused_or_change_nothing(text, tmp_path, data):
    """A record that is read after a change of its bytes says what it said before."""
    path = tmp_path / "record.json"
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 20))
    other = data.draw(st.one_of(st.binary(max_size=8), st.sampled_from(TOKENS)))
    raw = text.encode()
    path.write_bytes(raw[:start] + other + raw[start + length :])
    with contextlib.suppress(BenchError):
        assert read_record(path).as_json() == json.loads(text)


TOKENS = [b"NaN", b"1e999", b"null", b"{}", b"[", b'"', b"-1", b"\xff", b"\\u0000", b"[" * 5000]


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_refused_with_a_sentence(tmp_path, raw):
    path = tmp_path / "record.json"
    path.write_bytes(raw)
    with pytest.raises(BenchError, match=str(path)):
        read_record(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_value_in_any_field_is_refused_or_the_same(text, tmp_path, data):
    value = json.loads(text)
    node = value
    while True:
        key = data.draw(st.sampled_from(sorted(node)))
        if not (isinstance(node[key], dict) and node[key] and data.draw(st.booleans())):
            break
        node = node[key]
    node[key] = data.draw(JSON)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(value))
    with contextlib.suppress(BenchError):
        assert read_record(path).as_json() == json.loads(text)
