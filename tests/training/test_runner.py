"""Which checkpoint a run continues from, and what is left when the disk is full."""

import errno
import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.config import ConfigDict
from mmengine.runner import Runner

from simmim_bench.config import load_config
from simmim_bench.config_text import parse_config_text
from simmim_bench.errors import BenchError
from simmim_bench.training.loop import FirstBatches, RemainingBatches, ResumableEpochLoop
from simmim_bench.training.runner import (
    BenchRunner,
    _write,
    configure,
    latest_checkpoint,
)


def save(path):
    torch.save({"weights": torch.arange(1000.0)}, path)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_truncated_anywhere_is_skipped(tmp_path, tenth):
    for number in (1, 2):
        save(tmp_path / f"epoch_{number}.pth")
    newest = tmp_path / "epoch_2.pth"
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) * tenth // 10])
    damaged = []
    assert latest_checkpoint(tmp_path, damaged) == tmp_path / "epoch_1.pth"
    assert damaged == [newest]


def test_one_wrong_bit_in_the_weights_is_noticed(tmp_path):
    save(tmp_path / "epoch_1.pth")
    content = bytearray((tmp_path / "epoch_1.pth").read_bytes())
    at = content.index(torch.tensor(500.0).numpy().tobytes())
    content[at] ^= 1
    (tmp_path / "epoch_1.pth").write_bytes(content)
    assert latest_checkpoint(tmp_path) is None


def test_one_from_inside_an_epoch_is_newer_than_the_epoch_before_it(tmp_path):
    for name in ("epoch_9", "epoch_10", "epoch_9_stopped", "other"):
        save(tmp_path / f"{name}.pth")
    assert latest_checkpoint(tmp_path).name == "epoch_10.pth"
    save(tmp_path / "epoch_10_stopped.pth")
    assert latest_checkpoint(tmp_path).name == "epoch_10_stopped.pth"


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    save(tmp_path / "epoch_1.pth")

    def fail(self, out_dir, filename, *args, **kwargs):
        (tmp_path / filename).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Runner, "save_checkpoint", fail)
    runner = object.__new__(BenchRunner)
    runner._hooks = []
    runner.model = torch.nn.Linear(1, 1)
    with pytest.raises(BenchError, match=r"the disk is full: epoch_2\.pth .* epoch_1\.pth is the"):
        runner.save_checkpoint(str(tmp_path), "epoch_2.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_a_write_that_fails_says_why():
    """torch's writer alone raises a RuntimeError about a position."""
    with pytest.raises(OSError, match="No space left") as caught:
        _write({"weights": torch.zeros(1_000_000)}, "/dev/full")
    assert caught.value.errno == errno.ENOSPC


def test_batches_are_left_out_the_first_time_only():
    inner = torch.utils.data.BatchSampler(range(10), batch_size=2, drop_last=False)
    later = RemainingBatches(inner, 3)
    assert list(later) == [[6, 7], [8, 9]]
    assert list(later) == list(inner)
    assert (len(later), later.batch_size) == (5, 2)


def test_the_newest_by_number_not_by_name_or_time(tmp_path):
    for number in (10, 9, 2):
        torch.save({"n": number}, tmp_path / f"epoch_{number}.pth")
    assert latest_checkpoint(tmp_path).name == "epoch_10.pth"


def test_a_truncated_file_is_skipped(tmp_path):
    torch.save({"weights": torch.zeros(1000)}, tmp_path / "epoch_1.pth")
    whole = (tmp_path / "epoch_1.pth").read_bytes()
    (tmp_path / "epoch_2.pth").write_bytes(whole[: len(whole) // 2])
    assert latest_checkpoint(tmp_path).name == "epoch_1.pth"


def test_an_absolute_last_checkpoint_of_another_folder_is_ignored(tmp_path):
    (tmp_path / "last_checkpoint").write_text("/somewhere/else/epoch_3.pth")
    assert latest_checkpoint(tmp_path) is None


def test_half_written_names_do_not_count(tmp_path):
    torch.save({}, tmp_path / ".epoch_3.pth.partial")
    assert latest_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("images", "count", "batches"),
    [
        (1251, 2, 1250),  # ImageNet: 1251 x 1024 images are 625 steps of 2048
        (1251, 1, 1251),
        (12, 5, 10),
        (3, 5, 3),  # less than a step: accumulated over epochs
    ],
)
def test_an_epoch_ends_with_its_last_complete_step(images, count, batches):
    loader = torch.utils.data.DataLoader(range(images), batch_size=1)
    cfg = ConfigDict(optim_wrapper={"accumulative_counts": count})
    loop = ResumableEpochLoop(SimpleNamespace(cfg=cfg), loader, max_epochs=3)
    assert loop.max_iters == 3 * batches
    for _ in range(2):
        assert [int(each) for each in loop.dataloader] == list(range(batches))
    assert len(loop.dataloader) == batches
    # it continues inside such an epoch
    rest = RemainingBatches(loop.dataloader.batch_sampler, 2)
    assert len(list(rest)) == batches - 2


@pytest.mark.parametrize(
    ("model", "images", "batches"),
    [
        (torch.nn.BatchNorm1d(3), 9, 2),  # 4, 4 and 1
        (torch.nn.BatchNorm1d(3), 10, 3),
        (torch.nn.LayerNorm(3), 9, 3),
    ],
)
def test_batch_norm_gets_no_batch_of_one_image(model, images, batches):
    loader = torch.utils.data.DataLoader(range(images), batch_size=4)
    runner = SimpleNamespace(
        cfg=ConfigDict(optim_wrapper={}), model=model, logger=logging.getLogger()
    )
    loop = ResumableEpochLoop(runner, loader, max_epochs=3)
    assert (len(list(loop.dataloader)), loop.max_iters) == (batches, 3 * batches)


class Shapes:
    """Images that are wide or tall by turns, as ``AspectRatioBatchSampler`` reads them."""

    def __len__(self):
        return 22

    def get_data_info(self, index):
        return {"width": 2 - index % 2, "height": 1 + index % 2}


def test_batches_by_shape_are_the_same_in_every_epoch():
    """The sampler keeps batches from one epoch to the next if an epoch of it does not end."""
    sampler = torch.utils.data.SequentialSampler(Shapes())
    sampler.dataset = Shapes()
    whole = list(AspectRatioBatchSampler(sampler, batch_size=3))
    cut = FirstBatches(AspectRatioBatchSampler(sampler, batch_size=3), 5)
    for _ in range(4):
        assert list(cut) == whole[:5]


@pytest.mark.parametrize("stated", [{}, {"tf32": True}, {"tf32": False}])
def test_products_are_in_tf32_only_if_the_config_says_so(stated, monkeypatch):
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(Runner, "setup_env", lambda *_: None)
    try:
        object.__new__(BenchRunner).setup_env({"cudnn_benchmark": False, **stated})
        assert torch.backends.cuda.matmul.allow_tf32 is stated.get("tf32", False)
        assert torch.backends.cudnn.allow_tf32 is stated.get("tf32", False)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_a_prepared_process_finds_what_mixes_batches_and_has_the_operators_of_detectors():
    """mmengine builds a classifier before anything else of ours; mmdet keeps what it imported."""
    code = (
        "import simmim_bench.training.runner; from simmim_bench.training.process import prepare; "
        "prepare('none', 'mmdet'); from mmpretrain.registry import BATCH_AUGMENTS; "
        "from mmdet.models.dense_heads import rpn_head; "
        "print(BATCH_AUGMENTS.get('simmim_bench.Mixup'), rpn_head.batched_nms.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "simmim_bench.data.augment.Mixup" in done.stdout, done.stderr
    assert "mmcv.ops.nms" in done.stdout, done.stderr


def test_the_stored_text_of_a_config_is_not_styled_and_says_the_same(tmp_path, monkeypatch):
    from yapf.yapflib import yapf_api

    monkeypatch.setattr(yapf_api, "FormatCode", None)  # would raise if it were called
    cfg = load_config("configs/demo/mask-rcnn_swin-demo_fpn.py")
    configure(cfg, tmp_path, "none", 3, [{"type": "simmim_bench.SeedHook"}])
    assert parse_config_text(cfg.pretty_text, "the text") == cfg.to_dict()
