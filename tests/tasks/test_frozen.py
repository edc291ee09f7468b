"""Probes of frozen features: equal with and without kept features, and to plain computations."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from torch.nn import functional

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen import kept_of
from simmim_bench.tasks.frozen_segmentation import IGNORED, label_shares

CLASSES = 4
PREPROCESSOR = {
    "type": "mmseg.SegDataPreProcessor",
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375],
    "bgr_to_rgb": True,
    "size": (64, 64),
}
HEAD = {
    "type": "simmim_bench.LinearSegmentationHead",
    "in_channels": 120,
    "num_classes": CLASSES,
    "norm_cfg": {"type": "BN", "requires_grad": True},
    "dropout_ratio": 0.0,
    "loss_decode": {"type": "mmseg.CrossEntropyLoss"},
}


@pytest.fixture
def backbone(swin):
    return {**swin, "pad_small_map": True, "out_indices": (0, 1, 2, 3)}


@pytest.fixture
def segmentor(backbone):
    torch.manual_seed(0)
    return MODELS.build(
        {
            "type": "simmim_bench.FrozenSegmentor",
            "backbone": backbone,
            "data_preprocessor": PREPROCESSOR,
            "windows": {"size": 64, "stride": 40},
            "decode_head": HEAD,
        }
    )


def batch(*sizes, seed=0, size=None):
    """Images of ``sizes`` as a pipeline of mmseg packs them, with a label map of ``size``."""
    rng = np.random.default_rng(seed)
    samples = []
    for index, (height, width) in enumerate(sizes):
        labels = rng.integers(0, CLASSES, size or (height, width))
        labels[0, :3] = IGNORED
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels)[None]))
        sample.set_metainfo(
            {
                "ori_shape": labels.shape,
                "img_shape": (height, width),
                "sample_idx": index,
            }
        )
        samples.append(sample)
    images = [torch.from_numpy(rng.integers(0, 256, (3, *each), dtype=np.uint8)) for each in sizes]
    return {"inputs": images, "data_samples": samples}


def kept_batch(model, data, training=False):
    """The same batch as the cache gives it back."""
    found = []
    for index in range(len(data["inputs"])):
        one = {key: values[index : index + 1] for key, values in data.items()}
        found += list(kept_of(model, one, training=training))
    samples = []
    for kept in found:
        sample = model.sample_of(kept.target)
        sample.set_metainfo(kept.facts)
        samples.append(sample)
    return {"features": [torch.from_numpy(kept.rows) for kept in found], "data_samples": samples}


def run(model, data, mode):
    prepared = model.data_preprocessor(data, mode == "loss")
    return model(**prepared, mode=mode)


@pytest.mark.parametrize("size", [(64, 64), (48, 64)])
def test_kept_features_give_the_losses_of_images(segmentor, size):
    segmentor.train()
    images = run(segmentor, batch(size, size), "loss")
    kept = run(segmentor, kept_batch(segmentor, batch(size, size), training=True), "loss")
    assert set(images) == set(kept) == {"loss_ce", "acc_seg"}
    for name, value in images.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (96, 128), (70, 64), (129, 65)])
def test_windows_give_the_predictions_of_mmseg(segmentor, backbone, size):
    segmentor.eval()
    other = EncoderDecoder(
        backbone=backbone,
        decode_head={
            "type": "mmseg.FCNHead",
            "in_channels": [8, 16, 32, 64],
            "in_index": [0, 1, 2, 3],
            "input_transform": "resize_concat",
            "channels": 120,
            "num_convs": 0,
            "concat_input": False,
            "num_classes": CLASSES,
            "dropout_ratio": 0.0,
            "align_corners": False,
        },
        test_cfg=ConfigDict(mode="slide", crop_size=(64, 64), stride=(40, 40)),
    ).eval()
    other.backbone.load_state_dict(segmentor.backbone.state_dict())
    other.decode_head.convs = segmentor.decode_head.norm
    other.decode_head.conv_seg = segmentor.decode_head.conv_seg
    torch.nn.init.normal_(segmentor.decode_head.conv_seg.weight)
    data = batch(size, size=(50, 61))  # predictions are of the size of the file
    prepared = segmentor.data_preprocessor(data, False)
    with torch.no_grad():
        expected = other.predict(prepared["inputs"].clone(), prepared["data_samples"])[0]
        expected = expected.seg_logits.data.clone()
        for given in (data, kept_batch(segmentor, data)):
            found = run(segmentor, given, "predict")[0]
            torch.testing.assert_close(found.seg_logits.data, expected, rtol=1e-4, atol=1e-5)
            assert found.pred_sem_seg.data.shape == (1, 50, 61)


def test_bfloat16_features_are_the_same_with_and_without_a_cache(backbone):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": "simmim_bench.FrozenSegmentor",
            "backbone": backbone,
            "data_preprocessor": PREPROCESSOR,
            "precision": "bfloat16",
            "decode_head": HEAD,
        }
    ).eval()
    kept = next(kept_of(model, batch((64, 64)), training=False))
    assert kept.rows.dtype == np.int16
    rows = torch.from_numpy(kept.rows).view(torch.bfloat16)
    prepared = model.data_preprocessor(batch((64, 64)), False)
    assert torch.equal(rows, model.rows_of(prepared["inputs"])[0][0])
    assert rows.dtype == torch.bfloat16


def test_only_the_head_is_trained(segmentor):
    trained = {name for name, value in segmentor.named_parameters() if value.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"decode_head"}


def test_shares_of_patches_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, (12, 10))
    labels[rng.random(labels.shape) < 0.3] = IGNORED
    labels[:6, :5] = IGNORED  # a patch without labels
    found = label_shares(torch.from_numpy(labels), (2, 2), CLASSES)
    for row, (top, left) in enumerate([(0, 0), (0, 5), (6, 0), (6, 5)]):
        patch = labels[top : top + 6, left : left + 5]
        known = patch[patch != IGNORED]
        for name in range(CLASSES):
            share = (known == name).mean() if len(known) else 0.0
            assert found[row, name] == pytest.approx(share, abs=1e-6)


def test_retrieval_is_that_of_a_loop_over_all_patches(backbone):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": "simmim_bench.RetrievalSegmentor",
            "backbone": {**backbone, "out_indices": (3,)},
            "data_preprocessor": PREPROCESSOR,
            "channels": 64,
            "num_classes": CLASSES,
            "patches": 3,
            "nearest": 4,
            "temperature": 0.1,
        }
    )
    model.reserve(3)
    training, asked = batch(*[(64, 64)] * 3), batch((64, 64), seed=1)
    model.train()
    run(model, kept_batch(model, training, training=True), "loss")
    model.eval()
    prepared = model.data_preprocessor(training, False)
    features = model.backbone(prepared["inputs"])[-1]  # (3, 64, 2, 2)
    memory = []
    for index, sample in enumerate(prepared["data_samples"]):
        order = torch.randperm(4, generator=torch.Generator().manual_seed(index))[:3]
        shares = label_shares(sample.gt_sem_seg.data[0], (2, 2), CLASSES)
        memory += [(features[index, :, p // 2, p % 2], shares[p]) for p in order.tolist()]
    query = model.backbone(model.data_preprocessor(asked, False)["inputs"])[-1][0]
    expected = torch.zeros(CLASSES, 2, 2)
    for row in range(2):
        for column in range(2):
            near = sorted(
                (
                    (functional.cosine_similarity(query[:, row, column], each, dim=0).item(), share)
                    for each, share in memory
                ),
                key=lambda pair: -pair[0],
            )[:4]
            weights = np.exp([similarity / 0.1 for similarity, _ in near])
            for weight, (_, share) in zip(weights / weights.sum(), near, strict=True):
                expected[:, row, column] += float(weight) * share
    found = model.scores(query[None])[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    predicted = run(model, kept_batch(model, asked), "predict")[0]
    whole = functional.interpolate(expected[None], (64, 64), mode="bilinear")[0]
    assert torch.equal(predicted.pred_sem_seg.data[0], whole.argmax(0))


def test_an_empty_memory_is_an_error(backbone):
    model = MODELS.build(
        {
            "type": "simmim_bench.RetrievalSegmentor",
            "backbone": backbone,
            "channels": 120,
            "num_classes": CLASSES,
            "patches": 3,
        }
    )
    model.reserve(2)
    with pytest.raises(BenchError, match="the memory holds no patches"):
        model.scores(torch.zeros(1, 120, 2, 2))


def test_tokens_are_refused_where_maps_are_needed(backbone):
    model = MODELS.build(
        {
            "type": "simmim_bench.AttentiveClassifier",
            "backbone": {
                "type": "mmpretrain.VisionTransformer",
                "arch": {
                    "embed_dims": 8,
                    "num_layers": 1,
                    "num_heads": 2,
                    "feedforward_channels": 8,
                },
                "img_size": 32,
                "out_type": "raw",
            },
            "channels": 8,
            "num_classes": 2,
            "heads": 2,
        }
    )
    with pytest.raises(BenchError, match=r"needs maps .*VisionTransformer returns \(1, 5, 8\)"):
        model(torch.zeros(1, 3, 32, 32))
    assert adapter_for(model.backbone) is not None
