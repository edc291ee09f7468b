"""Backbones whose pixels are masked keep the contract."""

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.contracts.contract import SIZE, MaskedAtInput


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


class TestPlainCNN(MaskedAtInput):
    adapter = "cnn"
    ends_with_blocks = True

    def config(self):
        return {
            "type": "simmim_bench.PlainCNN",
            "channels": (8, 8, 16, 24),
            "depths": (1, 2, 1, 2),
            "out_indices": (0, 3),
        }

    def stem(self, backbone):
        return backbone.stem, "stem."

    def test_a_level_is_a_convolution_with_its_norm(self, model):
        assert model.adapter.num_layers == 1 + 6 + 1
        assert model.adapter.layer_id("stages.1.1.conv.weight") == 3
        assert model.adapter.layer_id("stages.3.1.bn.bias") == 6

    def test_it_is_convolutions_only(self, model):
        layers = [m for m in model.backbone.modules() if isinstance(m, torch.nn.Conv2d)]
        assert [m.stride[0] for m in layers] == [2, 2, 2, 1, 2, 2, 1]
        assert {m.kernel_size for m in layers} == {(3, 3)}

    def test_stages_that_do_not_fit(self):
        with pytest.raises(ValueError, match="must have the same length"):
            MODELS.build({"type": "simmim_bench.PlainCNN", "channels": (8, 8), "depths": (1,)})


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
