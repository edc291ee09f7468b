"""Run lengths equal pycocotools' for any mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from simmim_bench.data.demo import rle

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.bool_, shape)
)


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_runs_equal_those_of_pycocotools(mask):
    counts = rle.encode(mask)
    ours = coco_mask.frPyObjects({"counts": counts, "size": list(mask.shape)}, *mask.shape)
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours["counts"] == theirs["counts"]
    assert np.array_equal(rle.decode(counts, mask.shape), mask)
    if mask.any():
        assert rle.box(mask) == coco_mask.toBbox(theirs).tolist()


@pytest.mark.parametrize("counts", [[3, 2], [], [5, -1, 5]])
def test_runs_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(ValueError, match="do not fill"):
        rle.decode(counts, (3, 3))
