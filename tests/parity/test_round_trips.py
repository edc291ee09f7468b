"""Weights that go to another library and come back are the same, and so are the outputs."""

from pathlib import Path

import pytest
import torch
from mmpretrain.registry import MODELS

from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.pretrained import load_pretrained

DATA = Path(__file__).parents[1] / "golden"
RELATIVE = 1e-5
TINY = {"embed_dims": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]}
SMALL = {"embed_dims": 384, "num_layers": 12, "num_heads": 6, "feedforward_channels": 1536}


def convert(content, to):
    return convert_checkpoint(Source(content, "given.pth", "0" * 64, False), to=to)


def assert_equal(found, wanted):
    assert set(found) == set(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.fixture
def returned(equal):
    """Function that checks what came back, and that both libraries had computed the same."""

    def check(trip, away, back, wanted):
        assert set(back) == set(wanted)
        changed = [float(not torch.equal(back[key], wanted[key])) for key in wanted]
        equal(trip, "tensors that came back changed", changed, bound=0)
        equal(trip, away.report.verification.note, [away.report.verification.difference])

    return check


def relative_error(found, wanted):
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


def randomise(model):
    """Every parameter, since libraries start many of them at 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    model.eval()
    return model


def beit(timm, **options):
    """BEiT with 2 blocks; layer scale as published."""
    small = {"embed_dim": 128, "depth": 2, "num_heads": 2, "init_values": 0.1, "num_classes": 5}
    return timm.models.beit.Beit(**small, **options)


TIMM = {
    "swin_t": lambda timm: timm.create_model("swin_tiny_patch4_window7_224"),
    "vit_s": lambda timm: timm.create_model("vit_small_patch16_224"),
    "beit, biases by block": lambda timm: beit(timm, use_rel_pos_bias=True, use_abs_pos_emb=False),
    "beit, shared biases": lambda timm: beit(
        timm, use_shared_rel_pos_bias=True, global_pool="token"
    ),
    "vit, layer scale, mean pooling": lambda timm: timm.models.vision_transformer.VisionTransformer(
        img_size=64, embed_dim=128, depth=2, num_heads=2, init_values=0.1, global_pool="avg"
    ),
    "swin, a smaller window at the end": lambda timm: timm.models.swin_transformer.SwinTransformer(
        img_size=192, window_size=12, embed_dim=24, depths=(2, 2, 2, 2), num_heads=(1, 2, 4, 8)
    ),
}


@pytest.fixture(params=TIMM)
def timm_model(request):
    """Name and model."""
    return request.param, randomise(TIMM[request.param](pytest.importorskip("timm")))


def swin_t():
    return {"type": "SwinTransformer", "arch": TINY}, "LinearClsHead", 768


def vit_s():
    return {"type": "VisionTransformer", "arch": SMALL}, "VisionTransformerClsHead", 384


@pytest.fixture(params=[swin_t, vit_s], ids=["swin_t", "vit_s"])
def classifier(request):
    """Name and model."""
    backbone, head, channels = request.param()
    return request.param.__name__, randomise(
        MODELS.build(
            {
                "type": "ImageClassifier",
                "backbone": backbone,
                "neck": {"type": "GlobalAveragePooling"} if head == "LinearClsHead" else None,
                "head": {"type": head, "num_classes": 10, "in_channels": channels},
            }
        )
    )


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("name", ["swin", "vit"])
@pytest.mark.parametrize("to", ["mmpretrain", "timm"])
def test_original(name, stage, to, returned):
    """Through mmpretrain whole; timm has no place for mask token and decoder."""
    golden = torch.load(DATA / f"simmim_{name}_{stage}.pt", weights_only=True)
    state = golden["state_dict" if stage == "pretrain" else "loaded"]
    away = convert({"model": state}, to)
    content = {away.layout.wrapper: away.state} if away.layout.wrapper else away.state
    back = convert(content, "simmim").state
    kept = {key: value for key, value in state.items() if not key.endswith("attn_mask")}
    if to == "timm" and stage == "pretrain":
        encoder = (item for item in kept.items() if item[0].startswith("encoder."))
        kept = {k.removeprefix("encoder."): v for k, v in encoder if "mask_token" not in k}
    returned(f"original ({name}, {stage}) to {to} and back", away, back, kept)


def test_original_through_our_own_pretraining_layout():
    golden = torch.load(DATA / "simmim_swin_pretrain.pt", weights_only=True)["state_dict"]
    ours = {}
    for key, value in convert({"model": golden}, "mmpretrain").state.items():
        renamed = key.replace("backbone.mask_token", "mask_token")
        ours[renamed.replace("neck.decoder.0.", "decoder.projection.")] = value
    back = convert({"state_dict": ours}, "simmim").state
    assert_equal(back, {k: v for k, v in golden.items() if not k.endswith("attn_mask")})


def test_timm(timm_model, returned):
    name, model = timm_model
    state = model.state_dict()
    away = convert(state, "mmpretrain")
    back = convert({"state_dict": away.state}, "timm")
    assert away.report.layout == "timm"
    returned(f"timm ({name}) to mmpretrain and back", away, back.state, state)


def test_a_plain_vit_of_timm_in_our_tasks_and_back(tmp_path):
    """A folder that the strict loader takes, at another image size too."""
    timm = pytest.importorskip("timm")
    model = randomise(timm.create_model("vit_small_patch16_224", depth=3))
    torch.save(model.state_dict(), tmp_path / "timm.pth")
    convert_file(source=str(tmp_path / "timm.pth"), destination=tmp_path / "ours")
    weights = tmp_path / "ours" / "backbone.pth"
    options = {
        "type": "VisionTransformer",
        "arch": {**SMALL, "num_layers": 3},
        "out_type": "featmap",
    }

    pretrained = MODELS.build({**options, "img_size": 224})
    report = load_pretrained(pretrained, weights)
    assert (report.missing, report.unexpected, report.resized) == ((), (), ())
    pretrained.eval()
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = model.forward_features(images)[:, 1:].transpose(1, 2).unflatten(2, (14, 14))
        assert relative_error(pretrained(images)[-1], wanted) < RELATIVE

    dense = MODELS.build({**options, "img_size": (512, 384), "final_norm": False})
    report = load_pretrained(dense, weights)
    assert report.unexpected == ("ln1.weight", "ln1.bias")
    (resized,) = report.resized
    assert (resized.key, resized.new) == ("pos_embed", (1, 1 + 32 * 24, 384))

    back = convert(torch.load(weights, weights_only=True), "timm").state
    state = model.state_dict()
    assert_equal(back, {key: state[key] for key in state if not key.startswith("head.")})


def test_mmpretrain(classifier, returned):
    pytest.importorskip("timm")
    name, model = classifier
    state = model.state_dict()
    away = convert({"state_dict": state}, "timm")
    back = convert(away.state, "mmpretrain")
    assert away.report.layout == "mmpretrain classifier"
    returned(f"mmpretrain ({name}) to timm and back", away, back.state, state)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "vit_small_patch16_224"])
def test_logits_of_timm_and_mmpretrain(name, equal):
    """Without any of the converter's own builders: head, pooling and all."""
    timm = pytest.importorskip("timm")
    model = randomise(timm.create_model(name, pretrained=False, num_classes=10))
    backbone, head, channels = swin_t() if "swin" in name else vit_s()
    neck = {"type": "GlobalAveragePooling"} if "swin" in name else None
    head = {"type": head, "num_classes": 10, "in_channels": channels}
    config = {"type": "ImageClassifier", "backbone": backbone, "neck": neck, "head": head}
    theirs = MODELS.build(config)
    theirs.load_state_dict(convert(model.state_dict(), "mmpretrain").state, strict=True)
    theirs.eval()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        error = relative_error(theirs(images, mode="tensor"), model(images))
    equal(f"timm ({name}) in mmpretrain", "logits of two random images", [error])


@pytest.mark.parametrize("name", ["swin", "vit"])
def test_timm_computes_what_the_original_did(name, equal):
    """Logits that the original's code wrote, from its weights, in timm's classes."""
    timm = pytest.importorskip("timm")
    golden = torch.load(DATA / f"simmim_{name}_finetune.pt", weights_only=True)
    state = convert({"model": golden["loaded"]}, "timm").state
    if name == "swin":
        model = timm.models.swin_transformer.SwinTransformer(
            img_size=128,
            window_size=4,
            embed_dim=12,
            num_heads=(2, 3, 4, 6),
            depths=(2, 2, 2, 2),
            num_classes=5,
        )
    else:
        model = timm.models.beit.Beit(
            img_size=96,
            embed_dim=48,
            depth=3,
            num_heads=3,
            init_values=0.1,
            num_classes=5,
            use_abs_pos_emb=False,
            use_rel_pos_bias=True,
        )
    model.load_state_dict(state, strict=True)
    model.eval()
    with torch.no_grad():
        error = relative_error(model(golden["images"]), golden["logits"])
    equal(f"simmim_{name}_finetune.pt", "logits of timm's class with these weights", [error])
