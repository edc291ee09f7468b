"""Files of `predict`: names, damaged images, what is refused, and what is left alone."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from simmim_bench.analysis.predict.given import find_given
from simmim_bench.analysis.predict.images import as_picture
from simmim_bench.data.image_files import SUFFIXES
from simmim_bench.io import sha256_file

SYSTEM = {"type": "os.system", "command": "touch marker"}


@pytest.fixture
def folder(tmp_path):
    """Images of the same stem, in folders of odd names, one of them damaged."""
    folder = tmp_path / "in"
    for name in ("a/1.png", "a/1.jpg", "b ü/1.png", "b ü/x y.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), "green").save(folder / name)
    (folder / "a/notes.txt").write_text("no image")
    return folder


def test_names_are_kept_and_differ(folder):
    given = find_given([folder], SUFFIXES)
    assert [each.name for each in given] == ["a/1.jpg", "a/1.png", "b ü/1.png", "b ü/x y.png"]
    assert [each.stem for each in given] == ["a/1.jpg", "a/1.png", "b ü/1", "b ü/x y"]
    several = find_given([folder / "a", folder / "b ü/1.png", folder / "a/1.png"], SUFFIXES)
    assert [each.name for each in several] == ["a/1.jpg", "a/1.png", "b ü/1.png"]


def test_a_damaged_image_is_named_and_skipped(folder, runs, predict, tmp_path):
    damaged = folder / "a/cut.png"
    damaged.write_bytes((folder / "a/1.png").read_bytes()[:60])
    run = runs("masks")
    before = {path: sha256_file(path) for path in run.folder.rglob("*") if path.is_file()}
    done = predict(run.folder, folder, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"image {damaged} cannot be read" in done.stdout
    assert "cut.png cannot be read (image file is truncated" in done.stdout
    assert "restore it or leave it out" in done.stdout
    assert "skipped: 1 of 5 images, which cannot be read; " in done.stdout
    assert str(damaged) in (tmp_path / "out/skipped.csv").read_text("utf-8")
    written = sorted((tmp_path / "out/pictures").rglob("*.png"))
    names = ["a/1.jpg.png", "a/1.png.png", "b ü/1.png", "b ü/x y.png"]
    assert [str(path.relative_to(tmp_path / "out/pictures")) for path in written] == names
    after = {path: sha256_file(path) for path in run.folder.rglob("*") if path.is_file()}
    assert after == before
    only = predict(run.folder, damaged, "--out", tmp_path / "none")
    assert only.returncode == 2
    assert "none of 1 images can be read" in only.stderr
    assert not (tmp_path / "none").exists()


def refused(predict, *words):
    done = predict(*words)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    return line


def test_what_is_not_there_is_said_before_anything_is_read(folder, runs, predict, tmp_path):
    run = runs("masks").folder
    assert "/nothing does not exist; give the work dir" in refused(
        predict, tmp_path / "nothing", folder
    )
    assert f"image {folder}/none.png does not exist" in refused(predict, run, folder / "none.png")
    assert f"{folder} has no checkpoint (epoch_N.pth" in refused(predict, folder, folder)
    config = tmp_path / "some.py"
    config.write_text("")
    assert "some.py is not a checkpoint" in refused(predict, config, folder)
    assert "has no images: found 1 .txt" in refused(predict, run, _only_text(tmp_path))
    inside = refused(predict, run, folder, "--out", run / "more")
    assert f"is in {run}, which stays as it is; give another folder" in inside


def _only_text(tmp_path):
    folder = tmp_path / "text"
    folder.mkdir()
    (folder / "a.txt").write_text("")
    return folder


def test_a_file_that_is_no_checkpoint_of_a_training(folder, predict, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "backbone.pth")
    said = refused(predict, tmp_path / "backbone.pth", folder)
    assert "does not contain the config of a training" in said
    (tmp_path / "epoch_1.pth").write_bytes(b"PK nothing")
    assert "is truncated or damaged" in refused(predict, tmp_path / "epoch_1.pth", folder)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("retrieval", "it compares images with captions; measure it on its data with `simmim"),
        ("contrastive", "which predicts no images; look at it with `simmim-bench analyze"),
    ],
)
def test_a_run_that_predicts_nothing_for_an_image(name, said, folder, runs, predict, tmp_path):
    assert said in refused(predict, runs(name).folder, folder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model['rpn_head']['anchor_generator'] = SYSTEM", "anchor_generator.type"),
        ("model['test_cfg']['rcnn']['nms'] = {'type': '__import__(\"os\")'}", "rcnn.nms.type"),
        ("model['roi_head']['bbox_roi_extractor']['roi_layer'] = SYSTEM", "roi_layer.type"),
        ("model['type'] = 'mmdet.GLIP'", "model.type"),
        ("test_dataloader['dataset']['pipeline'].insert(1, SYSTEM)", "the step 'os.system'"),
        ("test_dataloader['dataset']['pipeline'][0] = SYSTEM", "the step 'os.system'"),
    ],
)
def test_a_run_of_a_stranger_runs_nothing(change, said, folder, runs, predict, tmp_path):
    cfg = runs("masks").cfg.to_dict()
    exec(change, {**cfg, "SYSTEM": SYSTEM})  # noqa: S102
    content = torch.load(runs("masks").checkpoint, weights_only=False)
    content["meta"]["cfg"] = "\n".join(f"{key} = {value!r}" for key, value in cfg.items())
    torch.save(content, tmp_path / "epoch_1.pth")
    assert said in refused(predict, tmp_path / "epoch_1.pth", folder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_checkpoint_of_the_run(folder, runs, predict, tmp_path):
    copy = shutil.copytree(runs("boxes").folder, tmp_path / "run")
    shutil.move(copy / "epoch_1.pth", copy / "epoch_7.pth")
    image = folder / "a/1.png"
    assert predict(copy, image, "--out", tmp_path / "a").returncode == 0
    given = predict(copy, image, "--out", tmp_path / "b", "--checkpoint", copy / "epoch_8.pth")
    assert "epoch_8.pth does not exist" in given.stderr


def test_pictures_of_bands():
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert as_picture(colours)[0, 1].tolist() == [5, 4, 3]  # loaded as BGR
    bands = np.linspace(0, 1, 16, dtype=np.float32).reshape(2, 2, 4)
    assert as_picture(bands)[1, 1].tolist() == [255, 255, 255]
    assert as_picture(bands, (1,))[0, 0].tolist() == [0, 0, 0]
