"""A card and its weights are sealed together: what one of them says cannot be changed alone."""

import json

import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.registry import MODELS
from simmim_bench.weights.card import is_sealed, read_card
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.seal import SEAL, seal_of
from tests.weights.cards import unseal
from tests.weights.test_pretrained import SWIN

CHANGES = {
    "method": "mae",
    "kind": "full",
    "pretraining.method": "mae",
    "pretraining.epochs": 800,
    "pretraining.dataset": "ImageNet-1k",
    "pretraining.seed": 9,
    "epochs_planned": 800,
    "architecture.embed_dims": 16,
    "sizes.window_size": 7,
    "backbone_config.img_size": 32,
    "parameters": 1,
    "source.sha256": "0" * 64,
}


@pytest.fixture(params=["exported", "converted"])
def weights(request, save_pretraining, tmp_path):
    """An export, and a conversion of the same checkpoint, of a smoke run."""
    checkpoint = save_pretraining(SWIN, kind="smoke")
    if request.param == "exported":
        return export_backbone(checkpoint, tmp_path / "out").weights
    convert_file(source=str(checkpoint), destination=tmp_path / "out", method="simmim")
    return tmp_path / "out" / "backbone.pth"


def edit(weights, change, *, reseal=False):
    path = weights.with_suffix(".json")
    card = json.loads(path.read_text())
    change(card)
    if reseal:
        card[SEAL] = seal_of(card)
    atomic_write_json(path, card)


def set_field(name, value):
    def change(card):
        *parents, key = name.split(".")
        for parent in parents:
            card = card[parent]
        card[key] = value

    return change


@pytest.mark.parametrize("reseal", [False, True], ids=["edited", "edited and hashed again"])
def test_a_changed_field_is_refused_by_its_name(weights, reseal):
    original = weights.with_suffix(".json").read_bytes()
    for name, value in CHANGES.items():
        weights.with_suffix(".json").write_bytes(original)
        edit(weights, set_field(name, value), reseal=reseal)
        sentence = rf"^{name} in \S+backbone\.json is .*the card was changed after the export"
        with pytest.raises(BenchError, match=sentence):
            read_card(weights)
        with pytest.raises(BenchError, match=sentence):
            load_pretrained(MODELS.build(SWIN), weights)


def test_an_added_or_removed_field_is_refused(weights):
    edit(weights, lambda card: card["pretraining"].update(initial="supervised"), reseal=True)
    with pytest.raises(BenchError, match=r"^pretraining\.initial in \S+ is 'supervised', but"):
        read_card(weights)
    edit(weights, lambda card: card["pretraining"].pop("initial"), reseal=True)
    assert is_sealed(read_card(weights))
    edit(weights, lambda card: card["pretraining"].pop("image_size"), reseal=True)
    with pytest.raises(BenchError, match=r"^pretraining\.image_size is missing in \S+, but"):
        read_card(weights)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("kind", "ful", "kind is 'ful'"),
        ("data", {"name": "a"}, r"data\.sha256 is missing"),
        ("precision", "int8", "precision is 'int8'"),
    ],
)
def test_facts_that_a_manifest_would_refuse_after_training(weights, field, value, said):
    unseal(weights)
    edit(weights, set_field(field, value))
    with pytest.raises(BenchError, match=rf"backbone\.json: {said}.*; export the backbone again"):
        read_card(weights)


def test_a_removed_seal_is_noticed(weights):
    edit(weights, lambda card: card.pop(SEAL))
    with pytest.raises(BenchError, match="it has no seal, but its weights do"):
        read_card(weights)


def test_a_changed_seal_or_hash_is_noticed(weights):
    edit(weights, lambda card: card.update(sha256="0" * 64))
    with pytest.raises(BenchError, match="its seal does not match its content"):
        read_card(weights)
    edit(weights, lambda card: card.update(sha256="1" * 64), reseal=True)
    with pytest.raises(BenchError, match="the weights were changed after the export"):
        load_pretrained(MODELS.build(SWIN), weights)


def test_the_weights_of_another_card(weights):
    torch.save(dict(torch.load(weights, weights_only=True)), weights)
    with pytest.raises(BenchError, match=r"is not the file that backbone\.json was written with"):
        read_card(weights)


def test_a_card_of_before_still_loads_and_the_log_says_so(weights):
    report = load_pretrained(MODELS.build(SWIN), weights)
    assert report.sealed
    assert "not sealed" not in report.summary()
    unseal(weights)
    card = read_card(weights)
    assert not is_sealed(card)
    report = load_pretrained(MODELS.build(SWIN), weights)
    assert not report.sealed
    assert report.summary().count("its card is not sealed") == 1


def test_the_weights_are_a_plain_state_dict_for_everybody_else(weights):
    state = torch.load(weights, weights_only=True)
    backbone = MODELS.build(SWIN)
    backbone.load_state_dict(state, strict=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())


def test_the_same_facts_give_the_same_bytes(save_pretraining, tmp_path):
    checkpoint = save_pretraining(SWIN)
    first, again = (export_backbone(checkpoint, tmp_path / name).weights for name in "ab")
    assert sha256_file(first) == sha256_file(again)
