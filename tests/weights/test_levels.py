"""What a recipe gets to know of exported weights."""

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.levels import read_backbone
from tests.weights.cards import reseal
from tests.weights.test_pretrained import SWIN


@pytest.fixture
def weights(save_pretraining, tmp_path):
    return export_backbone(save_pretraining(SWIN), tmp_path).weights


def test_levels_are_all_that_the_class_can_return_also_for_an_earlier_card(weights):
    found = read_backbone(weights)
    width, stages = SWIN["arch"]["embed_dims"], len(SWIN["arch"]["depths"])
    assert found["levels"] == {
        "strides": [4 * 2**stage for stage in range(stages)],
        "channels": [width * 2**stage for stage in range(stages)],
    }
    reseal(weights, change_card=lambda card: card.pop("levels"))
    assert read_backbone(weights)["levels"] == found["levels"]


def test_a_card_that_names_anything_but_a_registered_class_is_refused(weights):
    reseal(weights, change_card=lambda card: card["backbone_config"].update(type="os.system"))
    with pytest.raises(BenchError, match=r"'os.system', which is refused"):
        read_backbone(weights)
