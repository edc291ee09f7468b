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


class TestSwin(BackboneContract):
    adapter = "swin"

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
    adapter = "vit"

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
    adapter = "plain_vit"

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
    adapter = "swinv2"

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


class TestWindowedViT(TestViT):
    def config(self):
        return {
            **super().config(),
            "type": "simmim_bench.WindowedBEiTViT",
            "use_rel_pos_bias": True,
            "use_shared_rel_pos_bias": False,
            "window_size": 2,
            "global_blocks": [1],
        }


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


class TestResNet(MaskedAtInput):
    adapter = "resnet"
    ends_with_blocks = True

    def config(self):
        return {
            "type": "mmpretrain.ResNet",
            "depth": 18,
            "stem_channels": 8,
            "base_channels": 8,
        }

    def stem(self, backbone):
        return backbone.conv1, "conv1."

    def test_a_shortcut_goes_with_its_block(self, model):
        assert model.adapter.num_layers == 1 + 8 + 1
        assert model.adapter.layer_id("bn1.weight") == 0
        assert model.adapter.layer_id("layer2.0.downsample.0.weight") == 3
        assert model.adapter.layer_id("layer4.1.conv2.weight") == 8

    def test_blocks_start_as_their_shortcut(self, model):
        model.adapter.init_weights(pretraining=True)
        block = model.backbone.layer1[1]
        tokens = torch.rand(2, 8, 8, 8)
        assert torch.equal(block(tokens), tokens)
        std = model.backbone.layer4[1].conv2.weight.std().item()
        assert std == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


class TestBottleneckResNetOfAllLevels(TestResNet):
    def config(self):
        return {
            "type": "mmpretrain.ResNetV1d",
            "depth": 50,
            "stem_channels": 8,
            "base_channels": 8,
            "out_indices": (0, 1, 2, 3),
            "zero_init_residual": False,
        }

    def stem(self, backbone):
        return backbone.stem, "stem."

    def test_a_shortcut_goes_with_its_block(self, model):
        assert model.adapter.num_layers == 1 + 3 + 4 + 6 + 3 + 1
        assert model.adapter.layer_id("layer2.0.downsample.1.weight") == 4

    def test_blocks_start_as_their_shortcut(self, model):
        """Not with ``zero_init_residual=False``."""
        assert model.backbone.layer1[1].norm3.weight.min() == 1


class TestConvNeXt(MaskedAtInput):
    adapter = "convnext"

    def config(self):
        return {
            "type": "mmpretrain.ConvNeXt",
            "arch": {"depths": [1, 1, 9, 1], "channels": [8, 8, 16, 24]},
            "gap_before_final_norm": False,
        }

    def stem(self, backbone):
        return backbone.downsample_layers[0], "downsample_layers.0."

    @pytest.mark.parametrize(
        ("name", "level"),  # get_num_layer_for_convnext: [3, 3, 27, 3] blocks in 12 groups
        [
            ("downsample_layers.1.0.weight", 2),
            ("stages.1.2.gamma", 2),
            ("downsample_layers.2.1.weight", 3),
            ("stages.2.0.norm.weight", 3),
            ("stages.2.26.norm.weight", 11),
            ("downsample_layers.3.0.bias", 12),
            ("stages.3.0.gamma", 12),
            ("norm3.weight", 13),
        ],
    )
    def test_levels_of_a_deep_one_are_the_original_s(self, name, level):
        arch = {"depths": [3, 3, 27, 3], "channels": [4, 4, 4, 4]}
        adapter = adapter_for(MODELS.build({**self.config(), "arch": arch}))
        assert (adapter.layer_id(name), adapter.num_layers) == (level, 14)

    def test_a_backbone_without_feature_maps(self, images):
        backbone = MODELS.build({**self.config(), "gap_before_final_norm": True})
        with pytest.raises(ValueError, match="set gap_before_final_norm=False"):
            adapter_for(backbone).last_feature_map(backbone(images))

    def test_convolutions_have_a_deviation_of_002(self, model):
        weights = [m.weight for m in model.backbone.modules() if isinstance(m, torch.nn.Conv2d)]
        values = torch.cat([weight.flatten() for weight in weights])
        assert values.std().item() == pytest.approx(0.02, rel=0.05)

    def test_dense_tasks_add_norms_and_nothing_else(self, model, save_pretraining, tmp_path):
        checkpoint = save_pretraining(self.config(), state=model.state_dict())
        weights = export_backbone(checkpoint, tmp_path / "export").weights
        report = load_pretrained(
            MODELS.build({**self.config(), "out_indices": [0, 1, 2, 3]}), weights
        )
        assert set(report.missing) == {f"norm{i}.{p}" for i in range(3) for p in ("weight", "bias")}
        other = {**self.config(), "use_grn": True, "layer_scale_init_value": 0.0}
        with pytest.raises(BenchError, match="layer_scale True, grn False, the config's backbone"):
            load_pretrained(MODELS.build(other), weights)


class TestTimmConvolutions(MaskedAtInput):
    adapter = "timm"
    ends_with_blocks = True

    def config(self):
        return {"type": "simmim_bench.TimmFeatures", "model_name": "test_resnet"}

    def stem(self, backbone):
        return backbone.timm_model.model.conv1, "timm_model.model.conv1."

    def test_keys_are_timms_own(self, model):
        import timm

        own = {key.removeprefix("timm_model.model.") for key in model.backbone.state_dict()}
        theirs = set(timm.create_model("test_resnet").state_dict())
        assert theirs - own == {"fc.weight", "fc.bias"}
        assert own <= theirs

    def test_levels_are_those_of_timms_optimiser(self, model):
        import timm
        from timm.optim import param_groups_layer_decay

        full = timm.create_model(self.config()["model_name"], **self.options())
        full.norm = torch.nn.Identity()  # the getter leaves it out; timm gives it a level
        names = {id(value): name for name, value in full.named_parameters()}
        decay = 0.5
        theirs = {
            names[id(value)]: group["lr_scale"]
            for group in param_groups_layer_decay(full, layer_decay=decay)
            for value in group["params"]
        }
        adapter = model.adapter
        for name, _ in model.backbone.named_parameters():
            scale = decay ** (adapter.num_layers - 1 - adapter.layer_id(name))
            assert scale == theirs[name.removeprefix("timm_model.model.")], name

    def options(self):
        kept = ("type", "model_name", "out_indices")
        return {name: value for name, value in self.config().items() if name not in kept}


class TestTimmChannelsLast(TestTimmConvolutions):
    """Swin, whose maps are (B, h, w, C) in timm."""

    def config(self):
        return {
            "type": "simmim_bench.TimmFeatures",
            "model_name": "swin_tiny_patch4_window7_224",
            "out_indices": (0, 1, 2, 3),
            "img_size": SIZE,
            "window_size": 2,
            "embed_dim": 8,
            "depths": (1, 1, 1, 1),
            "num_heads": (1, 1, 2, 2),
        }

    def stem(self, backbone):
        return backbone.timm_model.model.patch_embed, "timm_model.model.patch_embed."

    def test_keys_are_timms_own(self, model):
        stem = model.backbone.state_dict()["timm_model.model.patch_embed.proj.weight"]
        assert stem.shape == (8, 3, 4, 4)

    def test_only_the_mask_token_is_named_as_without_decay(self, model):
        """And what timm names: position biases."""
        adapter, names = model.adapter, dict(model.backbone.named_parameters())
        exempt = {n for n in names if adapter.no_weight_decay(n, pretraining=True)}
        assert exempt == {n for n in names if n.endswith("relative_position_bias_table")}
        assert len(exempt) == 4
        assert adapter.no_weight_decay("mask_token", pretraining=True)


class TestTimmViT(TestTimmConvolutions):
    def config(self):
        return {
            "type": "simmim_bench.TimmFeatures",
            "model_name": "test_vit",
            "out_indices": (2, 5),
            "img_size": SIZE,
        }

    def stem(self, backbone):
        return backbone.timm_model.model.patch_embed, "timm_model.model.patch_embed."

    def test_keys_are_timms_own(self, model):
        keys = model.backbone.state_dict()
        assert keys["timm_model.model.pos_embed"].shape == (1, 1 + 4 * 6, 64)
        assert "timm_model.model.norm.weight" not in keys

    def test_only_the_mask_token_is_named_as_without_decay(self, model):
        """And what timm names: position embedding and class token."""
        adapter, names = model.adapter, dict(model.backbone.named_parameters())
        exempt = {n for n in names if adapter.no_weight_decay(n, pretraining=False)}
        assert exempt == {"timm_model.model.pos_embed", "timm_model.model.cls_token"}
        assert adapter.no_weight_decay("mask_token", pretraining=False)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("resnet5O", r"unknown timm model 'resnet5O'; did you mean resnet5\w+"),
        ("convnext_tinny.fb_in1k", r"did you mean convnext_tiny"),
        ("%", r"unknown timm model '%'; timm.list_models\(\) lists them"),
    ],
)
def test_an_unknown_timm_model(name, answer):
    with pytest.raises(BenchError, match=answer):
        MODELS.build({"type": "simmim_bench.TimmFeatures", "model_name": name})


def test_a_timm_model_without_group_matcher_has_coarse_levels():
    adapter = adapter_for(
        MODELS.build({"type": "simmim_bench.TimmFeatures", "model_name": "caformer_s18"})
    )
    assert adapter.layer_id("timm_model.model.stem.conv.weight") == 0
    names = [name for name, _ in adapter.backbone.named_parameters() if ".stages." in name]
    assert {adapter.layer_id(name) for name in names} == {1}
    assert adapter.num_layers == 3


def test_an_unknown_backbone():
    with pytest.raises(BenchError, match="no adapter for backbone Linear; known backbones are: "):
        adapter_for(torch.nn.Linear(2, 2))
