"""The hash of content: one canonical text, whoever writes it."""

import hashlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simmim_bench.records.hash import content_sha256, has_sha256

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)  # fmt: skip


def canonical_sha256(value):
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@settings(max_examples=500, deadline=None)
@given(JSON)
@example({"b": [1.0, -0.0, 0.1 + 0.2, True, None], "a": "1e5, e-3", "A": {}})
@example(1e-5)
@example([1e16])
@example({"a": [2.5e-7]})
@example({"\x7f": 0, "\u00e9": "\ud800"})
@example('\\"e')
@example(2**70)
def test_the_hash_is_that_of_the_canonical_text(value):
    assert content_sha256(value) == canonical_sha256(value)
    assert has_sha256(value, canonical_sha256(value))
    assert not has_sha256([value], canonical_sha256(value))


def test_numbers_with_exponents_are_hashed_as_python_writes_them(make_record):
    """orjson writes 1e-5 another way; its hash must not seal a record."""
    record = make_record(metrics={"box_ap": 1e-5, "mask_ap": 1.0})
    body = {
        key: value for key, value in record.as_json().items() if key not in ("run_id", "sha256")
    }
    assert record.sha256 == canonical_sha256(body)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_have_no_hash(value):
    with pytest.raises(ValueError, match="finite"):
        content_sha256({"a": value})
