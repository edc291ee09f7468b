"""Everything that the suite writes can be looked at, and nothing else."""

import pytest
import torch
from mmengine.config import Config

from simmim_bench.analysis.models import open_subject
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.files import load_checkpoint
from tests.analysis.representation.conftest import SWIN
from tests.e2e.conftest import CONFIGS, PRETRAIN


@pytest.fixture
def classifier_checkpoint(tmp_path):
    cfg = load_config(str(CONFIGS["classification"]))
    torch.manual_seed(0)
    state = MODELS.build({**cfg.model, "_scope_": "mmpretrain"}).state_dict()
    meta = {"cfg": cfg.pretty_text, "epoch": 3, "dataset_meta": {"classes": tuple("abcdefghij")}}
    torch.save({"state_dict": state, "meta": meta}, tmp_path / "epoch_3.pth")
    return tmp_path / "epoch_3.pth"


def test_checkpoint_export_and_its_folder_are_the_same_backbone(save_pretraining, tmp_path):
    checkpoint = save_pretraining(SWIN)
    export_backbone(checkpoint, tmp_path / "export")
    files = checkpoint, tmp_path / "export" / "backbone.pth", tmp_path / "export"
    states = [open_subject(f"a={file}", seed=0).backbone.state_dict() for file in files]
    for state in states[1:]:
        assert all(torch.equal(value, states[0][key]) for key, value in state.items())
    subject = open_subject(f"a={files[1]}", seed=0)
    assert (subject.name, subject.image_size, subject.classifier) == ("a", (64, 64), None)
    assert not subject.backbone.training


def test_random_weights_follow_the_seed():
    first, again, other = (open_subject(f"a={PRETRAIN}", seed=seed) for seed in (0, 0, 1))
    name = "stages.0.blocks.0.attn.w_msa.qkv.weight"
    weight = first.backbone.state_dict()[name]
    assert torch.equal(weight, again.backbone.state_dict()[name])
    assert not torch.equal(weight, other.backbone.state_dict()[name])
    assert first.mean == Config.fromfile(PRETRAIN).model.data_preprocessor.mean


def test_a_classifier_brings_its_classes(classifier_checkpoint):
    subject = open_subject(f"a={classifier_checkpoint}", seed=0)
    assert subject.classes == tuple("abcdefghij")
    assert subject.classifier.backbone is subject.backbone
    assert "demo-classification, epoch 3" in subject.what


def test_what_is_refused(save_pretraining, classifier_checkpoint, tmp_path):
    with pytest.raises(BenchError, match="takes NAME=FILE"):
        open_subject("backbone.pth", seed=0)
    with pytest.raises(BenchError, match="does not exist"):
        open_subject("a=nothing.pth", seed=0)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.raises(BenchError, match="not an exported backbone"):
        open_subject(f"a={tmp_path / 'weights.pth'}", seed=0)
    for file in (save_pretraining(SWIN), classifier_checkpoint):
        content = load_checkpoint(file)
        removed = next(key for key in content["state_dict"] if key.startswith("backbone."))
        del content["state_dict"][removed]
        torch.save(content, tmp_path / "broken.pth")
        with pytest.raises(BenchError, match=r"do(es)? not fit the config inside it"):
            open_subject(f"a={tmp_path / 'broken.pth'}", seed=0)
