import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from simmim_bench.errors import BenchError
from simmim_bench.weights.files import load_checkpoint


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_mmengine_stores_beside_the_weights(tmp_path):
    path = tmp_path / "epoch_1.pth"
    content = {
        "state_dict": {"weight": torch.arange(3.0)},
        "message_hub": {"loss": HistoryBuffer([1.0, 2.0], [1, 1])},
        "plain": [np.float64(1.5), np.arange(2), np.bool_(True), np.float32(2), slice(1)],
    }
    torch.save(content, path)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["weight"], torch.arange(3.0))
    assert loaded["message_hub"]["loss"].statistics("mean", 2) == 1.5
    assert loaded["plain"][0] == 1.5


def test_code_is_not_run(tmp_path):
    path, trace = tmp_path / "epoch_1.pth", tmp_path / "trace"
    torch.save({"state_dict": RunsCode(trace)}, path)
    with pytest.raises(BenchError, match=r"holds more than weights and plain values \(.*mkdir\)"):
        load_checkpoint(path)
    assert not trace.exists()


def test_attributes_of_other_types_are_not_read(tmp_path):
    class ReadsAttribute:
        def __reduce__(self):
            return getattr, (np.ndarray, "tofile")

    path = tmp_path / "epoch_1.pth"
    torch.save({"state_dict": ReadsAttribute()}, path)
    with pytest.raises(BenchError, match="holds more than weights"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file(tmp_path, zipped, share):
    path = tmp_path / "epoch_1.pth"
    weights = {"weight": torch.randn(100, 100)}
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BenchError, match="is truncated or damaged"):
        load_checkpoint(path)


def test_files_that_are_no_checkpoints(tmp_path):
    text = tmp_path / "notes.pth"
    text.write_text("hello")
    with pytest.raises(BenchError, match=r"notes\.pth is not a torch checkpoint"):
        load_checkpoint(text)
    with pytest.raises(BenchError, match="does not exist"):
        load_checkpoint(tmp_path / "none.pth")
    with pytest.raises(BenchError, match="is a folder"):
        load_checkpoint(tmp_path)
    tensor = tmp_path / "tensor.pth"
    torch.save(torch.zeros(1), tensor)
    with pytest.raises(BenchError, match="holds a Tensor, not a dictionary"):
        load_checkpoint(tensor)
