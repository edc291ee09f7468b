"""What every backbone adapter promises; a new adapter inherits ``BackboneContract``."""

import copy
from abc import ABC, abstractmethod

import pytest
import torch

from simmim_bench.backbones import FeatureSpec, adapter_for
from simmim_bench.checkpoint.export import export_backbone
from simmim_bench.errors import BenchError
from simmim_bench.finetune.pretrained import load_pretrained
from simmim_bench.registry import MODELS

SIZE = (64, 96)


class BackboneContract(ABC):
    @abstractmethod
    def config(self):
        """Config of a small backbone for images of ``SIZE``."""

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
        hidden = torch.where(pixels.unsqueeze(1), prediction + 7, prediction)
        assert torch.equal(model.criterion(visible, images, pixels), loss)
        assert model.criterion(hidden, images, pixels) > loss + 1

    def test_gradients_reach_mask_token_backbone_and_decoder(self, model, images, mask):
        prediction = model.decoder(model.encode(images, mask))
        model.criterion(prediction, images, model.pixel_mask(mask)).backward()
        without = [name for name, value in model.named_parameters() if value.grad is None]
        assert without == []
        assert model.mask_token.grad.abs().sum() > 0
        stem = model.backbone.patch_embed.projection.weight
        assert stem.grad.abs().sum() > 0

    def test_the_mask_leaves_no_hook_behind(self, model, images, mask):
        before = len(model.backbone.patch_embed._forward_hooks)
        model.encode(images, mask)
        with pytest.raises(ValueError, match="does not fit a batch of 2 images"):
            model.encode(images, mask[:, :-1])
        assert len(model.backbone.patch_embed._forward_hooks) == before

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
        assert set(ids.values()) == set(range(adapter.num_layers))
        assert all(ids[name] == 0 for name in names if name.startswith("patch_embed"))

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


class TestSwin(BackboneContract):
    def config(self):
        return {
            "type": "mmpretrain.SwinTransformer",
            "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
            "img_size": SIZE,
            "window_size": 2,
            "drop_path_rate": 0.0,
        }

    @pytest.mark.parametrize("after_downsample", [False, True])
    def test_strides_of_every_level(self, images, after_downsample):
        config = {
            **self.config(),
            "out_indices": (0, 1, 2, 3),
            "out_after_downsample": after_downsample,
        }
        backbone = MODELS.build(config)
        spec = adapter_for(backbone).feature_spec
        for output, stride, channels in zip(
            backbone(images), spec.strides, spec.channels, strict=True
        ):
            assert output.shape[1:] == (channels, SIZE[0] // stride, SIZE[1] // stride)

    def test_linear_layers_and_bias_tables_have_a_deviation_of_002(self, model):
        drawn = {
            name: value
            for name, value in model.backbone.named_parameters()
            if value.ndim == 2 and "patch_embed" not in name
        }
        assert sum("relative_position_bias_table" in name for name in drawn) == 8
        values = torch.cat([value.flatten() for value in drawn.values()])
        assert values.std().item() == pytest.approx(0.02, rel=0.02)
        assert model.mask_token.std() > 0.005


class TestSwinThatPadsSmallMaps(TestSwin):
    def config(self):
        return {**super().config(), "window_size": 4, "pad_small_map": True}


class TestViT(BackboneContract):
    def config(self):
        return {
            "type": "mmpretrain.BEiTViT",
            "arch": {
                "embed_dims": 24,
                "num_layers": 2,
                "num_heads": 2,
                "feedforward_channels": 48,
            },
            "img_size": SIZE,
            "patch_size": 16,
            "out_type": "featmap",
            "final_norm": True,
            "use_rel_pos_bias": False,
            "use_shared_rel_pos_bias": True,
        }

    def test_projections_shrink_with_depth(self, model):
        bound = 0.02
        for depth, layer in enumerate(model.backbone.layers, start=1):
            for projection in (layer.attn.proj, layer.ffn.layers[1]):
                limit = bound / (2 * depth) ** 0.5
                assert 0.9 * limit < projection.weight.abs().max() <= limit * (1 + 1e-6)
            assert layer.attn.qkv.weight.abs().max() <= bound

    def test_a_backbone_without_feature_maps(self, images):
        config = {**self.config(), "out_type": "avg_featmap"}
        backbone = MODELS.build(config)
        with pytest.raises(ValueError, match="set out_type='featmap'"):
            adapter_for(backbone).last_feature_map(backbone(images))


class TestPlainViT(BackboneContract):
    def config(self):
        return {
            "type": "mmpretrain.VisionTransformer",
            "arch": {
                "embed_dims": 24,
                "num_layers": 2,
                "num_heads": 2,
                "feedforward_channels": 48,
            },
            "img_size": SIZE,
            "patch_size": 16,
            "out_type": "featmap",
        }


class TestSwinV2(BackboneContract):
    def config(self):
        return {
            "type": "mmpretrain.SwinTransformerV2",
            "arch": {
                "embed_dims": 8,
                "depths": [2, 2, 2, 2],
                "num_heads": [1, 2, 2, 4],
                "extra_norm_every_n_blocks": 0,
            },
            "img_size": SIZE,
            "window_size": 2,
            "drop_path_rate": 0.0,
        }

    def test_a_larger_window_must_say_that_of_pretraining(self, model, save_pretraining, tmp_path):
        checkpoint = save_pretraining(self.config(), state=model.state_dict())
        weights = export_backbone(checkpoint, tmp_path / "export").weights
        wider = {**self.config(), "window_size": [4, 4, 4, 2]}
        with pytest.raises(BenchError, match=r"set pretrained_window_sizes=\[2, 2, 2, 2\]"):
            load_pretrained(MODELS.build(wider), weights)
        told = MODELS.build({**wider, "pretrained_window_sizes": [2, 2, 2, 2]})
        report = load_pretrained(told, weights)
        assert report.resized == report.missing == report.unexpected == ()
        own = told.stages[0].blocks[0].attn.w_msa.relative_coords_table
        pretrained = model.backbone.stages[0].blocks[0].attn.w_msa.relative_coords_table
        assert torch.equal(own[:, 2:5, 2:5], pretrained)  # the same offsets, the same coordinates

    def test_blocks_start_as_the_identity(self, model, images):
        tokens, size = model.backbone.patch_embed(images)
        block = model.backbone.stages[0].blocks[1]
        assert torch.equal(block(tokens, size), tokens)


def test_an_unknown_backbone():
    with pytest.raises(BenchError, match="no adapter for backbone Linear; known backbones are: "):
        adapter_for(torch.nn.Linear(2, 2))
