"""Sharding, recomputation and precision: the same training, by other means."""

import os

import pytest
import torch

from simmim_bench.records.curves import read_scalars
from simmim_bench.records.manifest import Manifest
from tests.e2e.conftest import PRETRAIN, Tools
from tests.slurm_cluster import free_ports

pytestmark = pytest.mark.slow
SHORT = [
    "train_dataloader.batch_size=4",
    "auto_scale_lr.base_batch_size=8",
    "train_cfg.max_epochs=2",
]
KEEP = ["default_hooks.checkpoint.max_keep_ckpts=2", "default_hooks.logger.interval=1"]


def weights(folder, name="epoch_2.pth"):
    return torch.load(folder / name, weights_only=False)


def pretrain(tools, folder, *flags, processes=1, options=()):
    words = [PRETRAIN, *([processes] if processes > 1 else []), "--work-dir", folder, *flags]
    tool = ["bash", "tools/dist_train.sh"] if processes > 1 else ["tools/train.py"]
    return tools.succeed(*tool, *words, "--cfg-options", *SHORT, *options)


def assert_close(ours, theirs, *, atol):
    """Equal but for ``atol``.

    The bias of the keys moves all scores of a query alike, which softmax undoes: its gradient is
    rounding alone, of which AdamW makes steps of any sign. It may differ ten times as much.
    """
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert type(value) is torch.Tensor, key  # whole, of no process's own
        bounds = torch.full_like(value, atol, dtype=torch.float64)
        if key.endswith("qkv.bias"):
            bounds.view(3, -1)[1] *= 10
        assert ((value.double() - theirs[key].double()).abs() <= bounds).all(), key


@pytest.fixture(scope="module")
def replicated(tools, tmp_path_factory):
    """A run of two processes with DDP."""
    folder = tmp_path_factory.mktemp("ddp")
    pretrain(tools, folder, processes=2, options=KEEP)
    return folder


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
def test_two_processes_log_the_loss_curve_of_one(tools, replicated, tmp_path):
    """The same batch in each step, and the mean over both halves: equal up to rounding."""
    pretrain(tools, tmp_path, options=["train_dataloader.batch_size=8", *KEEP])
    steps, losses = read_scalars(tmp_path, "loss")
    assert len(steps) == 8
    assert read_scalars(replicated, "loss") == (steps, pytest.approx(losses, rel=1e-5))


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
def test_two_nodes_train_as_one_with_two_processes(tools, replicated, tmp_path):
    """A torchrun for each node; here both are on this machine, with one process each."""
    place = {"NNODES": "2", "MASTER_ADDR": "127.0.0.1", "PORT": str(free_ports(1)[0])}
    command = [
        "bash", "tools/dist_train.sh", PRETRAIN, "1", "--work-dir", tmp_path,
        "--cfg-options", *SHORT, *KEEP,
    ]  # fmt: skip
    nodes = []
    for rank in (1, 0):
        node = Tools(tools.env["SIMMIM_BENCH_DATA"])
        node.env |= {**place, "NODE_RANK": str(rank)}
        nodes.append(node.start(*command))
    for node in nodes:
        output, _ = node.communicate(timeout=400)
        assert node.returncode == 0, output[-3000:]
    assert Manifest.read(tmp_path / "manifest.json").cost.device_count == 2
    assert read_scalars(tmp_path, "loss") == read_scalars(replicated, "loss")
    assert_close(weights(tmp_path)["state_dict"], weights(replicated)["state_dict"], atol=0)


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
def test_sharded_and_resumed_it_ends_as_replicated(tools, replicated, tmp_path):
    """The second epoch starts from a sharded checkpoint: weights and moments were whole."""
    printed = pretrain(tools, tmp_path, "--fsdp", processes=2, options=KEEP)
    assert "parts of the model are sharded over 2" in printed
    (tmp_path / "epoch_2.pth").unlink()
    (tmp_path / "manifest.json").unlink()
    pretrain(tools, tmp_path, "--fsdp", "--resume", processes=2, options=KEEP)
    ours, theirs = weights(tmp_path), weights(replicated)
    assert_close(ours["state_dict"], theirs["state_dict"], atol=1e-6)
    moments = [state["optimizer"]["state"] for state in (ours, theirs)]
    assert moments[0].keys() == moments[1].keys()
    for number, moment in moments[0].items():
        torch.testing.assert_close(
            moment["exp_avg"], moments[1][number]["exp_avg"], rtol=1e-3, atol=1e-6
        )
    mine, other = (Manifest.read(folder / "manifest.json") for folder in (tmp_path, replicated))
    assert mine.cost.parameters == other.cost.parameters
    assert mine.cost.flops == other.cost.flops
    assert mine.deviations == other.deviations


def test_recomputed_activations_change_nothing(tools, tmp_path):
    pretrain(tools, tmp_path / "kept")
    printed = pretrain(tools, tmp_path / "again", "--recompute")
    assert "activations of 8 blocks are recomputed" in printed
    kept, again = (weights(tmp_path / name)["state_dict"] for name in ("kept", "again"))
    assert_close(kept, again, atol=0)


def test_another_precision_is_a_deviation(tools, tmp_path):
    pretrain(tools, tmp_path / "half", "--precision", "bfloat16")
    manifest = Manifest.read(tmp_path / "half" / "manifest.json")
    assert "precision bfloat16 instead of float32" in manifest.deviations
    pretrain(tools, tmp_path / "same", "--precision", "float32")
    assert "precision" not in " ".join(
        Manifest.read(tmp_path / "same" / "manifest.json").deviations
    )
    half, same = (weights(tmp_path / name)["state_dict"] for name in ("half", "same"))
    key = "backbone.stages.0.blocks.0.ffn.layers.1.weight"
    assert half[key].dtype == torch.float32
    assert not torch.equal(half[key], same[key])


def test_one_process_is_not_sharded(tools, tmp_path):
    code, printed = tools.run(
        "tools/train.py", PRETRAIN, "--work-dir", tmp_path, "--fsdp",
        "--cfg-options", "train_dataloader.batch_size=8",
    )  # fmt: skip
    assert code == 2
    assert "--fsdp shards a model over several processes, got 1" in printed
