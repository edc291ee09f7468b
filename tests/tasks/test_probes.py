"""Linear probe and k-NN: the backbone stays as it is, and votes follow their formula."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS, MODELS
from simmim_bench.tasks import knn
from simmim_bench.training import runner as runner_module
from simmim_bench.training.runner import BenchRunner
from simmim_bench.weights.strict import load_whole

BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.5,
}
POOL = {"type": "mmpretrain.GlobalAveragePooling"}
CLASSES = 3


@pytest.fixture
def probe():
    torch.manual_seed(0)
    return MODELS.build(
        {
            "type": "simmim_bench.LinearProbe",
            "backbone": BACKBONE,
            "neck": POOL,
            "head": {
                "type": "simmim_bench.LinearProbeHead",
                "in_channels": 64,
                "num_classes": CLASSES,
                "loss": {"type": "mmpretrain.CrossEntropyLoss"},
            },
        }
    )


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return MODELS.build(
        {
            "type": "simmim_bench.KNNClassifier",
            "backbone": BACKBONE,
            "neck": POOL,
            "channels": 64,
            "num_classes": CLASSES,
            "neighbours": [1, 5],
        }
    )


def samples(labels, first=0):
    return [
        DataSample(metainfo={"sample_idx": first + i}).set_gt_label(label)
        for i, label in enumerate(labels)
    ]


def test_only_the_linear_layer_is_trained(probe):
    trained = {name for name, value in probe.named_parameters() if value.requires_grad}
    assert trained == {"head.fc.weight", "head.fc.bias"}
    before = {k: v.clone() for k, v in probe.backbone.state_dict().items()}
    probe.train()
    assert probe.training
    assert not any(module.training for module in probe.backbone.modules())
    optimizer = torch.optim.SGD([p for p in probe.parameters() if p.requires_grad], lr=0.1)
    weight = probe.head.fc.weight.clone()
    loss = probe(torch.randn(4, 3, 64, 64), samples([0, 1, 2, 0]), mode="loss")["loss"]
    loss.backward()
    optimizer.step()
    assert not torch.equal(probe.head.fc.weight, weight)
    assert all(torch.equal(v, before[k]) for k, v in probe.backbone.state_dict().items())


def test_the_linear_layer_sees_features_of_unit_variance(probe):
    probe.train()
    features = 7 + 3 * torch.randn(64, 64)
    seen = probe.head.pre_logits((features,))
    assert seen.mean(0).abs().max() < 1e-5
    assert torch.allclose(seen.std(0, unbiased=False), torch.ones(64), atol=1e-4)
    assert not list(probe.head.norm.parameters())


def votes(query, memory, labels, k, temperature=0.07):
    """The formula for one image, in numpy."""
    similarity = memory @ query
    nearest = np.argsort(-similarity)[:k]
    scores = np.zeros(CLASSES)
    for i in nearest:
        scores[labels[i]] += np.exp(similarity[i] / temperature)
    return scores.argmax()


def test_votes_follow_the_formula(classifier):
    generator = np.random.default_rng(0)
    memory, query = generator.normal(size=(50, 64)), generator.normal(size=(20, 64))
    memory /= np.linalg.norm(memory, axis=1, keepdims=True)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    labels = generator.integers(0, CLASSES, 50)
    classifier.reserve(50)
    classifier.features.copy_(torch.tensor(memory))
    classifier.labels.copy_(torch.tensor(labels))
    found = classifier.vote(torch.tensor(query, dtype=torch.float32))
    wanted = [[votes(q, memory, labels, k) for k in (1, 5)] for q in query]
    assert found.tolist() == wanted


def test_it_remembers_each_image_in_its_row(classifier):
    classifier.reserve(6)
    classifier.train()
    images = torch.randn(6, 3, 64, 64)
    for part in (slice(3, 6), slice(0, 3)):
        first = part.start
        labels = [i % CLASSES for i in range(first, first + 3)]
        loss = classifier(images[part], samples(labels, first), mode="loss")["loss"]
    assert loss.item() == 0
    loss.backward()  # distributed training needs a graph
    classifier.eval()
    assert classifier.labels.tolist() == [0, 1, 2, 0, 1, 2]
    features = classifier(images)
    assert torch.allclose(classifier.features, features, atol=1e-6)
    assert torch.allclose(features.norm(dim=1), torch.ones(6), atol=1e-6)
    found = classifier(images, samples([0] * 6), mode="predict")
    assert [sample.knn_label[0].item() for sample in found] == [0, 1, 2, 0, 1, 2]


def test_it_remembers_what_bfloat16_computes(classifier):
    classifier.reserve(2)
    classifier.train()
    images = torch.randn(2, 3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        classifier(images, samples([0, 1]), mode="loss")
    assert classifier.labels.tolist() == [0, 1]
    assert torch.allclose(classifier.features, classifier(images), atol=0.02)
    assert torch.allclose(classifier.features.norm(dim=1), torch.ones(2), atol=1e-6)


def test_processes_share_their_memories(monkeypatch):
    """Rows 0 and 2 were seen here, 1 and 2 elsewhere."""
    rows = torch.nn.functional.normalize(torch.randn(3, 4), dim=1)
    labels = torch.tensor([5, 6, 7])
    seen = {"here": [True, False, True], "there": [False, True, True]}
    held = {
        place: (rows * torch.tensor(mask).unsqueeze(1), torch.where(torch.tensor(mask), labels, -1))
        for place, mask in seen.items()
    }
    known = torch.tensor(seen["there"]).float()
    answers = iter([known, held["there"][0], held["there"][1]])

    def reduce(value, op="sum"):
        other = next(answers)
        value.copy_(value + other if op == "sum" else torch.maximum(value, other))

    monkeypatch.setattr(knn, "all_reduce", reduce)
    features, given = (value.clone() for value in held["here"])
    knn._share(features, given)
    assert torch.allclose(features, rows)
    assert given.tolist() == [5, 6, 7]


def test_a_checkpoint_holds_the_rows_of_all_processes(classifier, monkeypatch, tmp_path):
    """Before, that of two processes held every second image, and the metric came from all."""
    times = []
    monkeypatch.setattr(knn, "_share", lambda _, labels: times.append(labels.fill_(7)))
    saved = []
    monkeypatch.setattr(Runner, "save_checkpoint", lambda self, *_: saved.append(self.model.labels))
    monkeypatch.setattr(runner_module, "is_main_process", lambda: False)
    runner = object.__new__(BenchRunner)
    runner._hooks = []
    classifier.reserve(6)
    runner.model = classifier
    runner.save_checkpoint(str(tmp_path), "epoch_1.pth")
    assert saved[0].tolist() == [7] * 6
    classifier.eval()
    assert len(times) == 1  # the same rows, not added up again
    classifier(torch.rand(1, 3, 64, 64), samples([1]), mode="loss")
    classifier.eval()
    assert len(times) == 2


def test_a_memory_of_any_size_is_taken_from_a_checkpoint(classifier):
    classifier.reserve(7)
    classifier.features.normal_()
    classifier.labels.copy_(torch.arange(7) % CLASSES)
    state = {key: value.clone() for key, value in classifier.state_dict().items()}
    for images in (0, 7, 9):
        classifier.reserve(images)
        load_whole(classifier, {"state_dict": state}, checkpoint="epoch_1.pth", config="knn.py")
        assert torch.equal(classifier.features, state["features"])
        assert torch.equal(classifier.labels, state["labels"])
    state["features"] = state["features"][:, :5]
    with pytest.raises(BenchError, match=r"features: \(7, 5\), expected \(7, 64\)"):
        load_whole(classifier, {"state_dict": state}, checkpoint="epoch_1.pth", config="knn.py")


def test_fewer_images_than_neighbours_all_vote_and_none_is_an_error(classifier):
    classifier.reserve(4)
    classifier.labels[:3] = 1  # one row is empty
    similarity, rows = classifier.nearest(torch.randn(2, 64))
    assert sorted(rows[0].tolist()) == [0, 1, 2]
    assert classifier.votes(similarity, rows).shape[:2] == (2, 3)
    assert (classifier.vote(torch.randn(2, 64)) == 1).all()
    classifier.reserve(4)
    with pytest.raises(BenchError, match=r"no stored images; run simmim-bench train first"):
        classifier.vote(torch.randn(1, 64))


def test_accuracy_of_each_number_of_neighbours():
    metric = METRICS.build({"type": "simmim_bench.KNNAccuracy", "neighbours": [1, 5]})
    for voted, label in (([0, 1], 0), ([2, 1], 1), ([1, 1], 1)):
        sample = DataSample().set_gt_label(label)
        sample.set_field(torch.tensor(voted), "knn_label", dtype=torch.Tensor)
        metric.process(None, [sample.to_dict()])
    found = metric.evaluate(3)
    assert found == {"knn/top1_k1": 100 * 2 / 3, "knn/top1_k5": 100 * 2 / 3}


def test_a_frozen_batch_norm_keeps_its_statistics(probe):
    probe.backbone = nn.Sequential(nn.BatchNorm2d(3))
    probe.train()
    probe.backbone(torch.randn(2, 3, 4, 4))
    assert probe.backbone[0].num_batches_tracked == 0
