"""Errors of the libraries that become one sentence."""

import pytest
from mmengine.registry import DATASETS, DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.training.failures import TEST_WITH_LESS, TRAIN_WITH_LESS, explained


@pytest.mark.parametrize("with_label", [True, False])
def test_a_folder_without_images(tmp_path, with_label):
    (tmp_path / "train" / "class").mkdir(parents=True)
    dataset = {"type": "CustomDataset", "data_root": str(tmp_path), "data_prefix": "train"}
    said = r"my\.py: \S+/train has no images \(\.bmp, .*\); point --data-root"
    with (
        DefaultScope.overwrite_default_scope("mmpretrain"),
        pytest.raises(BenchError, match=said),
        explained("my.py"),
    ):
        DATASETS.build({**dataset, "with_label": with_label})


@pytest.mark.parametrize(
    ("advice", "key"),
    [(TRAIN_WITH_LESS, "train_dataloader"), (TEST_WITH_LESS, "test_dataloader"), (None, None)],
)
def test_out_of_memory_names_the_batch_that_was_too_large(advice, key):
    """An evaluation has no batch of training."""
    given = {"less_memory": advice} if advice else {}
    with pytest.raises(BenchError) as told, explained("my.py", **given):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert str(told.value).startswith("my.py: out of memory: CUDA out of memory. Tried")
    assert (f"lower {key}.batch_size" in str(told.value)) == bool(key)
    assert str(told.value).count("dataloader") == bool(key)
