"""Backbones whose tokens are masked keep the contract."""

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.contracts.contract import SIZE, BackboneContract


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

    def test_a_task_leaves_out_norms_of_stages_that_only_a_decoder_read(
        self, save_pretraining, tmp_path
    ):
        config = {**self.config(), "out_indices": (0, 1, 2, 3)}
        weights = export_backbone(save_pretraining(config), tmp_path / "export").weights
        report = load_pretrained(MODELS.build(self.config()), weights)
        assert report.missing == ()
        assert set(report.unexpected) == {
            f"norm{stage}.{name}" for stage in range(3) for name in ("weight", "bias")
        }

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


class TestWindowedPlainViT(TestPlainViT):
    def config(self):
        return {
            **super().config(),
            "type": "simmim_bench.WindowedViT",
            "window_size": 2,
            "global_blocks": [1],
        }


def test_an_unknown_backbone():
    with pytest.raises(BenchError, match="no adapter for backbone Linear; supported are "):
        adapter_for(torch.nn.Linear(2, 2))
