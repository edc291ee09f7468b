"""What every backbone adapter promises; the test of a new adapter inherits it."""

import copy
from abc import ABC, abstractmethod

import pytest
import torch

from simmim_bench.backbones import FeatureSpec
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SIZE = (64, 96)


class BackboneContract(ABC):
    adapter: str  # the name of the adapter that must serve the backbone

    @abstractmethod
    def config(self):
        """Config of a small backbone for images of ``SIZE``."""

    def stem(self, backbone):
        """First module with weights, and the start of its parameters' names."""
        return backbone.patch_embed, "patch_embed."

    def hooks(self, backbone):
        """Where the mask token is put in."""
        return backbone.patch_embed._forward_hooks

    ends_with_blocks = False  # no parameter of the backbone comes after the last block

    @pytest.fixture
    def model(self):
        torch.manual_seed(0)
        model = MODELS.build(
            {
                "type": "simmim_bench.SimMIM",
                "backbone": self.config(),
                "decoder": {"type": "simmim_bench.LinearDecoder"},
                "loss": {"type": "simmim_bench.MaskedL1Loss"},
            }
        )
        model.init_weights()
        model.eval()
        return model

    @pytest.fixture
    def images(self):
        return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))

    @pytest.fixture
    def mask(self, model):
        """Left half masked in the first image, top half in the second."""
        size = model.adapter.token_size
        mask = torch.zeros(2, SIZE[0] // size, SIZE[1] // size, dtype=torch.bool)
        mask[0, :, : mask.shape[2] // 2] = True
        mask[1, : mask.shape[1] // 2] = True
        return mask

    def test_the_adapter(self, model):
        assert model.adapter.name == self.adapter

    def test_an_all_visible_mask_gives_the_bare_backbone_to_the_bit(self, model, images, mask):
        visible = model.encode(images, torch.zeros_like(mask))
        assert torch.equal(visible, model.backbone(images)[-1])
        assert not torch.equal(visible, model.encode(images, mask))

    def test_masked_pixels_do_not_reach_the_features(self, model, images, mask):
        hidden = model.pixel_mask(mask).unsqueeze(1)
        other = torch.where(hidden, torch.randn_like(images), images)
        assert torch.equal(model.encode(images, mask), model.encode(other, mask))
        seen = torch.where(hidden, images, images + 1)
        assert not torch.equal(model.encode(images, mask), model.encode(seen, mask))

    def test_visible_pixels_do_not_enter_the_loss(self, model, images, mask):
        pixels = model.pixel_mask(mask)
        prediction = model.decoder(model.encode(images, mask))
        loss = model.criterion(prediction, images, pixels)
        visible = torch.where(pixels.unsqueeze(1), prediction, prediction + 7)
        farther = prediction + 7 * torch.sign(prediction - images)
        hidden = torch.where(pixels.unsqueeze(1), farther, prediction)
        assert torch.equal(model.criterion(visible, images, pixels), loss)
        assert model.criterion(hidden, images, pixels).item() == pytest.approx(loss.item() + 7)

    def test_gradients_reach_mask_token_backbone_and_decoder(self, model, images, mask):
        prediction = model.decoder(model.encode(images, mask))
        model.criterion(prediction, images, model.pixel_mask(mask)).backward()
        without = [name for name, value in model.named_parameters() if value.grad is None]
        assert without == []
        assert model.mask_token.grad.abs().sum() > 0
        stem, _ = self.stem(model.backbone)
        weight = next(p for p in stem.parameters() if p.ndim > 1)
        assert weight.grad.abs().sum() > 0

    def test_the_mask_leaves_no_hook_behind(self, model, images, mask):
        before = len(self.hooks(model.backbone))
        with model.adapter.masked(mask, model.mask_token):
            assert len(self.hooks(model.backbone)) == before + 1
        model.encode(images, mask)
        with pytest.raises(ValueError, match="does not fit a batch of 2 images"):
            model.encode(images, mask[:, :-1])
        assert len(self.hooks(model.backbone)) == before

    def test_a_mask_that_is_not_bool(self, model, images, mask):
        with pytest.raises(ValueError, match=r"mask is torch.int64, not torch.bool"):
            model.encode(images, mask.long())

    def test_the_feature_spec_states_what_comes_out(self, model, images):
        spec = model.adapter.feature_spec
        assert isinstance(spec, FeatureSpec)
        outputs = model.backbone(images)
        assert len(outputs) == len(spec.strides) == len(spec.channels)
        for output, stride, channels in zip(outputs, spec.strides, spec.channels, strict=True):
            assert output.shape == (2, channels, SIZE[0] // stride, SIZE[1] // stride)

    def test_a_copied_model_masks_its_own_backbone(self, model, images, mask):
        copied = copy.deepcopy(model)
        assert copied.adapter.backbone is copied.backbone
        assert torch.equal(copied.encode(images, mask), model.encode(images, mask))

    def test_layers_are_numbered_from_stem_to_end(self, model):
        adapter = model.adapter
        names = [name for name, _ in model.backbone.named_parameters()]
        ids = {name: adapter.layer_id(name) for name in names}
        assert set(ids.values()) == set(range(adapter.num_layers - self.ends_with_blocks))
        _, stem = self.stem(model.backbone)
        at_stem = [name for name in names if name.startswith(stem)]
        assert at_stem
        assert all(ids[name] == 0 for name in at_stem)

    def test_weights_survive_export_and_loading(self, model, save_pretraining, tmp_path, images):
        checkpoint = save_pretraining(self.config(), state=model.state_dict())
        files = export_backbone(checkpoint, tmp_path / "export")
        fresh = MODELS.build(self.config())
        fresh.eval()
        report = load_pretrained(fresh, files.weights)
        loaded = fresh.state_dict()
        assert all(torch.equal(loaded[k], v) for k, v in model.backbone.state_dict().items())
        assert torch.equal(fresh(images)[-1], model.backbone(images)[-1])
        assert (report.missing, report.unexpected, report.resized) == ((), (), ())
        assert len(report.matched) + len(report.recomputed) == len(loaded)

    def test_initial_weights_are_drawn_again_from_the_seed(self, model):
        def weights(seed):
            torch.manual_seed(seed)
            model.adapter.init_weights(pretraining=True)
            return torch.cat([value.flatten() for value in model.backbone.parameters()])

        first, again, other = weights(0), weights(0), weights(1)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        linear = [m for m in model.backbone.modules() if isinstance(m, torch.nn.Linear)]
        assert all(m.bias is None or not m.bias.any() for m in linear)


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
