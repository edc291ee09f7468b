"""Multi-view SimMIM: contrast by hand, the momentum teacher, two processes, resuming."""

import copy
from itertools import permutations

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmengine.dataset import Compose, default_collate
from mmengine.logging import MessageHub
from mmengine.registry import TRANSFORMS, DefaultScope
from torch import nn

from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
PAINT = {
    "decoder": {"type": "simmim_bench.LinearDecoder"},
    "loss": {"type": "simmim_bench.MaskedL1Loss"},
    "weight": {"value": 0.5},
}
CONTRAST = {"heads": 4, "hidden": 32, "dims": 12, "temperature": 0.2}


def build(views=2, momentum=None, *, paint=True, **changes):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": f"simmim_bench.{'MultiViewSimMIM' if paint else 'MultiViewContrast'}",
            "backbone": SWIN,
            "contrast": {**CONTRAST, "views": views, "momentum": momentum, **changes},
            "data_preprocessor": {
                "type": "mmpretrain.SelfSupDataPreprocessor",
                "mean": [100.0, 110.0, 120.0],
                "std": [50.0, 60.0, 70.0],
                "to_rgb": True,
            },
            **(PAINT if paint else {}),
        }
    )
    model.init_weights()
    return model


def pipeline(views, seed=0):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        crop = {"type": "RandomResizedCrop", "scale": 64, "crop_ratio_range": (0.4, 1.0)}
        steps = [
            {"type": "simmim_bench.SeedSample", "seed": seed},
            {"type": "MultiView", "num_views": [views], "transforms": [[crop]]},
            {
                "type": "simmim_bench.GenerateMask",
                "mask_patch_size": 16,
                "mask_ratio": 0.6,
                "token_size": 4,
                "seed": seed,
            },
            {"type": "PackInputs", "algorithm_keys": ["mask"]},
        ]
        return Compose([TRANSFORMS.build(step) for step in steps])


def batch_of(count, views=2):
    images = np.random.default_rng(0).integers(256, size=(count, 80, 80, 3), dtype=np.uint8)
    steps = pipeline(views)
    return default_collate(
        [steps({"img": image, "sample_idx": number}) for number, image in enumerate(images)]
    )


@pytest.fixture(autouse=True)
def hub(request):
    found = MessageHub.get_instance(f"hub of {request.node.name}")
    found.update_info("max_iters", 10)
    return found


def test_the_pipeline_gives_every_view_its_own_crop_and_mask():
    data = batch_of(2, views=3)
    assert [tuple(view.shape) for view in data["inputs"]] == [(2, 3, 64, 64)] * 3
    for number, sample in enumerate(data["data_samples"]):
        assert sample.mask.shape == (3, 16, 16)
        assert sample.mask.dtype == torch.bool
        assert sample.mask.sum(dim=(1, 2)).tolist() == [160] * 3  # 10 of 16 patches
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert not torch.equal(sample.mask[i], sample.mask[j])
            assert not torch.equal(data["inputs"][i][number], data["inputs"][j][number])
    again = batch_of(2, views=3)
    assert torch.equal(again["data_samples"][1].mask, data["data_samples"][1].mask)
    assert torch.equal(again["inputs"][2], data["inputs"][2])


def contrast_by_hand(queries, keys, temperature):
    """queries, keys: a list of (B, D) arrays, one a view."""
    losses = []
    for i, j in permutations(range(len(queries)), 2):
        q, k = (
            rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries[i], keys[j])
        )
        for b, row in enumerate(q):
            logits = np.array([row @ key for key in k]) / temperature
            losses.append(np.log(np.exp(logits).sum()) - logits[b])
    return np.mean(losses)


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("paint", [False, True])
def test_the_contrast_is_the_mean_over_pairs_of_views(views, paint):
    model = build(views, paint=paint)
    data = model.data_preprocessor(batch_of(4, views))
    masks = torch.stack([sample.mask for sample in data["data_samples"]])
    with torch.no_grad():
        logged = model(**data, mode="loss")
        vectors = [
            model.contrast.embed(model.encode(view, masks[:, number])).double().numpy()
            for number, view in enumerate(data["inputs"])
        ]
    found = logged["contrast" if paint else "loss"].item()
    assert found == pytest.approx(contrast_by_hand(vectors, vectors, 0.2), rel=1e-4)
    if paint:
        assert logged["loss_contrast"].item() == pytest.approx(0.5 * found, rel=1e-6)


def test_every_view_is_reconstructed_under_its_mask():
    model = build()
    data = model.data_preprocessor(batch_of(3))
    shown = model(**data, mode="predict")
    assert torch.equal(shown["images"], torch.cat(data["inputs"]))
    for view in range(2):
        for number, sample in enumerate(data["data_samples"]):
            wanted = sample.mask[view].repeat_interleave(4, 0).repeat_interleave(4, 1)
            assert torch.equal(shown["mask"][3 * view + number], wanted)
    hidden = shown["mask"].unsqueeze(1).expand_as(shown["images"])
    difference = (shown["images"] - shown["reconstruction"])[hidden].abs().mean().item()
    loss = model(**data, mode="loss")["loss_reconstruction"].item()
    assert loss == pytest.approx(difference, rel=1e-5)


def test_images_alone_are_painted_as_by_simmim():
    model = build()
    images = torch.randn(2, 3, 64, 64)
    assert model(images, mode="predict")["reconstruction"].shape == images.shape
    assert build(paint=False)(images).shape == (2, 64, 2, 2)


def test_the_teacher_sees_whole_views_and_gets_no_gradient():
    model = build(momentum=0.9).train()
    data = model.data_preprocessor(batch_of(3))
    masks = torch.stack([sample.mask for sample in data["data_samples"]])
    logged = model(**data, mode="loss")  # the first step makes teacher and student equal
    contrast = model.contrast
    with torch.no_grad():
        keys = [contrast.embed(model.encode(view)).double().numpy() for view in data["inputs"]]
        queries = [
            contrast.predict(contrast.embed(model.encode(view, masks[:, number])))
            for number, view in enumerate(data["inputs"])
        ]
    wanted = contrast_by_hand([each.double().numpy() for each in queries], keys, 0.2)
    assert logged["contrast"].item() == pytest.approx(wanted, rel=1e-4)
    model.parse_losses(logged)[0].backward()
    assert [n for n, v in model.named_parameters() if v.requires_grad and v.grad is None] == []
    teacher = dict(contrast.teacher.named_parameters())
    assert len(teacher) > 10
    assert not any(value.requires_grad for value in teacher.values())


def weights_of(module):
    return {key: value.clone() for key, value in module.named_parameters()}


def test_the_teacher_follows_by_the_formula():
    """teacher = m teacher + (1 - m) student; m from 0.9 to 1 along half a cosine."""
    model = build(momentum=0.9).train()
    data = model.data_preprocessor(batch_of(2))
    average = model.contrast.teacher.average.module
    model(**data, mode="loss")
    for step in (1, 2):
        student = nn.ModuleList([model.backbone, model.contrast.embed])
        with torch.no_grad():
            for value in student.parameters():
                value.add_(0.1 * torch.randn_like(value))
        before, target = weights_of(average), weights_of(student)
        model(**data, mode="loss")
        momentum = 1 - 0.1 * (1 + np.cos(np.pi * step / 10)) / 2
        for key, value in weights_of(average).items():
            wanted = momentum * before[key] + (1 - momentum) * target[key]
            torch.testing.assert_close(value, wanted)
    model.eval()
    before = weights_of(average)
    model(**data, mode="loss")
    assert all(torch.equal(value, before[key]) for key, value in weights_of(average).items())


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_a_resumed_run_repeats_a_whole_one(momentum, hub):
    def steps(model, optimizer, count, start):
        losses = []
        for iteration in range(start, start + count):
            hub.update_info("iter", iteration)
            loss, _ = model.parse_losses(model(**data, mode="loss"))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    model = build(momentum=momentum).train()
    data = model.data_preprocessor(batch_of(4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    first = steps(model, optimizer, 2, 0)
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    whole = steps(model, optimizer, 3, 2)
    resumed = build(momentum=momentum).train()
    again = torch.optim.AdamW(resumed.parameters(), lr=1e-3)
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert steps(resumed, again, 3, 2) == whole
    assert whole[-1] < first[0]


@pytest.mark.parametrize("paint", [False, True])
def test_its_backbone_is_exported_and_loads_as_any(paint, save_pretraining, tmp_path):
    model = build(momentum=0.9, paint=paint)
    fresh = MODELS.build(SWIN)
    assert list(model.backbone.state_dict()) == list(fresh.state_dict())
    checkpoint = save_pretraining(SWIN, state=model.state_dict())
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    assert torch.load(weights).keys() == fresh.state_dict().keys()
    report = load_pretrained(fresh, weights)
    assert (report.missing, report.unexpected) == ((), ())
    wanted = model.backbone.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in fresh.state_dict().items())


def test_refused_values():
    with pytest.raises(ValueError, match=r"views=1, temperature=0\.2"):
        build(views=1)
    with pytest.raises(ValueError, match="views=2, temperature=inf"):
        build(temperature=float("inf"))
    with pytest.raises(ValueError, match=r"momentum must be in \(0, 1\), got 1.0"):
        build(momentum=1.0)
    model = build(views=3, paint=False)
    with pytest.raises(
        ValueError,
        match="got 8 views in a batch, expected a multiple of the model's 3 views per image",
    ):
        model(**model.data_preprocessor(batch_of(4)), mode="loss")
    with pytest.raises(ValueError, match="unknown mode 'predict'; known are: loss, tensor"):
        model(torch.zeros(1, 3, 64, 64), mode="predict")


class Summed(nn.Module):
    """A model whose forward gives the sum of its losses, as DDP wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs, data_samples):
        return self.model.parse_losses(self.model(inputs, data_samples, mode="loss"))[0]


def in_double(momentum):
    """A model and eight images with two views each, in float64, where sums hardly round."""
    model = build(momentum=momentum).train()
    data = model.data_preprocessor(batch_of(8))
    inputs = [view.double() for view in data["inputs"]]
    return Summed(model).double(), inputs, data["data_samples"]


def gradients(model):
    return {name: v.grad.clone() for name, v in model.named_parameters() if v.requires_grad}


def one_of_two(rank, folder, momentum):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet{momentum}", rank=rank, world_size=2
    )
    summed, inputs, samples = in_double(momentum)
    model = nn.parallel.DistributedDataParallel(summed)
    part = slice(4 * rank, 4 * rank + 4)
    loss = model([view[part] for view in inputs], samples[part])
    loss.backward()
    torch.save((loss.detach(), gradients(summed.model)), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path, momentum):
    single, *data = in_double(momentum)
    whole = single(*data)
    whole.backward()
    mp.start_processes(one_of_two, args=(tmp_path, momentum), nprocs=2, start_method="spawn")
    losses, found = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(2)), strict=True)
    assert losses[0] != losses[1]
    torch.testing.assert_close(sum(losses) / 2, whole.detach())
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], gradients(single.model), rtol=1e-5, atol=1e-8)
