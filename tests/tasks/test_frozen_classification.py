"""Probes of classification: linear layers, logistic regression, attention."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from torch.nn import functional

from simmim_bench.registry import MODELS
from simmim_bench.tasks import frozen_classification

GRID = {"channels": 64, "rates": 3, "held_out": 10}


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
    model = classifier(swin, "LinearGrid", **GRID)
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


def counted(model, right):
    """``model`` after a step in which ``right`` held-out images were classified right."""
    model.train()
    model.loss(torch.zeros(4, 64), labelled([0, 1, 1, 1], first=1))
    model.right.copy_(torch.tensor(right))
    return model


def test_a_process_without_a_hit_takes_part_in_the_choice(swin, monkeypatch):
    def add_those_of_others(right):
        right += torch.tensor([1.0, 5.0, 2.0])

    monkeypatch.setattr(frozen_classification, "all_reduce", add_those_of_others)
    model = counted(classifier(swin, "LinearGrid", **GRID), [0.0, 0.0, 0.0])
    model.eval()
    assert int(model.chosen) == 1


def test_a_checkpoint_has_the_choice_and_counts_of_all_processes(swin, monkeypatch):
    def add_those_of_others(right):
        right += torch.tensor([0.0, 4.0, 0.0])

    model = counted(classifier(swin, "LinearGrid", **GRID), [3.0, 0.0, 0.0])
    with monkeypatch.context() as other:
        other.setattr(frozen_classification, "all_reduce", add_those_of_others)
        model.share_between_processes()  # before a checkpoint inside an epoch
    resumed = classifier(swin, "LinearGrid", **GRID)
    resumed.load_state_dict(model.state_dict())
    assert int(resumed.chosen) == 1
    resumed.train()
    resumed.loss(torch.zeros(4, 64), labelled([0, 1, 1, 1], first=1))
    assert resumed.right.tolist() == [3.0, 4.0, 0.0]  # index 10 is not among them
    resumed.eval()
    resumed.train()
    assert not resumed.right.any()


def test_without_a_hit_a_warning_names_another_probe(swin, caplog):
    model = counted(classifier(swin, "LinearGrid", **GRID), [0.0, 0.0, 0.0])
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    model.eval()
    logger.removeHandler(caplog.handler)
    assert "no layer is right on a held-out training image" in caplog.text


@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 1, 2], "C = 1, as every class"), ([0] * 6 + [1] * 4 + [2], "C = 0.5 of 1")],
)
def test_logistic_regression_of_classes_with_one_image(swin, caplog, labels, said):
    pool = {"type": "mmpretrain.GlobalAveragePooling"}
    model = classifier(swin, "LogisticClassifier", neck=pool, channels=64, grid=[0.5])
    model.reserve(len(labels))
    model.train()
    model.loss(torch.randn(len(labels), 64), labelled(labels))
    model.eval()
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    logger.setLevel("INFO")
    assert model.scores(torch.randn(2, 64)).isfinite().all()
    logger.removeHandler(caplog.handler)
    assert said in caplog.text


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


def test_the_first_process_alone_continues_with_the_counts_of_a_checkpoint(swin, monkeypatch):
    model = classifier(swin, "LinearGrid", **GRID)
    saved = {**model.state_dict(), "right": torch.tensor([3.0, 4.0, 0.0])}
    for rank, expected in ((0, [3, 4, 0]), (1, [0, 0, 0])):
        monkeypatch.setattr(frozen_classification, "get_rank", lambda rank=rank: rank)
        model.load_state_dict(saved)
        assert model.right.tolist() == expected


def test_classes_of_which_all_images_are_held_out_are_told(swin, monkeypatch):
    model = classifier(swin, "LinearGrid", **GRID).train()
    said = []
    logger = SimpleNamespace(info=said.append, warning=said.append)
    monkeypatch.setattr(MMLogger, "get_current_instance", lambda: logger)
    model.loss(torch.randn(4, 64), labelled([2, 0, 1, 1]))  # the first one is held out
    model.eval()
    assert any("all images of 1 class(es) are held out" in text for text in said)
