"""Change an export as somebody would who also computes all hashes again."""

import json

import torch

from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.weights.card import save_backbone
from simmim_bench.weights.seal import SEAL, facts_of


def reseal(weights, change_state=None, change_card=None):
    """Change the weights and the card in place, and seal them again."""
    state = torch.load(weights, weights_only=True)
    card = facts_of(json.loads(weights.with_suffix(".json").read_text()))
    for change, target in ((change_state, state), (change_card, card)):
        if change:
            change(target)
    save_backbone(state, card, weights)
    return weights


def unseal(weights):
    """Make the export one of a version before seals."""
    path = weights.with_suffix(".json")
    card = json.loads(path.read_text())
    state = dict(torch.load(weights, weights_only=True))
    torch.save(state, weights)
    del card[SEAL]
    atomic_write_json(path, {**card, "sha256": sha256_file(weights)})
    return weights
