"""Run lengths equal pycocotools' for any mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from simmim_bench.data.demo.files import box_of, decode_mask, encode_mask

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_runs_equal_those_of_pycocotools(mask):
    counts = encode_mask(mask)
    ours = coco_mask.frPyObjects({"counts": counts, "size": list(mask.shape)}, *mask.shape)
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours["counts"] == theirs["counts"]
    assert np.array_equal(decode_mask(counts, mask.shape), mask)
    if mask.any():
        assert box_of(mask) == coco_mask.toBbox(theirs).tolist()


@pytest.mark.parametrize("counts", [[3, 2], [], [5, -1, 5]])
def test_runs_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(ValueError, match="do not fill"):
        decode_mask(counts, (3, 3))
