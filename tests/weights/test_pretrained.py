import json
import re
import shutil

import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.registry import MODELS
from simmim_bench.weights.card import CARD_KEYS, read_card
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.weights.cards import reseal

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 4,
    "pad_small_map": True,
    "drop_path_rate": 0.0,
}
VIT = {
    "type": "mmpretrain.BEiTViT",
    "arch": {"embed_dims": 24, "num_layers": 2, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 64,
    "patch_size": 16,
    "out_type": "featmap",
    "final_norm": True,
    "use_rel_pos_bias": False,
    "use_shared_rel_pos_bias": True,
}
EXPECTED = {str: "a string", dict: "an object"}


@pytest.fixture
def exported(save_pretraining, tmp_path):
    return export_backbone(save_pretraining(SWIN), tmp_path / "export").weights


@pytest.fixture
def edit(exported):
    """Function that changes the exported weights and seals them again."""
    return lambda change_state: reseal(exported, change_state)


def untouched_by_a_refusal(path, sentence, config=SWIN):
    backbone = MODELS.build(config)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(BenchError, match=sentence):
        load_pretrained(backbone, path)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_dense_tasks_add_output_norms_only(exported):
    backbone = MODELS.build({**SWIN, "out_indices": (0, 1, 2, 3)})
    report = load_pretrained(backbone, exported)
    assert report.missing == tuple(
        f"norm{i}.{part}" for i in range(3) for part in ("weight", "bias")
    )
    weights = torch.load(exported, weights_only=True)
    assert all(torch.equal(backbone.state_dict()[key], value) for key, value in weights.items())


def test_a_larger_window(exported):
    backbone = MODELS.build({**SWIN, "img_size": 224, "window_size": 7, "pad_small_map": False})
    report = load_pretrained(backbone, exported)
    assert len(report.resized) == 8
    assert {(item.old[0], item.new[0]) for item in report.resized} == {(49, 169)}
    attention = backbone.stages[0].blocks[1].attn.w_msa
    assert attention.relative_position_index.max() == 168
    assert attention.relative_position_bias_table.std() > 0.005
    assert torch.isfinite(backbone(torch.randn(1, 3, 224, 224))[-1]).all()


def test_the_report_goes_into_a_manifest_and_a_log(exported):
    backbone = MODELS.build({**SWIN, "window_size": 7, "out_indices": (0, 1, 2, 3)})
    report = load_pretrained(backbone, exported)
    as_json = json.loads(json.dumps(report.to_dict()))
    assert as_json["sha256"] == sha256_file(exported)
    assert as_json["resized"][0]["from"] == [49, 1]
    assert as_json["resized"][0]["to"] == [169, 1]
    assert as_json["recomputed"] == 8
    assert as_json["matched"] + len(as_json["missing"]) + 8 == len(backbone.state_dict())
    assert "tensors matched; 8 resized" in report.summary()
    assert "\n" not in report.summary()


def test_vit_on_another_image_with_a_table_per_block(save_pretraining, tmp_path):
    files = export_backbone(save_pretraining(VIT), tmp_path / "export")
    config = {
        **VIT,
        "img_size": (96, 64),
        "final_norm": False,
        "use_rel_pos_bias": True,
        "use_shared_rel_pos_bias": False,
    }
    backbone = MODELS.build(config)
    report = load_pretrained(backbone, files.weights)
    assert report.unexpected == ("ln1.weight", "ln1.bias")
    assert [item.key for item in report.resized] == [
        f"layers.{i}.attn.relative_position_bias_table" for i in range(2)
    ]
    assert backbone(torch.randn(1, 3, 96, 64))[-1].shape == (1, 24, 6, 4)


def test_one_wrong_key_stops_the_load(edit):
    path = edit(lambda state: state.update(norm9=state.pop("norm3.weight")))
    untouched_by_a_refusal(path, r"1 of \d+ keys missing \(norm3\.weight\), 1 unexpected \(norm9\)")


def test_one_key_too_many(edit):
    path = edit(lambda state: state.update({"stages.0.extra": torch.zeros(1)}))
    untouched_by_a_refusal(path, r"0 of \d+ keys missing, 1 unexpected \(stages\.0\.extra\)")


def test_the_allowed_norm_is_not_the_norm_of_a_block(save_pretraining, tmp_path):
    """Classification may lack ``ln2``, the norm after pooling, but no ``layers.N.ln2``."""
    weights = export_backbone(save_pretraining(VIT), tmp_path / "export").weights
    reseal(weights, lambda state: state.pop("layers.0.ln2.bias"))
    config = {**VIT, "out_type": "avg_featmap", "final_norm": False}
    untouched_by_a_refusal(weights, r"1 of \d+ keys missing \(layers\.0\.ln2\.bias\)", config)


def test_renamed_keys(edit):
    def rename(state):
        for key in list(state):
            state[f"encoder.{key}"] = state.pop(key)

    untouched_by_a_refusal(edit(rename), r"keys missing \(patch_embed.*, \.\.\.\), \d+ unexpected")


def test_renamed_keys_are_named_before_the_changed_hash(exported):
    state = torch.load(exported, weights_only=True)
    state["encoder.norm3.weight"] = state.pop("norm3.weight")
    torch.save(state, exported)
    untouched_by_a_refusal(
        exported, r"norm3\.weight was renamed to encoder\.norm3\.weight; export it"
    )


def test_a_missing_output_norm_of_the_last_stage_is_not_allowed(edit):
    path = edit(lambda state: state.pop("norm3.bias"))
    untouched_by_a_refusal(
        path, r"1 of \d+ keys missing \(norm3\.bias\)", {**SWIN, "out_indices": (0, 3)}
    )


def test_another_width(exported):
    config = {**SWIN, "arch": {**SWIN["arch"], "embed_dims": 16}}
    untouched_by_a_refusal(
        exported, "is swin with embed_dims 8, the config's backbone has embed_dims 16", config
    )


def test_another_kind_of_backbone(exported):
    untouched_by_a_refusal(exported, "is a swin backbone, the config's backbone is vit", VIT)


def test_weights_that_are_not_finite(edit):
    path = edit(lambda state: state["norm3.weight"].fill_(float("inf")))
    untouched_by_a_refusal(path, r"holds NaN or infinity in 1 of \d+ tensors, .*norm3\.weight")


def test_one_tensor_of_another_shape(edit):
    path = edit(lambda state: state.update({"norm3.weight": torch.zeros(5)}))
    untouched_by_a_refusal(path, r"norm3\.weight: \(5,\), expected \(64,\)")


def test_a_truncated_file(exported):
    exported.write_bytes(exported.read_bytes()[:10_000])
    untouched_by_a_refusal(exported, r"is truncated or damaged \(10000 bytes\)")


def test_weights_changed_after_the_export(exported):
    state = torch.load(exported, weights_only=True)
    state["norm3.weight"] += 1
    torch.save(state, exported)
    untouched_by_a_refusal(exported, "the weights were changed after the export")


def test_a_pretraining_checkpoint_must_be_exported_first(save_pretraining):
    untouched_by_a_refusal(save_pretraining(SWIN), r"is a whole checkpoint.*`simmim-bench export")


def test_a_state_dict_with_a_prefix(exported):
    state = torch.load(exported, weights_only=True)
    torch.save({f"backbone.{key}": value for key, value in state.items()}, exported)
    untouched_by_a_refusal(exported, "has keys that start with 'backbone.'")


def test_weights_without_their_card(exported, tmp_path):
    alone = shutil.copy(exported, tmp_path / "alone.pth")
    untouched_by_a_refusal(alone, r"alone\.pth has no alone\.json beside it")


def test_a_card_of_another_format(exported):
    exported.with_suffix(".json").write_text('{"format": "other"}')
    untouched_by_a_refusal(exported, "export the backbone again")
    exported.with_suffix(".json").write_text("{")
    untouched_by_a_refusal(exported, "is not valid JSON")


def test_a_card_without_a_size(save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(VIT), tmp_path / "export").weights
    reseal(weights, change_card=lambda card: card["sizes"].pop("token_grid"))
    sentence = r"^sizes\.token_grid in \S+backbone\.json is missing; export the backbone again$"
    untouched_by_a_refusal(weights, sentence, VIT)


def test_a_card_without_a_key(exported):
    path = exported.with_suffix(".json")
    card = path.read_text()
    for name, kind in CARD_KEYS.items():
        for value, problem in ((None, "is missing"), (3, f"must be {EXPECTED[kind]}, got 3")):
            *parents, key = name.split(".")
            edited = json.loads(card)
            owner = edited[parents[0]] if parents else edited
            owner.pop(key)
            if value:
                owner[key] = value
            atomic_write_json(path, edited)
            sentence = f"^{re.escape(f'{name} in {path} {problem}')}; export the backbone again$"
            with pytest.raises(BenchError, match=sentence):
                read_card(exported)
    untouched_by_a_refusal(exported, "sha256 in ")
