"""Probes of frozen features: equal with and without kept features, and to plain computations."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
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


def labelled(labels, first=0):
    return [
        DataSample(metainfo={"sample_idx": first + i}).set_gt_label(int(label))
        for i, label in enumerate(labels)
    ]


def classifier(swin, kind, **options):
    torch.manual_seed(0)
    return MODELS.build(
        {"type": f"simmim_bench.{kind}", "backbone": swin, "num_classes": 3, **options}
    )


def test_of_linear_layers_the_one_that_is_best_on_held_out_images_predicts(swin):
    model = classifier(swin, "LinearGrid", channels=64, rates=3)
    features = torch.randn(40, 64, generator=torch.Generator().manual_seed(1))
    labels = features[:, :3].argmax(1)
    samples = labelled(labels)
    for sample in samples:
        sample.set_metainfo({"levels": [(64,)]})
    with torch.no_grad():
        for layer in model.layers:
            layer.weight.zero_()
        model.layers[1].weight[:, :3] = torch.eye(3)  # right; the others say class 0
    model.train()
    losses = model([row[None] for row in features], samples, mode="loss")
    held = torch.arange(40) % 10 == 0
    normalised = torch.nn.functional.batch_norm(features, None, None, training=True, eps=1e-6)
    expected = sum(
        functional.cross_entropy(layer(normalised)[~held], labels[~held]) for layer in model.layers
    )
    torch.testing.assert_close(losses["loss"], expected)
    model.eval()
    assert int(model.chosen) == 1
    found = model([row[None] for row in features], samples, mode="predict")
    predicted = torch.stack([sample.pred_label[0] for sample in found])
    assert (predicted == labels).float().mean() > 0.8  # the norm is that of all batches now
    assert len(predicted.unique()) == 3


def test_logistic_regression_is_that_of_scikit_learn(swin):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    pool = {"type": "mmpretrain.GlobalAveragePooling"}
    model = classifier(swin, "LogisticClassifier", neck=pool, channels=64, grid=[0.5])
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 64)).astype(np.float32)
    labels = np.repeat([0, 2], 15)  # no image of class 1
    features[labels == 2] += 0.3
    model.reserve(30)
    model.train()
    model.loss(torch.from_numpy(features), labelled(labels))
    model.eval()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    scaler = StandardScaler().fit(unit)
    plain = LogisticRegression(C=0.5, max_iter=1000).fit(scaler.transform(unit), labels)
    asked = rng.normal(size=(9, 64)).astype(np.float32)
    found = model.predict([torch.from_numpy(asked)], labelled([0] * 9))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    expected = plain.predict_proba(scaler.transform(asked))
    scores = np.array([sample.pred_score.numpy() for sample in found])
    np.testing.assert_allclose(scores[:, [0, 2]], expected, atol=1e-4)
    assert (scores[:, 1] == 0).all()


def test_an_attentive_probe_learns_where_to_look(swin):
    model = classifier(swin, "AttentiveClassifier", channels=8, heads=2)
    draw = torch.Generator().manual_seed(0)
    maps = torch.randn(48, 8, 3, 3, generator=draw)
    labels = torch.arange(48) % 3
    place = torch.randint(9, (48,), generator=draw)
    for index in range(48):  # one position tells the class
        maps[index, :, place[index] // 3, place[index] % 3] = 0
        maps[index, labels[index], place[index] // 3, place[index] % 3] = 6
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        model.loss(maps, labelled(labels))["loss"].backward()
        optimizer.step()
    assert (model.scores(maps).argmax(1) == labels).float().mean() > 0.95
    assert all(value.grad is None for value in model.backbone.parameters())


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
