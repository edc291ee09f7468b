"""Names and shapes of the layers that are compared."""

import pytest
import torch

from simmim_bench.analysis.representation.layers import as_map, blocks_of, watched
from simmim_bench.backbones.outputs import extra_tokens, pooled
from tests.analysis.representation.conftest import BEIT, RESNET, SWIN, SWIN_V2, VIT, build

CONVNEXT = {
    "type": "mmpretrain.ConvNeXt",
    "arch": {"depths": [1, 1, 2, 1], "channels": [8, 8, 8, 8]},
    "gap_before_final_norm": False,
}
CNN = {"type": "simmim_bench.PlainCNN", "channels": [8, 8, 8, 8], "depths": [1, 2, 1, 1]}
TWO_EACH = [f"{stage}.{block}" for stage in (1, 2, 3, 4) for block in (1, 2)]


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (SWIN, TWO_EACH),
        (SWIN_V2, TWO_EACH),
        (RESNET, TWO_EACH),
        (CONVNEXT, ["1.1", "2.1", "3.1", "3.2", "4.1"]),
        (CNN, ["1.1", "2.1", "2.2", "3.1", "4.1"]),
        (BEIT, ["1", "2", "3"]),
        (VIT, ["1", "2", "3"]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
@torch.no_grad()
def test_every_block_and_the_output(config, names, batch):
    backbone = build(config)
    assert list(blocks_of(backbone)) == names
    with watched(backbone) as outputs:
        returned = backbone(batch)[-1]
    assert list(outputs) == [*names, "output"]
    assert outputs["output"] is returned
    for output in outputs.values():
        channels = output.shape[1 if output.ndim == 4 else 2]
        assert pooled(output, extra=extra_tokens(backbone)).shape == (2, channels)
    assert not backbone._forward_hooks


@torch.no_grad()
def test_a_block_without_its_class_token_is_the_map(batch):
    backbone = build(BEIT, final_norm=False)
    with watched(backbone) as outputs:
        [returned] = backbone(batch)
    assert torch.equal(as_map(outputs["3"], extra=1, size=(64, 64)), returned)
    mean = pooled(outputs["3"], extra=1)
    torch.testing.assert_close(mean, returned.mean(dim=(2, 3)))


def test_maps_of_images_that_are_not_square():
    tokens = torch.arange(2 * 8, dtype=torch.float32).view(1, 8, 2)
    found = as_map(tokens, extra=0, size=(32, 64))
    assert found.shape == (1, 2, 2, 4)
    assert found[0, 0, 1, 0] == tokens[0, 4, 0]
    with pytest.raises(ValueError, match="choose a block"):
        as_map(torch.zeros(2, 3), extra=0, size=(64, 64))
