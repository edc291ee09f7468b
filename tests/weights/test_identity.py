"""A checkpoint says which run wrote it, and no other run continues from it."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import DataIdentity
from simmim_bench.training.run import Run
from simmim_bench.weights.identity import LATER, check_resumable, check_unused

RUN = {
    "kind": "full",
    "stage": "pretrain",
    "pretraining": {"initial": None, "initial_sha256": None},
    "method": "simmim",
    "seed": 1,
    "config_sha256": "c" * 64,
    "inputs": {"backbone": {"path": "backbone.pth", "sha256": "b" * 64}},
    "world_size": 8,
    "length": 100,
    "data": DataIdentity(name="Flowers", sha256="e" * 64, images=7),
}


@pytest.fixture
def own():
    cfg = Config({"train_dataloader": {"batch_size": 16}, "optim_wrapper": {}})
    return Run.identity(SimpleNamespace(**RUN), cfg)


@pytest.fixture
def write(tmp_path):
    def save(content):
        path = tmp_path / "epoch_1.pth"
        torch.save(content, path)
        return path

    return save


def test_the_same_run_continues(own, write):
    check_resumable(write({"state_dict": {}, "simmim_bench": {"run": own}}), own)


def test_a_config_that_mmengine_would_execute_is_refused(own, write):
    """``Runner.resume`` runs the text of meta.config as Python."""
    meta = {"config": "open('marker', 'w')", "epoch": 1}
    path = write({"state_dict": {}, "simmim_bench": {"run": own}, "meta": meta})
    with pytest.raises(BenchError, match=r"meta.config in .*epoch_1.pth is a config that mmengine"):
        check_resumable(path, own)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("kind", "smoke", "kind smoke, this run has kind full; resume with"),
        ("method", "scratch", "method scratch, this run has method simmim"),
        ("seed", 0, "seed 0, this run has seed 1"),
        ("initial", "supervised", "initial supervised, this run has initial None; resume with"),
        ("config", "d" * 64, "config dddddddddddd..., this run has config cccccccccccc..."),
        ("length", 50, "length 50, this run has length 100"),
        ("backbone", None, "backbone None, this run has backbone bbbbbbbbbbbb..."),
        (
            "processes",
            1,
            r"with 1 process\(es\), this run has 8 process\(es\), .* start 1 process\(es\)",
        ),
        (
            "images",
            2,
            "2 images per process, this run has 16 images .* train_dataloader.batch_size=2",
        ),
        ("accumulation", 8, "over 8 batches, this run has gradients accumulated over 1 batches"),
        (
            "data",
            {"name": "Flowers", "sha256": "f" * 64, "images": 9},
            r"with the data Flowers \(9 images, ffffffffffff...\), this run reads Flowers "
            r"\(7 images, eeeeeeeeeeee...\); use the same data as before, or give another --work",
        ),
        ("data", "damaged", r"with the data 'damaged', this run reads Flowers"),
        ("data", {}, r"with the data None \(None images, None\), this run reads Flowers"),
        (
            "precision",
            "bfloat16",
            "with precision bfloat16, this run has precision float32; pass --precision bfloat16",
        ),
    ],
)
def test_another_run_is_told_the_difference(own, write, name, value, said):
    path = write({"state_dict": {}, "simmim_bench": {"run": {**own, name: value}}})
    with pytest.raises(BenchError, match=said):
        check_resumable(path, own)


def test_a_repaired_validation_image_does_not_end_a_training(own, write):
    now = {**own["data"], "parts": {"train": "a" * 64, "val": "b" * 64}}
    before = {**now, "sha256": "f" * 64, "parts": {**now["parts"], "val": "c" * 64}}
    path = write({"state_dict": {}, "simmim_bench": {"run": {**own, "data": before}}})
    (note,) = check_resumable(path, {**own, "data": now})
    assert "the validation data changed" in note
    with pytest.raises(BenchError, match="this run reads Flowers"):
        check_resumable(path, {**own, "data": {**now, "parts": {"train": "d" * 64}}})


def test_data_of_another_name_are_the_same_data(own, write):
    renamed = {**own, "data": {**own["data"], "name": "My flowers"}}
    check_resumable(write({"state_dict": {}, "simmim_bench": {"run": renamed}}), own)


def test_a_checkpoint_of_an_earlier_version_continues(own, write):
    earlier = {key: value for key, value in own.items() if key not in LATER}
    check_resumable(write({"state_dict": {}, "simmim_bench": {"run": earlier}}), own)


def test_every_value_is_compared(own):
    assert set(own) == {
        "kind", "method", "seed", "config", "length", "data", "precision", "backbone", "start",
        "initial", "initial_sha256", "processes", "images", "accumulation", "features",
    }  # fmt: skip


def test_a_checkpoint_from_elsewhere_is_not_continued(own, write):
    with pytest.raises(BenchError, match=r"epoch_1.pth does not contain the identity of a run"):
        check_resumable(write({"state_dict": {}}), own)


@pytest.mark.parametrize("name", ["epoch_3.pth", "iter_500.pth", "manifest.json"])
def test_a_used_folder_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(BenchError, match=f"contains {name} of an earlier run; pass --resume"):
        check_unused(tmp_path)


def test_an_empty_or_missing_folder_is_not(tmp_path):
    check_unused(tmp_path)
    check_unused(tmp_path / "new")


@pytest.mark.parametrize("kind", [None, 3, "ful"])
def test_an_identity_of_no_kind_is_refused(own, write, kind):
    path = write({"state_dict": {}, "simmim_bench": {"run": {**own, "kind": kind}}})
    with pytest.raises(BenchError, match=r"kind in the identity in .* expected full or smoke"):
        check_resumable(path, own)
