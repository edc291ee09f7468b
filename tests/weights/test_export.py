import json

import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.weights.card import read_card
from simmim_bench.weights.export import export_backbone

BACKBONE = {
    "type": "SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
    "_scope_": "mmpretrain",
}


def test_weights_and_card(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE, seed=5)
    files = export_backbone(checkpoint, tmp_path / "export")
    weights = torch.load(files.weights, weights_only=True)
    source = torch.load(checkpoint, weights_only=False)["state_dict"]
    assert set(weights) == {key[9:] for key in source if key.startswith("backbone.")}
    assert all(torch.equal(value, source[f"backbone.{key}"]) for key, value in weights.items())
    card = json.loads(files.card.read_text())
    assert card["adapter"] == "swin"
    assert card["architecture"]["depths"] == [2, 2, 2, 2]
    assert card["sizes"] == {"image_size": [64, 64], "token_grid": [16, 16], "window_size": 2}
    assert card["method"] == "simmim"
    assert card["pretraining"]["epochs"] == 2
    assert card["pretraining"]["seed"] == 5
    assert card["keys"] == {key: list(value.shape) for key, value in weights.items()}
    assert card["sha256"] == sha256_file(files.weights)
    assert card["source"] == {"file": "epoch_2.pth", "sha256": sha256_file(checkpoint)}
    assert sorted(path.name for path in files.weights.parent.iterdir()) == [
        "backbone.json",
        "backbone.pth",
    ]


def test_the_same_checkpoint_gives_the_same_bytes(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE)
    first, again = (export_backbone(checkpoint, tmp_path / name) for name in "ab")
    assert sha256_file(first.weights) == sha256_file(again.weights)


def test_an_unfinished_run_says_what_was_done(save_pretraining, tmp_path):
    files = export_backbone(save_pretraining(BACKBONE, epochs=100), tmp_path / "export")
    card = read_card(files.weights)
    assert (card["pretraining"]["epochs"], card["epochs_planned"]) == (2, 100)


def test_weights_that_are_not_finite(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE)
    content = torch.load(checkpoint, weights_only=False)
    content["state_dict"]["backbone.norm3.bias"][0] = float("nan")
    torch.save(content, checkpoint)
    with pytest.raises(BenchError, match=r"NaN or infinity in 1 of \d+ tensors, the first is norm"):
        export_backbone(checkpoint, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_key_that_the_config_inside_does_not_have(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE)
    content = torch.load(checkpoint, weights_only=False)
    content["state_dict"]["backbone.norm9.bias"] = content["state_dict"].pop("backbone.norm3.bias")
    torch.save(content, checkpoint)
    with pytest.raises(BenchError, match="do not fit the config inside it"):
        export_backbone(checkpoint, tmp_path / "export")


@pytest.mark.parametrize(
    "content",
    [
        {"weight": torch.zeros(1)},
        {"state_dict": {"head.weight": torch.zeros(1)}, "meta": {"cfg": "a = 1"}},
        {"state_dict": {"backbone.weight": torch.zeros(1)}},
    ],
)
def test_a_file_that_is_no_pretraining_checkpoint(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(BenchError, match="is not a checkpoint of a training run"):
        export_backbone(path, tmp_path / "export")


def downstream(checkpoint, model="ImageClassifier", **run):
    """The checkpoint as that of a fine-tuning."""
    content = torch.load(checkpoint, weights_only=False)
    text = content["meta"]["cfg"].replace("pretraining = dict(", "other = dict(")
    content["meta"]["cfg"] = (
        f"{text}\nmodel = dict(type={model!r}, backbone=dict({BACKBONE!r}))\n"
        "backbone_name = 'swin-toy'\n"
        "protocol = dict(dataset='toy labels', image_size=64, epochs=2)\n"
    )
    content["simmim_bench"]["run"].update(run)
    torch.save(content, checkpoint)
    return checkpoint


def test_a_backbone_that_a_task_trained_names_what_it_started_from(save_pretraining, tmp_path):
    run = {"start": "simmim toy images", "backbone": "0" * 64}
    checkpoint = downstream(save_pretraining(BACKBONE, seed=5), **run)
    card = read_card(export_backbone(checkpoint, tmp_path / "export").weights)
    assert card["pretraining"] == {
        "method": "supervised",
        "backbone": "swin-toy",
        "dataset": "toy labels",
        "epochs": 2,
        "image_size": 64,
        "seed": 5,
        "initial": "simmim toy images",
        "initial_sha256": "0" * 64,
    }
    assert (card["method"], card["epochs_planned"]) == ("supervised", 2)


def test_a_task_from_scratch_makes_a_supervised_backbone(save_pretraining, tmp_path):
    checkpoint = downstream(save_pretraining(BACKBONE), start=None, backbone=None)
    card = read_card(export_backbone(checkpoint, tmp_path / "export").weights)
    assert card["method"] == "supervised"
    assert "initial" not in card["pretraining"]


@pytest.mark.parametrize(
    ("model", "run", "said"),
    [
        ("simmim_bench.LinearProbe", {}, "trains no backbone .*export the weights that it started"),
        ("ImageClassifier", {"backbone": "0" * 64}, "does not say from which weights"),
    ],
)
def test_a_task_whose_backbone_cannot_be_exported(save_pretraining, tmp_path, model, run, said):
    checkpoint = downstream(save_pretraining(BACKBONE), model, **run)
    with pytest.raises(BenchError, match=said):
        export_backbone(checkpoint, tmp_path / "export")


def test_a_config_without_a_stage(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE)
    content = torch.load(checkpoint, weights_only=False)
    content["meta"]["cfg"] = "optimizer = dict(lr=1.0)\n"
    torch.save(content, checkpoint)
    with pytest.raises(BenchError, match="has neither `pretraining` nor `protocol`"):
        export_backbone(checkpoint, tmp_path / "export")
