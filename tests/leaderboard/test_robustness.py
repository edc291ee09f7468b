"""One classifier on every test set: accuracies of a loop over the files, and a record of each."""

import json

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from rich.console import Console
from timm.data import ImageNetInfo
from timm.data.real_labels import RealLabelsImagenet

from simmim_bench.commands import parser_of
from simmim_bench.config import load_config
from simmim_bench.data.layouts import CORRUPTIONS
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.records.protocols import Protocol, check_known
from simmim_bench.records.record import Record
from simmim_bench.records.schema import read_model
from simmim_bench.shipped import CONFIGS
from simmim_bench.tasks.robustness import class_names
from simmim_bench.training import robustness as module
from simmim_bench.training.robustness import fill, find_sets, measure, open_classifier, robustness
from tests.configs.reader import read_config

WNIDS = ImageNetInfo().label_names()
SIZE = 32  # px, of the model's images
PROTOCOL = CONFIGS / "_base_" / "protocols" / "imagenet-finetune-224-100e.py"
PIPELINE = [
    {"type": "simmim_bench.LoadImage"},
    {"type": "ResizeEdge", "scale": 40, "edge": "short", "backend": "pillow",
     "interpolation": "bicubic"},
    {"type": "CenterCrop", "crop_size": SIZE},
    {"type": "PackInputs"},
]  # fmt: skip


def save_run(folder, toy, classes, *, protocol=None, pipeline=PIPELINE, **changes):
    """A finished training of a small ResNet whose answers depend on the image."""
    cfg = read_config(CONFIGS / "demo" / "classification_resnet-demo.py")
    cfg.model.head.num_classes = cfg.model.data_preprocessor.num_classes = len(classes)
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    cfg.model.head.in_channels = 64
    cfg.protocol = protocol or {**load_config(str(PROTOCOL)).protocol, "image_size": SIZE}
    cfg.test_dataloader.dataset.pipeline = pipeline
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    torch.manual_seed(0)
    model.init_weights()
    for layer in (layer for layer in model.modules() if hasattr(layer, "running_mean")):
        layer.momentum = None
    model.train()
    model.extract_feat(torch.randn(64, 3, SIZE, SIZE))  # statistics of its batch norms
    torch.nn.init.normal_(model.head.fc.weight)
    meta = {"cfg": cfg.pretty_text, "dataset_meta": {"classes": classes}, "epoch": 1}
    folder.mkdir(parents=True)
    path = folder / "epoch_1.pth"
    torch.save({"state_dict": model.state_dict(), "meta": meta}, path)
    given = {
        "outputs": {"checkpoint": {"path": path.name, "sha256": sha256_file(path)}},
        "protocol": cfg.protocol.to_dict(),
        "metrics": dict.fromkeys(cfg.protocol.metrics, 50.0),
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(toy.manifest_fields(**given)))
    return model.eval()


def picture(path, number, size=(52, 44)):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(number)
    small = generator.integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path, "PNG")
    return path


def logits_of(model, path, *, cropped=False):
    """By Pillow alone."""
    image = Image.open(path)
    if cropped:
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    else:
        short = min(image.size)
        image = image.resize([side * 40 // short for side in image.size], Image.Resampling.BICUBIC)
        left, top = ((side - SIZE + 1) // 2 for side in image.size)
        image = image.crop((left, top, left + SIZE, top + SIZE))
    values = (np.asarray(image, np.float32) - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    tensor = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)[None]
    with torch.no_grad():
        return model.head.fc(model.neck(model.extract_feat(tensor, stage="backbone"))[0])[0].numpy()


def best(logits, kept):
    return max(kept, key=lambda number: logits[number])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, toy):
    folder = tmp_path_factory.mktemp("run") / "seed0"
    return folder, save_run(folder, toy, tuple(WNIDS))


@pytest.fixture(scope="module")
def expected(finished, tmp_path_factory):
    """Test sets of few images, about half of them right; top-1 of each by a loop."""
    _, model = finished
    root, spare = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("spare") / "1.png"
    found, everything = {}, range(1000)

    def put(name, count, kept, label_of, folder_of, start):
        right = 0
        for number in range(start, start + count):
            answer = best(logits_of(model, picture(spare, number)), kept)
            label = answer if number % 2 else label_of(number)
            right += answer == label
            place = root / name / folder_of(label)
            place.mkdir(parents=True, exist_ok=True)
            spare.rename(place / f"{number}.png")
        found[name] = 100 * right / count

    for name in ("imagenet-a", "imagenet-r"):
        kept = [WNIDS.index(wnid) for wnid in class_names(f"{name.replace('-', '_')}_synsets.txt")]
        put(name, 20, kept, lambda number, kept=kept: kept[number % 200], WNIDS.__getitem__, 0)
    put("imagenet-v2", 20, everything, lambda number: 7 * number % 1000, str, 100)
    put(
        "imagenet-sketch", 20, everything, lambda number: 11 * number % 1000, WNIDS.__getitem__, 200
    )

    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)]
    labels = RealLabelsImagenet(names).real_labels
    folder, right, counted = root / "imagenet" / "val" / "n01440764", 0, 0
    (root / "imagenet" / "train").mkdir(parents=True)
    for number in range(24):
        answer = best(logits_of(model, picture(spare, number)), everything)
        name = names[number - 1]  # the first image has no label
        if number % 3 == 0:
            name = next(each for each in names[2000 * number + 100 :] if answer in labels[each])
        folder.mkdir(parents=True, exist_ok=True)
        spare.rename(folder / name)
        counted += bool(labels[name])
        right += answer in labels[name]
    found["imagenet-real"] = 100 * right / counted
    assert counted < 24

    accuracies = {}
    for corruption, name in enumerate(CORRUPTIONS):
        right = 0
        for severity in range(1, 6):
            number = 1000 + 5 * corruption + severity
            answer = best(
                logits_of(model, picture(spare, number, (48, 48)), cropped=True), everything
            )
            label = answer if number % 4 < corruption % 4 else (answer + 1) % 1000
            right += answer == label
            place = root / "imagenet-c" / name / str(severity) / WNIDS[label]
            place.mkdir(parents=True)
            spare.rename(place / "1.png")
        accuracies[name] = 100 * right / 5
    found["imagenet-c"] = float(np.mean([*accuracies.values()]))
    return root, found, accuracies


@pytest.fixture
def data(expected, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(expected[0]))
    return expected[0]


def test_accuracies_are_those_of_a_loop_and_become_records(finished, expected, data, tmp_path):
    _, found, accuracies = expected
    classifier = open_classifier(finished[0])
    module.prepare("none", "mmpretrain")
    sets = find_sets(None, classifier)
    assert set(sets) == set(found)
    for name, cfg in sets.items():
        fill(cfg, classifier, batch=7)
        cfg.test_dataloader.num_workers = 0
        measured, _, path = measure(name, cfg, classifier, tmp_path / name)
        assert measured["robustness/top1"] == pytest.approx(found[name]), name
        assert 20 < found[name] < 80
        assert json.loads((tmp_path / name / "test.json").read_text()) == measured
        record = read_model(Record, path, remedy="")
        assert record.metrics == {"top1": measured["robustness/top1"]}
        assert (record.protocol.id, record.seed, record.deviations) == (name, 0, [])
        check_known(record.protocol, path, deviates=False)
        assert (record.cost.device_count, record.curves) == (1, {})
        assert record.cost.wall_seconds < 60
        if name == "imagenet-c":
            errors = cfg.test_evaluator.reference_errors
            ratios = [(100 - accuracies[each]) / errors[each] for each in CORRUPTIONS]
            assert measured["robustness/mce"] == pytest.approx(100 * np.mean(ratios))
            for each in CORRUPTIONS:
                assert measured[f"robustness/{each}"] == pytest.approx(accuracies[each])


DEMO = tuple(f"digit_{digit}" for digit in range(10))


def args_of(*words):
    return parser_of("robustness").parse_args([str(word) for word in words])


def test_the_demo_with_one_command(toy, tmp_path, monkeypatch, capsys):
    """A run of another protocol deviates, and has no column of ImageNet."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    for number in range(4):
        picture(tmp_path / "demo" / "imagenet" / "val" / DEMO[number % 3] / f"{number}.png", number)
    protocol = dict(read_config(CONFIGS / "any" / "demo_classification.py").protocol)
    save_run(tmp_path / "run", toy, DEMO, protocol=protocol)
    out = tmp_path / "out"
    robustness(args_of(tmp_path / "run", "--out", out, "--batch", 50), Console())
    record = read_model(Record, out / "demo-c" / "record.json", remedy="")
    assert (record.protocol.id, record.protocol.epochs) == ("demo-c", 5)
    assert record.deviations == ["trained by demo-finetune-2e@1"]
    measured = json.loads((out / "demo-c" / "test.json").read_text())
    assert len(measured) == 1 + 5
    printed = capsys.readouterr().out
    assert f"next: simmim-bench leaderboard add {out}/demo-c/record.json" in printed.replace(
        "\n", ""
    )
    assert "demo-c   100" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--sets", "imagenet-x"],
            "there is no test set 'imagenet-x'; sets are demo-c, imagenet-a,",
        ),
        (
            ["--sets", "configs/demo/classification_resnet-demo.py"],
            "is not a test set, which has",
        ),
        (
            ["--sets", "demo-c"],
            r"does not fit demo-c: it has 1000 classes \(n01440764 to n15075141",
        ),
        (
            ["--sets", "imagenet-r"],
            r"imagenet-r: no data at .*imagenet-r; prepare it with `simmim-b",
        ),
    ],
)
def test_bad_sets_are_one_sentence(words, sentence, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(BenchError, match=sentence):
        robustness(args_of(finished[0], "--out", tmp_path / "out", *words), Console())
    assert not (tmp_path / "out").exists()


OWN = """
_base_ = ["simmim_bench::_base_/runtime/default.py", "simmim_bench::_base_/tasks/robustness.py"]
protocol = dict(id="mine", version=1, dataset="Mine", split="test", image_size=64, {length})
robustness = dict(trained_by=None)
test_dataloader = dict(num_workers=0, dataset=dict(data_root="{root}", {more}))
"""


def test_a_set_of_ones_own(toy, tmp_path):
    picture(tmp_path / "mine" / "digit_3" / "1.png", 1)
    model = save_run(tmp_path / "run", toy, DEMO, protocol=toy_protocol())
    config = tmp_path / "mine.py"
    words = (tmp_path / "run", "--out", tmp_path / "out", "--sets", config)

    def write(length="epochs=5", more=f"classes={list(DEMO)}"):
        config.write_text(OWN.format(root=tmp_path / "mine", length=length, more=more))

    for given, sentence in (
        ({"length": "primary=None"}, "primary"),
        ({"more": "classes=[]"}, "is not a test set, which has `robustness` and `classes`"),
    ):
        write(**given)
        with pytest.raises(BenchError, match=sentence):
            robustness(args_of(*words), Console())
        assert not (tmp_path / "out").exists()
    write()
    robustness(args_of(*words), Console())
    record = read_model(Record, tmp_path / "out" / "mine" / "record.json", remedy="")
    answer = best(logits_of(model, tmp_path / "mine" / "digit_3" / "1.png"), range(10))
    assert record.metrics == {"top1": 100.0 * (answer == 3)}
    assert (record.deviations, record.protocol.id) == ([], "mine")


def test_classes_in_another_order_do_not_fit(toy, tmp_path):
    save_run(tmp_path / "run", toy, DEMO[::-1], protocol=toy_protocol())
    with pytest.raises(
        BenchError, match=r"it has 10 classes \(digit_9 to digit_0\), expected 1000"
    ):
        robustness(args_of(tmp_path / "run", "--out", tmp_path / "out"), Console())


def toy_protocol():
    return dict(read_config(CONFIGS / "demo" / "classification_resnet-demo.py").protocol)


def test_a_checkpoint_that_is_no_classifier(toy, tmp_path):
    with pytest.raises(BenchError, match="none does not exist; give the work dir of a training"):
        open_classifier(tmp_path / "none")
    protocol = {**toy_protocol(), "task": "segmentation"}
    save_run(tmp_path / "maps", toy, DEMO, protocol=protocol)
    with pytest.raises(
        BenchError, match=r"is not a classifier with a head \(its task is 'segmenta"
    ):
        open_classifier(tmp_path / "maps")
    torch.save({"state_dict": {}}, tmp_path / "bare.pth")
    with pytest.raises(BenchError, match=r"bare.pth does not contain the config of a training"):
        open_classifier(tmp_path / "bare.pth")


def test_a_checkpoint_with_a_step_that_is_not_known(toy, tmp_path, data):
    steps = [PIPELINE[0], {"type": "mmcv.LoadAnything"}, PIPELINE[-1]]
    save_run(tmp_path / "run", toy, tuple(WNIDS), pipeline=steps)
    with pytest.raises(
        BenchError, match=r"has the step 'mmcv.LoadAnything'; it can have LoadImage"
    ):
        robustness(args_of(tmp_path / "run", "--sets", "imagenet-v2"), Console())


@pytest.mark.parametrize("command", ["train", "test"])
def test_a_set_is_no_training(command):
    config = str(CONFIGS / "robustness" / "imagenet-a.py")
    from simmim_bench.recipe.any_backbone import check_filled

    with pytest.raises(
        BenchError, match=r"has no model: .* run `simmim-bench robustness RUN --sets"
    ):
        check_filled(load_config(config), config)


def test_every_set_states_a_protocol_of_its_own():
    files = sorted((CONFIGS / "robustness").glob("*.py"))
    assert len(files) == 7
    for path in files:
        protocol = Protocol(**read_config(path).protocol)
        assert (protocol.id, protocol.task, protocol.primary) == (
            path.stem,
            "classification",
            "top1",
        )
