"""Label maps are compared with the classes of a config before training."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.data.content import check_content, content_mistakes
from simmim_bench.data.labels import SAMPLE, spread
from simmim_bench.data.prepare.commands import verify_config
from simmim_bench.errors import BenchError

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs/small/upernet_swin-demo.py")
SIZE = (12, 8)  # width, height
SPLITS = ("training", "validation")


@pytest.fixture
def save(tmp_path):
    """Function that writes label maps and their images into both splits; returns the data root."""

    def save(*values, mode=None, size=SIZE, only=SPLITS):
        for split in only:
            for number, given in enumerate(values):
                image = tmp_path / "images" / split / f"{number}.png"
                label = tmp_path / "annotations" / split / f"{number}.png"
                for path in (image, label):
                    path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", SIZE).save(image)
                if isinstance(given, Image.Image):
                    given.save(label)
                    continue
                array = np.resize(np.array(given, np.uint16 if mode == "I;16" else np.uint8), size)
                Image.fromarray(array.T if size == SIZE else array).save(label)
        return str(tmp_path)

    return save


def mistakes(root, *overrides, classes=3, sample=SAMPLE):
    cfg = load_config(CONFIG, data_root=root, num_classes=classes, overrides=list(overrides))
    return list(content_mistakes(cfg, [], sample))


def test_labels_of_the_classes_are_accepted(save):
    assert mistakes(save([1, 2, 3], [1, 255])) == []
    assert mistakes(save([0, 1, 2], [1, 255]), "reduce_zero_label=False") == []


def test_label_0_that_the_config_ignores_stops_the_run(save):
    first, second = mistakes(save([0] * 90 + [1] * 6))
    assert first.startswith("label 0 occurs in 94 % of the pixels of ")
    assert "annotations/training (1 of 1 label maps read) but is ignored by this config" in first
    assert "pass `--cfg-options reduce_zero_label=False`" in first
    assert "ignored_share=0.94" in first
    assert "annotations/validation" in second


def test_label_0_that_the_config_ignores_is_confirmed_by_its_share(save):
    root = save([0] * 90 + [1] * 6)
    assert mistakes(root, "ignored_share=0.94") == []
    assert len(mistakes(root, "ignored_share=0.9")) == 2
    assert mistakes(root, "reduce_zero_label=False", classes=2) == []


def test_a_config_without_a_confirmation_accepts_no_label_0_at_all(save, tmp_path):
    root = save([0] + [1] * 95)
    assert mistakes(root) == []  # the stock config confirms 15 %
    config = tmp_path / "own.py"
    config.write_text(f"_base_ = {CONFIG!r}\nignored_share = None\n", "utf-8")
    cfg = load_config(str(config), data_root=root, num_classes=3)
    assert "label 0 occurs in 1 % of" in next(content_mistakes(cfg, []))


def test_masks_of_0_and_255_stop_the_run(save):
    """Both are ignored, so such a training would learn nothing."""
    [said, _] = mistakes(save([0] * 24 + [255] * 72), "reduce_zero_label=False", classes=2)
    assert said.startswith("75 % of the pixels of ")
    assert "most have label 255; if that is a class, give it a label below 2" in said


@pytest.mark.parametrize("share", ["nan", "2", "-1", "True"])
def test_a_share_that_is_none_is_refused(save, share):
    [said] = mistakes(save([1]), f"ignored_share={share}")
    assert said.startswith("ignored_share must be a number from 0 to 1, got")


def test_a_label_that_is_no_class_is_refused(save):
    root = save([1, 2, 4])
    said = mistakes(root)[0]
    assert "0.png has label 4, but there are 3 classes, 1 to 3 (0 and 255 ignored)" in said
    assert "set --num-classes, or `--cfg-options reduce_zero_label=False`" in said
    assert mistakes(root, classes=4) == []


def test_colours_instead_of_labels_are_refused_and_palettes_are_read(save):
    said = mistakes(save(Image.new("RGB", SIZE)))[0]
    assert "has 3 channels (RGB); a label map has one" in said
    palette = Image.new("P", SIZE, 2)
    palette.putpalette([9, 9, 9] * 256)
    assert mistakes(save(palette)) == []


def test_16_bits_of_which_8_would_be_used_are_refused(save):
    said = mistakes(save([257, 1], mode="I;16"))[0]
    assert "has the 16- or 32-bit format I;16, of which 8 bits would be used" in said


def test_a_label_map_of_another_size_is_refused(save):
    said = mistakes(save([1], size=(12, 8)[::-1]))
    assert said == []
    said = mistakes(save([1], size=(5, 4)))[0]
    assert "is 4 x 5, its image 12 x 8; save them with the same size" in said


def test_a_missing_or_truncated_label_map_is_refused(save, tmp_path):
    root = save([1], [1])
    path = tmp_path / "annotations/training/1.png"
    path.write_bytes(path.read_bytes()[:40])
    [said] = mistakes(root)
    assert f"label map {path} cannot be read" in said
    path.unlink()
    [said] = mistakes(root)
    assert said == f"label map {path} does not exist; add it, or remove its image"


def test_a_sample_is_spread_over_the_set():
    assert spread(list(range(10)), 20) == list(range(10))
    chosen = spread(list(range(1000)), 5)
    assert chosen == [0, 250, 500, 749, 999]


def test_all_label_maps_are_read_if_asked(save):
    root = save(*[[1]] * 3, [9])
    assert mistakes(root, sample=1) == []
    assert len(mistakes(root, sample=None)) == 2


def test_only_the_first_process_of_a_machine_checks(save, monkeypatch):
    cfg = load_config(CONFIG, data_root=save([9]), num_classes=3)
    with pytest.raises(BenchError, match="has label 9"):
        check_content(cfg)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert check_content(cfg) == []


PARTS = ("train_dataloader", "val_dataloader", "test_dataloader")


def values_of(cfg):
    steps = [
        step["reduce_zero_label"]
        for part in PARTS
        for step in cfg[part].dataset.pipeline
        if "reduce_zero_label" in step
    ]
    return [cfg[part].dataset.reduce_zero_label for part in PARTS] + steps


@pytest.mark.parametrize("config", ["small/upernet_swin-demo", "ade20k/upernet_swin-b_160k"])
@pytest.mark.parametrize("value", [True, False])
def test_one_switch_sets_reduce_zero_label_everywhere(config, value):
    path = str(ROOT / f"configs/{config}.py")
    cfg = load_config(path, overrides=[f"reduce_zero_label={value}"])
    assert set(values_of(cfg)) == {value}
    assert len(values_of(cfg)) >= 3


def test_the_switch_can_stand_in_a_config(tmp_path):
    config = tmp_path / "own.py"
    config.write_text(f"_base_ = {CONFIG!r}\nreduce_zero_label = False\n", "utf-8")
    assert set(values_of(load_config(str(config)))) == {False}


@pytest.mark.parametrize(
    "override",
    [
        "train_dataloader.dataset.reduce_zero_label=False",
        "val_dataloader.dataset.pipeline.2.reduce_zero_label=False",
    ],
)
def test_two_of_four_values_of_reduce_zero_label_are_refused(override):
    with pytest.raises(BenchError, match=r"must be the same, True or False, got train_data") as e:
        load_config(CONFIG, overrides=[override])
    assert f"{override.partition('=')[0]}=False" in str(e.value)
    assert "`--cfg-options reduce_zero_label=True`" in str(e.value)


def test_a_dataset_that_does_not_state_the_value_has_label_0_as_class(tmp_path):
    config = tmp_path / "own.py"
    base = f"_base_ = {CONFIG!r}\n"
    config.write_text(
        base + "train_dataloader = dict(dataset=dict(_delete_=True, type='SegLayoutDataset', "
        "num_classes=11, data_prefix=dict(img_path='a', seg_map_path='b'), pipeline=[]))\n"
    )
    with pytest.raises(BenchError, match=r"train_dataloader\.dataset\.reduce_zero_label \(not"):
        load_config(str(config))


@pytest.mark.parametrize("value", ["2", "yes"])
def test_a_switch_that_is_no_bool_is_refused(value):
    with pytest.raises(BenchError, match="must be the same, True or False"):
        load_config(CONFIG, overrides=[f"reduce_zero_label={value}"])


def test_a_confirmation_does_not_change_the_hash_of_a_config():
    plain = resolved_hash(load_config(CONFIG))
    assert resolved_hash(load_config(CONFIG, overrides=["ignored_share=0.5"])) == plain
    assert resolved_hash(load_config(CONFIG, overrides=["reduce_zero_label=True"])) == plain
    assert resolved_hash(load_config(CONFIG, overrides=["reduce_zero_label=False"])) != plain


def test_verify_reads_every_label_map_of_a_config(save):
    root = save(*[[1]] * 100)
    cfg = load_config(CONFIG, data_root=root, num_classes=3)
    names = sorted(path.name for path in Path(root, "annotations/training").iterdir())
    [unread, *_] = sorted(set(names) - set(spread(names, SAMPLE)))
    labels = np.full((8, 12), 9, np.uint8)
    Image.fromarray(labels).save(Path(root, "annotations/training", unread))
    assert list(content_mistakes(cfg, [])) == []
    console = Console(file=io.StringIO(), width=80)
    assert verify_config(cfg, console=console) == 1
    printed = console.file.getvalue()
    assert f"{unread} has label 9, but there are 3 classes" in printed
    assert "mistakes: 1, in 2 sets" in printed
    accepted = load_config(CONFIG, data_root=root, num_classes=9)
    assert verify_config(accepted, console=console) == 0
