"""Errors of the libraries that become one sentence."""

import pytest
from mmengine.registry import DATASETS, DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.training.failures import explained


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
