"""The contract of ``simmim_bench.testing``, with what the adapters of the package also promise."""

import pytest
import torch

from simmim_bench.testing import AdapterContract
from simmim_bench.testing.pretraining import SIZE

__all__ = ["SIZE", "BackboneContract", "MaskedAtInput"]


class BackboneContract(AdapterContract):
    def stem(self, backbone):
        return backbone.patch_embed, "patch_embed."

    def hooks(self, backbone):
        """Where the mask token is put in."""
        return backbone.patch_embed._forward_hooks

    @pytest.fixture
    def model(self):
        return self.make_model()

    @pytest.fixture
    def images(self):
        return self.make_images()

    @pytest.fixture
    def mask(self, model):
        return self.make_mask(model)

    def test_one_hook_masks_and_says_what_does_not_fit(self, model, images, mask):
        before = len(self.hooks(model.backbone))
        with model.adapter.masked(mask, model.mask_token):
            assert len(self.hooks(model.backbone)) == before + 1
        with pytest.raises(ValueError, match="does not fit a batch of 2 images"):
            model.encode(images, mask[:, :-1])
        with pytest.raises(ValueError, match=r"mask is torch.int64, not torch.bool"):
            model.encode(images, mask.long())
        assert len(self.hooks(model.backbone)) == before


class MaskedAtInput(BackboneContract):
    def hooks(self, backbone):
        return backbone._forward_pre_hooks

    def test_the_token_is_the_colour_of_masked_pixels(self, model, images, mask):
        assert 0 < model.mask_token.abs().max() < 0.1  # nearly the mean colour
        painted = images.clone()
        size = model.adapter.token_size
        for index, row, column in mask.nonzero().tolist():
            rows, columns = slice(row * size, (row + 1) * size), slice(column * size, None)
            painted[index, :, rows, columns][..., :size] = model.mask_token.view(3, 1, 1)
        assert torch.equal(model.encode(images, mask), model.backbone(painted)[-1])

    def test_only_the_mask_token_is_named_as_without_decay(self, model):
        adapter, names = model.adapter, dict(model.backbone.named_parameters())
        for pretraining in (True, False):
            assert adapter.no_weight_decay("mask_token", pretraining=pretraining)
            assert not any(adapter.no_weight_decay(n, pretraining=pretraining) for n in names)
