"""DINOv2 with registers and DINOv3: timm's own filters, and transformers, are the reference."""

import importlib.util
import json

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models.eva import checkpoint_filter_fn as eva_filter
from timm.models.vision_transformer import checkpoint_filter_fn as vit_filter

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.dino_models import convert_dino
from simmim_bench.weights.pretrained import load_pretrained

WIDTH, HIDDEN, PATCHES = 64, 128, 4
IMAGES = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))


def block(gate):
    """Names and shapes of a block in the original files."""
    mlp = {
        None: {"mlp.fc1": (HIDDEN, WIDTH), "mlp.fc2": (WIDTH, HIDDEN)},
        "w12": {"mlp.w12": (2 * HIDDEN, WIDTH), "mlp.w3": (WIDTH, HIDDEN)},
        "w1": {"mlp.w1": (HIDDEN, WIDTH), "mlp.w2": (HIDDEN, WIDTH), "mlp.w3": (WIDTH, HIDDEN)},
    }[gate]
    matrices = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), **mlp}
    vectors = {f"norm{i}.{end}": (WIDTH,) for i in (1, 2) for end in ("weight", "bias")}
    vectors |= {"ls1.gamma": (WIDTH,), "ls2.gamma": (WIDTH,)}
    for name, shape in matrices.items():
        vectors |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return vectors


def original(version, *, registers, gate=None, patch=14):
    shapes = {
        "cls_token": (1, 1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, patch, patch),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
        **{f"blocks.{i}.{key}": shape for i in (0, 1) for key, shape in block(gate).items()},
    }
    if version == 2:
        shapes |= {"pos_embed": (1, PATCHES + 1, WIDTH), "mask_token": (1, WIDTH)}
    else:
        shapes["mask_token"] = (1, WIDTH)
    if registers:
        shapes["register_tokens" if version == 2 else "storage_tokens"] = (1, registers, WIDTH)
    torch.manual_seed(0)
    state = {key: torch.randn(shape) * 0.3 for key, shape in shapes.items()}
    if version == 3:
        state["rope_embed.periods"] = 100 ** (torch.arange(4) * 2 / 8)  # heads of 16 channels
        for i in (0, 1):
            mask = torch.ones(3 * WIDTH)
            mask[WIDTH : 2 * WIDTH] = 0
            state[f"blocks.{i}.attn.qkv.bias_mask"] = mask
    return state


def source(state, config=None):
    return Source(dict(state), "given.pth", "0" * 64, False, config or {})


def features(result):
    backbone = MODELS.build(result.report.architecture)
    assert not any(backbone.load_state_dict(result.state))
    backbone.eval()
    with torch.no_grad():
        return backbone(IMAGES)[-1]


@torch.no_grad()
def timms(name, state, filters, **options):
    model = timm.create_model(name, embed_dim=WIDTH, depth=2, num_classes=0, **options).eval()
    model.load_state_dict(filters(dict(state), model))
    return model.forward_intermediates(IMAGES, intermediates_only=True)[-1]


def compare(found, expected, record_property):
    difference = float((found - expected).abs().max() / expected.abs().max())
    record_property("largest relative difference", difference)
    assert difference < 1e-5


def test_dinov2_without_registers_is_a_plain_vit(record_property):
    state = original(2, registers=0)
    assert convert_dino(source(state)) is None
    result = convert_checkpoint(source(state))
    assert (result.report.layout, result.report.adapter) == ("DINOv2", "plain_vit")
    assert [entry.key for entry in result.report.dropped] == ["mask_token"]
    model = timm.create_model(
        "vit_small_patch14_dinov2", img_size=28, embed_dim=WIDTH, depth=2, num_heads=1, mlp_ratio=2
    ).eval()
    model.load_state_dict(vit_filter(dict(state), model), strict=False)
    backbone = MODELS.build({**result.report.architecture, "out_type": "raw"})
    backbone.load_state_dict(result.state)
    backbone.eval()
    with torch.no_grad():
        compare(backbone(IMAGES)[-1], model.forward_features(IMAGES), record_property)


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("gate", [None, "w12"])
def test_dinov2(registers, gate, record_property):
    if not registers and not gate:
        return
    state = original(2, registers=registers, gate=gate)
    result = convert_dino(source(state))
    size = "giant" if gate else "small"
    name = f"vit_{size}_patch14_{'reg4_' if registers else ''}dinov2"
    ratio = (4 if gate else 2) * 1.0
    options = {"img_size": 28, "num_heads": 1, "mlp_ratio": ratio}
    compare(features(result), timms(name, state, vit_filter, **options), record_property)
    dropped = {entry.key for entry in result.report.dropped}
    assert dropped == {"mask_token", "norm.weight", "norm.bias"}


@pytest.mark.parametrize("gate", [None, "w1"])
def test_dinov3(gate, record_property):
    state = original(3, registers=4, gate=gate, patch=14)
    result = convert_dino(source(state))
    name = f"vit_small_{'plus_' if gate else ''}patch16_dinov3_qkvb"
    options = {"num_heads": 4, "mlp_ratio": 2.0, "patch_size": 14, "img_size": 28}
    compare(features(result), timms(name, state, eva_filter, **options), record_property)
    assert result.report.architecture["num_heads"] == 4  # from the periods
    assert result.report.notes == ()


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers")
@pytest.mark.parametrize("gated", [False, True])
def test_dinov3_of_transformers(gated, tmp_path, record_property):
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    options = {"hidden_act": "silu", "use_gated_mlp": True} if gated else {}
    config = DINOv3ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4, intermediate_size=HIDDEN,
        image_size=28, patch_size=14, num_register_tokens=4, **options,
    )  # fmt: skip
    torch.manual_seed(0)
    model = DINOv3ViTModel(config).eval()
    for parameter in model.parameters():
        parameter.data += torch.randn_like(parameter) * 0.2
    model.save_pretrained(tmp_path / "given")
    said = json.loads((tmp_path / "given/config.json").read_text())
    state = load_file(tmp_path / "given/model.safetensors")
    result = convert_dino(source(state, said))
    with torch.no_grad():
        last = model(IMAGES, output_hidden_states=True).hidden_states[-1]
    expected = last[:, 5:].transpose(1, 2).unflatten(2, (2, 2))
    compare(features(result), expected, record_property)
    convert_file(source=str(tmp_path / "given"), destination=tmp_path / "out")
    backbone = MODELS.build(result.report.architecture)
    assert not load_pretrained(backbone, tmp_path / "out/backbone.pth").missing
    for change, match in (
        ({"rope_theta": 10.0}, "rope_theta 10.0, but timm's DINOv3 has 100.0"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"num_attention_heads": 5}, "num_attention_heads 5, expected a divisor of 64"),
        ({"model_type": "vit"}, "model_type 'vit', expected dinov3_vit"),
    ):
        with pytest.raises(BenchError, match=match):
            convert_dino(source(state, {**said, **change}))


def refused(state, match, **options):
    with pytest.raises(BenchError, match=match):
        convert_dino(source(state), **options)


def test_what_is_refused():
    state = original(3, registers=4)
    refused({**state, "extra.weight": torch.ones(3)}, r"1 unexpected \(extra\.weight\)")
    without = {key: value for key, value in state.items() if key != "blocks.1.norm1.bias"}
    refused(without, r"1 of \d+ keys missing \(blocks\.1\.norm1\.bias\)")
    refused({**state, "rope_embed.periods": torch.ones(4)}, "periods are not those of DINOv3")
    unmasked = {key: value for key, value in state.items() if "bias_mask" not in key}
    refused(unmasked, "has a bias of the keys")
    refused(state, "leave --to, --window and --image-size out", to="timm")
    wrong = {**state, "blocks.0.norm1.weight": torch.ones(3)}
    refused(wrong, r"have another shape, the first is blocks\.0\.norm1")
