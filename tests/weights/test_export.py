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
    with pytest.raises(BenchError, match="is not a checkpoint of a pretraining run"):
        export_backbone(path, tmp_path / "export")


def test_a_checkpoint_of_a_downstream_run(save_pretraining, tmp_path):
    checkpoint = save_pretraining(BACKBONE)
    content = torch.load(checkpoint, weights_only=False)
    content["meta"]["cfg"] = "protocol = dict(id='coco')\n"
    torch.save(content, checkpoint)
    with pytest.raises(BenchError, match="has no `pretraining`"):
        export_backbone(checkpoint, tmp_path / "export")
