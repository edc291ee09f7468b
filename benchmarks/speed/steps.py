"""SimMIM's training step: forward, backward and AdamW, on photographs of scikit-learn.

Ours is the model as the runner builds it. Peers: mmpretrain's SimMIM; timm's BEiT with SimMIM's
mask token, decoder and loss around it, since mmpretrain has no SimMIM for ViTs. Drop path is off,
so that both compute the same. The limit is the matrix products and convolutions of
our step alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.work import OURS, Work
from simmim_bench.errors import BenchError

CONFIGS = Path(__file__).parents[2] / "configs"
RENAMED = {
    "patch_embed.proj.": "patch_embed.projection.",
    ".norm1.": ".ln1.",
    ".norm2.": ".ln2.",
    ".mlp.fc1.": ".ffn.layers.0.0.",
    ".mlp.fc2.": ".ffn.layers.1.",
    "blocks.": "layers.",
    "norm.": "ln1.",
}
"""Parts of keys of timm's BEiT and of mmpretrain's."""


def works(small: bool) -> Iterator[Work]:
    """Swin-B and ViT-B, also in bfloat16 where the processor has it; sparse beside dense SimMIM."""
    from simmim_bench.training.process import prepare

    prepare("none", "mmpretrain")
    for name, size, peer, target in (
        ("swin-b", 192, "mmpretrain", 1.25),
        ("vit-b", 224, "timm", 1.07),
    ):
        images = 1 if small else 4
        batch = masked_batch(size, images, token=4 if peer == "mmpretrain" else 16)
        ours = our_model(name)
        theirs = (_mmpretrain if peer == "mmpretrain" else _timm)(ours, size)
        equal = check_equal(ours, theirs, batch)
        step = train_step(ours, batch, fused=True)
        yield Work(
            name=f"SimMIM step, {name} at {size} px, batch {images}, float32",
            unit="images",
            amount=images,
            runs={OURS: step, peer: train_step(theirs, batch, fused=False)},
            target=target,
            limit=matrix_products(step),
            equal=equal,
        )
        if has_bfloat16():
            yield Work(
                name=f"SimMIM step, {name} at {size} px, batch {images}, bfloat16",
                unit="images",
                amount=images,
                runs={OURS: train_step(ours, batch, fused=True, bfloat16=True), "float32": step},
                target=1.8,
                equal="mmpretrain cannot run it; the peer is our step in float32",
            )
    yield from _sparse(small)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 faster than float32 (avx512_bf16 or AMX)."""
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def photographs(size: int, count: int) -> Any:
    """Normalised crops of photographs, float32, (count, 3, size, size)."""
    import torch
    from sklearn.datasets import load_sample_images

    generator = torch.Generator().manual_seed(0)
    found = [
        torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in load_sample_images().images
    ]
    crops = []
    for index in range(count):
        photo = found[index % len(found)].float()
        side = min(photo.shape[1:])
        left = int(torch.randint(photo.shape[2] - side + 1, (), generator=generator))
        square = photo[None, :, :side, left : left + side]
        crops.append(torch.nn.functional.interpolate(square, size=(size, size), mode="bilinear"))
    return (torch.cat(crops) - 120.0) / 58.0


def masked_batch(size: int, images: int, token: int) -> tuple[Any, list[Any]]:
    """Images and their samples, each with a mask of 60 % in patches of 32 px."""
    from mmpretrain.structures import DataSample

    from simmim_bench.masking.base import draw_batch
    from simmim_bench.masking.random_patch import RandomPatchMask

    strategy = RandomPatchMask(mask_patch_size=32, mask_ratio=0.6, token_size=token)
    masks = draw_batch(strategy, (size, size), [(0, index) for index in range(images)])
    return photographs(size, images), [DataSample().set_mask(mask) for mask in masks]


def our_model(name: str) -> Any:
    """The model of a config as the runner builds it, without drop path."""
    import torch
    from mmengine.config import Config

    from simmim_bench.backbones.fast_attention import speed_up
    from simmim_bench.registry import MODELS

    torch.manual_seed(0)
    config = Config.fromfile(CONFIGS / "simmim" / f"{name}_8xb128.py").model
    config.backbone.drop_path_rate = 0.0
    model = MODELS.build({**config, "data_preprocessor": None})
    model.init_weights()
    speed_up(model)
    model.train()
    return model


def _mmpretrain(ours: Any, size: int) -> Any:
    """The SimMIM of mmpretrain's own config, with our weights."""
    from mmengine.config import Config
    from mmpretrain.registry import MODELS

    backbone = {"type": "SimMIMSwinTransformer", "arch": "B", "img_size": size}
    backbone |= {"stage_cfgs": {"block_cfgs": {"window_size": 6}}, "drop_path_rate": 0.0}
    decoder = {"type": "SimMIMLinearDecoder", "in_channels": 128 * 2**3, "encoder_stride": 32}
    loss = {"type": "PixelReconstructionLoss", "criterion": "L1", "channel": 3}
    head = {"type": "SimMIMHead", "patch_size": 4, "loss": loss}
    model = MODELS.build(
        Config({"type": "SimMIM", "backbone": backbone, "neck": decoder, "head": head})._cfg_dict
    )
    state = {key.replace("decoder.projection", "neck.decoder.0"): v for key, v in weights(ours)}
    state["backbone.mask_token"] = state.pop("mask_token")
    model.load_state_dict(state)
    model.train()
    return functools.partial(model, mode="loss"), model


def _timm(ours: Any, size: int) -> Any:
    """SimMIM as the original has it around timm's BEiT, with our weights."""
    import torch
    from timm.layers import LayerNorm
    from timm.models.beit import Beit
    from torch import nn

    norm = functools.partial(LayerNorm, eps=1e-6)
    options = {"use_abs_pos_emb": False, "use_shared_rel_pos_bias": True, "norm_layer": norm}
    beit = Beit(size, num_classes=0, init_values=0.1, use_fc_norm=False, **options)
    parts = nn.ModuleDict({"beit": beit, "decoder": nn.Conv2d(768, 768, 1)})
    parts.register_parameter("mask_token", nn.Parameter(torch.zeros(1, 1, 768)))
    names = {key.removeprefix("backbone."): value for key, value in weights(ours)}
    renamed = {key: _renamed(key) for key in beit.state_dict()}
    state = {key: names[new] for key, new in renamed.items() if new in names}
    beit.load_state_dict(state, strict=False)  # buffers have other names
    for key, value in parts.decoder.named_parameters():
        value.data.copy_(names[f"decoder.projection.{key}"])
    parts.mask_token.data.copy_(names["mask_token"])
    masked: list[Any] = []

    def put(_module: Any, _args: Any, tokens: Any) -> Any:
        share = masked[0].flatten(1).unsqueeze(-1).type_as(tokens)
        return tokens * (1.0 - share) + parts.mask_token * share

    beit.patch_embed.register_forward_hook(put)

    def loss(images: Any, samples: Sequence[Any]) -> dict[str, Any]:
        masked[:] = [torch.stack([sample.mask for sample in samples])]
        side = size // 16
        features = beit.forward_features(images)[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        restored = nn.functional.pixel_shuffle(parts.decoder(features), 16)
        pixels = masked[0].repeat_interleave(16, 1).repeat_interleave(16, 2).unsqueeze(1)
        errors = nn.functional.l1_loss(images, restored, reduction="none")
        return {"loss": (errors * pixels).sum() / (pixels.sum() + 1e-5) / 3}

    return loss, parts


def _renamed(key: str) -> str:
    for old, new in RENAMED.items():
        key = key.replace(old, new)
    return key


def weights(model: Any) -> list[tuple[str, Any]]:
    """Copies of a model's weights by key."""
    return [(key, value.clone()) for key, value in model.state_dict().items()]


def check_equal(ours: Any, theirs: Any, batch: tuple[Any, list[Any]]) -> str:
    """Compare losses, and the norms of the gradients of all parameters, from small to large.

    Raises:
        BenchError: If they differ by more than 1e-4 of their values.
    """
    import torch

    found = []
    for compute, model in (_parts(ours), _parts(theirs)):
        loss = compute(*batch)["loss"]
        loss.backward()
        norms = [value.grad.norm() for value in model.parameters() if value.grad is not None]
        found.append(torch.cat([loss.detach().view(1), torch.stack(norms).sort().values]))
        model.zero_grad(set_to_none=True)
    difference = float(((found[0] - found[1]).abs() / (found[1].abs() + 1e-8)).max())
    if difference > 1e-4:
        raise BenchError(f"loss and norms of gradients differ by {difference}")
    return f"loss and norms of all gradients agree to {difference:.0e} of their values"


def train_step(
    model: Any, batch: Any, *, fused: bool, bfloat16: bool = False
) -> Callable[[], None]:
    """Forward, backward and AdamW; the kernel that the runner uses, or PyTorch's default."""
    import torch

    compute, parts = _parts(model)
    rates = {"lr": 1e-6, "weight_decay": 0.05}  # small, so that equal models stay so
    optimizer = torch.optim.AdamW(parts.parameters(), **rates, **({"fused": True} if fused else {}))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            losses = compute(*batch)
        optimizer.zero_grad()
        sum(value for key, value in losses.items() if "loss" in key).backward()
        optimizer.step()

    return step


def _parts(model: Any) -> tuple[Callable[..., dict[str, Any]], Any]:
    """What computes the losses of a batch, and the module with the parameters."""
    return model if isinstance(model, tuple) else (functools.partial(model, mode="loss"), model)


def matrix_products(step: Callable[[], None]) -> Callable[[], None]:
    """The matrix products and convolutions of a step alone: same sizes, contiguous operands."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    aten = torch.ops.aten
    products = {aten.mm.default: 0, aten.bmm.default: 0, aten.addmm.default: 1}
    convolutions = (aten.convolution.default, aten.convolution_backward.default)
    operands: dict[Any, Any] = {}
    calls: list[tuple[Any, list[Any]]] = []

    def like(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if value.shape not in operands:
            operands[value.shape] = torch.randn(value.shape)
        return operands[value.shape]

    class Record(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
            if func in products:
                start = products[func]
                calls.append((torch.matmul, [like(value) for value in args[start : start + 2]]))
            elif func in convolutions:
                calls.append((func, [like(value) for value in args]))
            return func(*args, **(kwargs or {}))

    with Record():
        step()

    def limit() -> None:
        for function, values in calls:
            function(*values)

    return limit


def _sparse(small: bool) -> Iterator[Work]:
    """Sparse beside dense SimMIM, whose step is the faster one of above."""
    from benchmarks import sparse

    for ratio, target in ((0.6, 2.3), (0.75, 2.9)):
        images = 1 if small else 4
        for name in ("swin-t", "plain-vit-s"):
            batch = sparse.batch(images, sparse.SIZES[name], sparse.TOKENS[name], ratio)
            models = sparse.ways(name)
            way = "sparse, one mask a batch" if "swin" in name else "sparse"
            yield Work(
                name=f"sparse SimMIM step, {name}, ratio {ratio}, batch {images}",
                unit="images",
                amount=images,
                runs={
                    OURS: train_step(models[way], batch, fused=True),
                    "dense, ours": train_step(models["dense"], batch, fused=True),
                },
                target=target,
                equal="not equal: another model; sparse encoders see visible tokens only",
            )
