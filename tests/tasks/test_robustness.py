"""Sets that a classifier was not trained for: labels, corruptions and metrics by plain loops."""

import io
import math
import types

import numpy as np
import pytest
import timm.data
import torch
from mmengine.structures import BaseDataElement
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from PIL import Image
from scipy.ndimage import gaussian_filter
from timm.data.real_labels import RealLabelsImagenet

from simmim_bench.errors import BenchError
from simmim_bench.shipped import CONFIGS
from simmim_bench.tasks import robustness
from simmim_bench.tasks.robustness import (
    SEVERITIES,
    ClassFolders,
    Corrupt,
    CorruptedImages,
    CorruptionFolders,
    RealLabels,
    RobustAccuracy,
    class_names,
    restrict,
    timm_info,
)
from tests.configs.reader import read_config

ALL = "imagenet_synsets.txt"
INFO = timm.data.ImageNetInfo()


def save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(values).save(path, "PNG")
    return path


def labels_of(dataset):
    """Label of each image by its path below the data."""
    entries = [dataset.get_data_info(number) for number in range(len(dataset))]
    below = [entry["img_path"].removeprefix(str(dataset.data_root) + "/") for entry in entries]
    return {name: entry["gt_label"] for name, entry in zip(below, entries, strict=True)}


def test_synsets_are_looked_up_in_imagenets_order(tmp_path):
    wnids = ["n03594945", "n01440764", "n15075141"]
    for wnid in wnids:
        save(tmp_path / wnid / "1.png")
    found = labels_of(ClassFolders(classes=ALL, data_root=str(tmp_path), pipeline=[]))
    assert found == {f"{wnid}/1.png": INFO.label_names().index(wnid) for wnid in wnids}
    assert sorted(found.values()) == [0, 609, 999]


def test_folders_of_imagenet_v2_are_numbers(tmp_path):
    """Sorted as text 10 comes before 2, and 100 before 11."""
    numbers = [0, 2, 10, 11, 100, 999]
    for number in numbers:
        save(tmp_path / str(number) / "1.png")
    made = ClassFolders(classes=ALL, numbered=True, data_root=str(tmp_path), pipeline=[])
    assert labels_of(made) == {f"{number}/1.png": number for number in numbers}
    assert made.kept is None


@pytest.mark.parametrize("which", ["a", "r"])
def test_a_subset_knows_its_classes_alone(which, tmp_path):
    subset = f"imagenet_{which}_synsets.txt"
    indices = [int(line) for line in timm_info(f"imagenet_{which}_indices.txt").split()]
    for wnid in class_names(subset)[:3]:
        save(tmp_path / wnid / "1.png")
    made = ClassFolders(classes=ALL, subset=subset, data_root=str(tmp_path), pipeline=[])
    assert list(made.kept) == indices
    assert sorted(labels_of(made).values()) == indices[:3]
    assert len(made.metainfo["classes"]) == 1000
    other = next(wnid for wnid in INFO.label_names() if wnid not in class_names(subset))
    save(tmp_path / other / "1.png")
    with pytest.raises(
        BenchError, match=f"has the folder {other}, which is none of the 200 classes"
    ):
        ClassFolders(classes=ALL, subset=subset, data_root=str(tmp_path), pipeline=[])


def real_label_folder(root, numbers):
    for number in numbers:
        save(root / "val" / "n01440764" / f"ILSVRC2012_val_{number:08d}.JPEG")
    return {"classes": ALL, "data_root": str(root), "data_prefix": "val", "pipeline": []}


def test_real_labels_are_those_of_timm_and_images_without_are_left_out(tmp_path):
    given = real_label_folder(tmp_path, range(1, 40))
    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)]
    theirs = RealLabelsImagenet(names).real_labels
    found = labels_of(RealLabels(**given))
    expected = {name: theirs[name] for name in names[:39] if theirs[name]}
    assert {name.rpartition("/")[2]: labels for name, labels in found.items()} == expected
    assert 25 < len(found) < 39
    assert any(len(labels) > 1 for labels in found.values())


@pytest.mark.parametrize("name", ["1.JPEG", "ILSVRC2012_val_00050001.JPEG"])
def test_an_image_whose_real_labels_are_unknown(name, tmp_path):
    given = real_label_folder(tmp_path, [1, 2])
    save(tmp_path / "val" / "n01440764" / name)
    with pytest.raises(BenchError, match=f"{name} is not named as an image of ImageNet's validat"):
        RealLabels(**given)


@pytest.mark.parametrize(
    "text", ["{", "[[1], [2]]", str([[1000]] + [[]] * 49_999), "7", str([3] * 50_000)]
)
def test_labels_that_cannot_be_read(text, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "timm_info", lambda name: ALL if name == ALL else text)
    monkeypatch.setattr(robustness, "class_names", lambda _: INFO.label_names())
    with pytest.raises(
        BenchError, match=r"imagenet_real_labels\.json of timm does not have a list"
    ):
        RealLabels(**real_label_folder(tmp_path, [1]))


def test_a_list_that_timm_lacks():
    with pytest.raises(BenchError, match=r"imagenet_b_synsets\.txt of timm cannot be read"):
        class_names("imagenet_b_synsets.txt")


def test_the_best_of_some_classes_is_that_of_a_loop():
    """Also where a softmax of all classes would round the kept ones to zero."""
    torch.manual_seed(0)
    kept = [1, 4, 6]
    head = LinearClsHead(num_classes=9, in_channels=5)
    with torch.no_grad():
        head.fc.bias[0] += 500.0
    features = torch.randn(40, 5)
    logits = head((features,)).detach().numpy()
    restrict(head, kept)
    predicted = head.predict((features,), [DataSample() for _ in features])
    answers = []
    for row in logits:
        best = kept[0]
        for number in kept:
            if row[number] > row[best]:
                best = number
        answers.append(best)
    assert [int(sample.pred_label) for sample in predicted] == answers
    assert set(answers) == set(kept)
    for row, sample in zip(logits, predicted, strict=True):
        shares = np.exp(row[kept] - row[kept].max())
        assert sample.pred_score[kept].detach().numpy() == pytest.approx(
            shares / shares.sum(), rel=1e-4
        )


def evaluate(metric, samples):
    for sample in samples:
        metric.process(None, [BaseDataElement(metainfo=sample.pop("meta"), **sample).to_dict()])
    return metric.evaluate(len(samples))


def test_an_answer_counts_if_it_is_one_of_the_labels():
    generator = np.random.default_rng(0)
    scores = generator.random((50, 6)).astype(np.float32)
    labels = [sorted(generator.choice(6, generator.integers(1, 4), False)) for _ in scores]
    right = 0
    for row, each in zip(scores, labels, strict=True):
        if max(range(6), key=lambda number: row[number]) in each:
            right += 1
    samples = [
        {"pred_score": torch.tensor(row), "gt_label": torch.tensor(each), "meta": {}}
        for row, each in zip(scores, labels, strict=True)
    ]
    found = evaluate(RobustAccuracy(), samples)
    assert found == {"robustness/top1": pytest.approx(100 * right / 50)}
    assert 0 < right < 50


def test_the_mean_corruption_error_is_its_formula():
    """Sum of errors over severities, divided by that of the reference, averaged (section 4.1)."""
    generator = np.random.default_rng(1)
    references = {"snow": 86.7, "fog": 81.9}
    rates = {name: generator.random(5) for name in references}
    samples, errors = [], {name: [] for name in references}
    for name in references:
        for severity, rate in zip(SEVERITIES, rates[name], strict=True):
            right = generator.random(10 * severity) < rate  # not as many images everywhere
            errors[name].append(np.mean(~right))
            for each in right:
                meta = {"corruption": name, "severity": severity}
                scores = torch.tensor([0.1, 0.9] if each else [0.9, 0.1])
                samples.append({"pred_score": scores, "gt_label": torch.tensor([1]), "meta": meta})
    found = evaluate(RobustAccuracy(reference_errors=references), samples)
    ratios = [sum(errors[name]) / (5 * references[name] / 100) for name in references]
    assert found["robustness/mce"] == pytest.approx(100 * np.mean(ratios))
    top1 = {name: 100 * (1 - np.mean(each)) for name, each in errors.items()}
    assert found["robustness/snow"] == pytest.approx(top1["snow"])
    assert found["robustness/top1"] == pytest.approx(np.mean([*top1.values()]))


def test_the_published_error_of_alexnet_is_a_mean_corruption_error_of_100():
    """Rounded errors of table 1; the config has more digits."""
    errors = dict(
        read_config(CONFIGS / "robustness" / "imagenet-c.py").test_evaluator.reference_errors
    )
    table = [88.6, 89.4, 92.3, 82.0, 82.6, 78.6, 79.8, 86.7, 82.7, 81.9, 56.5, 85.3, 64.6, 71.8,
             60.7]  # fmt: skip
    assert list(errors.values()) == pytest.approx(table, abs=0.0501)
    metric = RobustAccuracy(reference_errors=errors)
    results = [(name, 1, number >= 1e4 * error / 100) for name, error in errors.items()
               for number in range(10_000)]  # fmt: skip
    assert metric.compute_metrics(results)["mce"] == pytest.approx(100, abs=0.01)


def test_imagenet_c_is_read_by_corruption_and_severity(tmp_path):
    for name in ("fog", "snow"):
        for severity in SEVERITIES:
            save(tmp_path / name / str(severity) / "n15075141" / "1.png")
    save(tmp_path / "spatter" / "1" / "n15075141" / "1.png")  # of extra.tar
    given = {"classes": ALL, "data_root": str(tmp_path), "pipeline": []}
    given["data_prefix"] = {"fog": "fog", "snow": "snow"}
    made = CorruptionFolders(**given)
    found = [made.get_data_info(number) for number in range(len(made))]
    assert {(each["corruption"], each["severity"]) for each in found} == {
        (name, severity) for name in ("fog", "snow") for severity in range(1, 6)
    }
    for each in found:
        place = tmp_path / each["corruption"] / str(each["severity"]) / "n15075141" / "1.png"
        assert (each["img_path"], each["gt_label"]) == (str(place), 999)
    for path in (tmp_path / "snow" / "4").rglob("*.png"):
        path.unlink()
    with pytest.raises(BenchError, match=r"snow/4 has no images"):
        CorruptionFolders(**given)


def corrupted(tmp_path, corruptions):
    for name in ("a", "b"):
        save(tmp_path / "val" / name / "1.png", seed=ord(name))
    return CorruptedImages(
        classes=["a", "b"],
        corruptions=corruptions,
        data_root=str(tmp_path),
        data_prefix="val",
        pipeline=[{"type": "simmim_bench.LoadImage"}, {"type": "simmim_bench.Corrupt"}],
    )


def test_noise_depends_on_image_corruption_and_severity_alone(tmp_path):
    made = corrupted(tmp_path, {"gaussian_noise": [0.1] * 5})
    torch.manual_seed(0)
    first = [sample["img"] for sample in made]
    state = torch.get_rng_state()
    again = [made[number]["img"] for number in reversed(range(10))][::-1]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    clean = {name: np.asarray(Image.open(tmp_path / "val" / name / "1.png")) for name in "ab"}
    noise = [
        (each.astype(float) - clean["ab"[number % 2]][..., ::-1]).ravel()
        for number, each in enumerate(first)
    ]
    alike = np.corrcoef(noise) - np.eye(10)
    assert np.abs(alike).max() < 0.2


def change(name, strength, image):
    results = {"img": image[..., ::-1].copy(), "corruption": name, "strength": strength, "seed": 7}
    return Corrupt().transform(results)["img"][..., ::-1]


@pytest.fixture
def photograph():
    import skimage.data

    return np.ascontiguousarray(skimage.data.astronaut()[100:164, 180:244])


def test_corruptions_are_those_of_other_libraries(photograph):
    """Pillow's and SciPy's, within a level or two."""
    values = photograph.astype(float)
    noise = change("gaussian_noise", 0.1, np.full((64, 64, 3), 128, np.uint8)) - 128.0
    assert noise.std() == pytest.approx(25.5, rel=0.03)
    assert abs(noise.mean()) < 1
    blurred = gaussian_filter(values, (1.25, 1.25, 0), mode="mirror")
    assert np.abs(change("gaussian_blur", 1.25, photograph) - blurred).max() <= 1
    grey = (values @ [0.299, 0.587, 0.114]).mean()
    assert np.abs(change("contrast", 0.2, photograph) - (0.2 * values + 0.8 * grey)).max() <= 1.5
    small = Image.fromarray(photograph).resize((38, 38), Image.Resampling.BOX)
    large = np.asarray(small.resize((64, 64), Image.Resampling.BOX))
    assert np.array_equal(change("pixelate", 0.6, photograph), large)
    stream = io.BytesIO()
    Image.fromarray(photograph).save(stream, "JPEG", quality=40)
    stored = np.asarray(Image.open(stream)).astype(float)
    assert np.abs(change("jpeg_compression", 40, photograph) - stored).mean() < 0.5


def test_each_severity_of_the_demo_changes_more(photograph):
    dataset = read_config(CONFIGS / "robustness" / "demo-c.py").test_dataloader.dataset
    assert len(dataset.corruptions) == 5
    for name, strengths in dataset.corruptions.items():
        errors = [np.square(change(name, each, photograph) - photograph.astype(float)).mean()
                  for each in strengths]  # fmt: skip
        assert errors == sorted(set(errors)), name
        assert not math.isclose(errors[0], 0)


@pytest.mark.parametrize("given", [{"rain": [1] * 5}, {"contrast": [0.4, 0.3]}])
def test_an_unknown_corruption(given, tmp_path):
    with pytest.raises(BenchError, match=r"corruptions has .* expected 5 for each of gaussian_noi"):
        corrupted(tmp_path, given)


def test_labels_do_not_depend_on_which_folders_are_there(tmp_path):
    made = corrupted(tmp_path, {"contrast": [0.5] * 5})
    assert types.SimpleNamespace(**made.get_data_info(1)).gt_label == 1
    save(tmp_path / "val" / "c" / "1.png")
    with pytest.raises(BenchError, match=r"has the folder c, which is none of the 2 classes"):
        corrupted(tmp_path, {"contrast": [0.5] * 5})
