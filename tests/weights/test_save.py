"""Weights on the disk: whole or not at all."""

import errno
import resource

import pytest
import torch

from simmim_bench.weights.files import save_whole


@pytest.fixture
def little_room():
    """Let no file of this process grow beyond 1 MiB, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_does_not_fit_leaves_the_old_file_and_names_the_cause(tmp_path, little_room):
    path = tmp_path / "folder" / "backbone.pth"
    save_whole({"a": torch.arange(3)}, path)
    with pytest.raises(OSError, match=r"backbone\.pth") as refused:
        save_whole({"a": torch.zeros(2**20)}, path)
    assert refused.value.errno == errno.EFBIG
    assert torch.load(path, weights_only=True)["a"].tolist() == [0, 1, 2]
    assert list(path.parent.iterdir()) == [path]


def test_what_torch_cannot_save_stays_its_error(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        save_whole({"a": lambda: None}, tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []
