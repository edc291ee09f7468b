"""Two processes under DDP, as the runner wraps a model, against one with the whole batch."""

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from simmim_bench.training.runner import ddp_options

STEPS = 3
COPIED = {"gradient_as_bucket_view": False}


class Model(nn.Module):
    """Two layers, and a third one that a graph that varies uses in every second step."""

    def __init__(self, *, varies):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 40), nn.GELU(), nn.Linear(40, 1))
        self.sometimes = nn.Linear(6, 1)
        self.varies = varies

    def forward(self, images, step):
        found = self.layers(images)
        if not self.varies or step % 2:
            found = found + self.sometimes(images)
        return found.square().mean()


def batch(step):
    return torch.randn(8, 6, generator=torch.Generator().manual_seed(step))


def trained(model, part=slice(None)):
    """Weights after some steps with clipped gradients."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    wrapper = OptimWrapper(optimizer, clip_grad={"max_norm": 0.5})
    for step in range(STEPS):
        with wrapper.optim_context(model):
            loss = model(batch(step)[part], step)
        wrapper.update_params(loss)
    return {key.removeprefix("module."): value for key, value in model.state_dict().items()}


def one_of_two(rank, folder, varies):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    part, found = slice(4 * rank, 4 * rank + 4), []
    for stated in (None, COPIED):
        options = ddp_options({"find_unused_parameters": varies}, stated)
        wrapped = MODEL_WRAPPERS.build({**options, "module": Model(varies=varies)})
        assert wrapped.gradient_as_bucket_view == (stated is None)
        found.append(trained(wrapped, part))
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("varies", [False, True])
def test_two_processes_have_the_weights_of_one(tmp_path, varies, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    single = trained(Model(varies=varies))
    mp.start_processes(one_of_two, args=(tmp_path, varies), nprocs=2, start_method="spawn")
    for rank in range(2):
        views, copies = torch.load(tmp_path / f"{rank}.pt")
        for key, value in single.items():
            assert torch.equal(views[key], copies[key]), key
            torch.testing.assert_close(views[key], value, rtol=1e-5, atol=1e-5)
            assert not torch.equal(value, Model(varies=varies).state_dict()[key]), key


def test_what_a_config_states_about_ddp_is_kept():
    assert ddp_options({})["gradient_as_bucket_view"]
    assert ddp_options({"find_unused_parameters": True})["find_unused_parameters"]
    assert ddp_options({}, COPIED)["gradient_as_bucket_view"] is False
    other = {"type": "MMFullyShardedDataParallel", "cpu_offload": True}
    assert ddp_options({}, other) == other
