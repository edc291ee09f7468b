"""The hash of content: one canonical text, whoever writes it."""

import hashlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simmim_bench.records.hash import content_sha256, has_sha256, model_sha256, quick_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)  # fmt: skip


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@settings(max_examples=500, deadline=None)
@given(JSON)
@example({"b": [1.0, -0.0, 0.1 + 0.2, True, None], "a": "1e5, e-3", "A": {}})
@example(1e-5)
@example([1e16])
@example({"\x7f": 0, "\u00e9": "\ud800"})
@example('\\"e')
@example(2**70)
def test_the_quick_text_is_the_canonical_one_or_none(value):
    text = quick_text(value)
    assert text is None or text == canonical(value)
    assert model_sha256(value) == content_sha256(value)
    assert has_sha256(value, model_sha256(value))
    assert not has_sha256([value], model_sha256(value))
    assert content_sha256(value) == hashlib.sha256(canonical(value)).hexdigest()


@pytest.mark.parametrize("value", [1e-5, 1e16, {"a": [2.5e-7]}, "\u00e9", "\x7f", 2**64, "\\"])
def test_what_is_spelled_otherwise_is_left_to_the_standard_library(value):
    assert quick_text(value) is None
    assert model_sha256([value]) == content_sha256([value])


def test_a_usual_record_takes_the_quick_way(make_simmim):
    curve = {"loss": {"against": "iteration", "points": [[1.0, 0.75], [2.0, 0.5]]}}
    record = make_simmim(curves=curve)
    assert quick_text(record.as_json()) == canonical(record.as_json())


def test_figures_that_repr_writes_with_exponents_are_sealed_alike(make_record):
    """A seal over orjson's spelling of a float is none."""
    record = make_record(metrics={"box_ap": 1e-5, "mask_ap": 1.0})
    body = {
        key: value for key, value in record.as_json().items() if key not in ("run_id", "sha256")
    }
    assert record.sha256 == hashlib.sha256(canonical(body)).hexdigest()


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_what_is_not_finite_has_no_hash(figure):
    with pytest.raises(ValueError, match="finite"):
        content_sha256({"a": figure})
