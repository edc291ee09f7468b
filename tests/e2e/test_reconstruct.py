"""Reconstructions by the tool and by a run, as a user makes them."""

import shutil

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.e2e.conftest import CONFIGS, PRETRAIN, TINY
from tests.e2e.test_bad_input import refusal

pytestmark = pytest.mark.slow


@pytest.fixture
def images(data, tmp_path):
    """Three images in a folder."""
    folder = tmp_path / "images"
    folder.mkdir()
    for path in sorted((data / "demo" / "unlabelled").rglob("*.jpg"))[:3]:
        shutil.copy(path, folder)
    return folder


def test_the_tool_draws_a_row_per_image_the_same_each_time(tools, pretrained, images, tmp_path):
    words = ["tools/analyze.py", "reconstruct", PRETRAIN, pretrained, images, "--out"]
    output = tools.succeed(*words, tmp_path / "one.png")
    assert output.count(".jpg") == 3
    assert "mean of 3" in output
    tools.succeed(*words, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width == 4 * (64 + 4)
        assert picture.height > 3 * (64 + 4)


def test_what_the_tool_refuses(tools, pretrained, images, tmp_path):
    out = ["--out", tmp_path / "none.png"]

    def said(config, checkpoint, *paths):
        return refusal(tools, "tools/analyze.py", "reconstruct", config, checkpoint, *paths, *out)

    assert "does not exist" in said(PRETRAIN, pretrained, tmp_path / "missing.jpg")
    assert "is not a pretraining config" in said(CONFIGS["classification"], pretrained, images)
    assert "does not exist" in said(PRETRAIN, tmp_path / "epoch_9.pth", images)
    (images / "00.jpg").write_bytes(b"no image")
    assert "image 00.jpg" in said(PRETRAIN, pretrained, images).replace(f"{images}/", "")
    assert not (tmp_path / "none.png").exists()


def test_tensorboard_receives_strip_and_figures(tools, tmp_path):
    tools.succeed(
        "tools/train.py", PRETRAIN, "--work-dir", tmp_path, "--kind", "smoke", "--paint-every", 2,
        "--log-to", "tensorboard", "--cfg-options", *TINY, "train_cfg.max_epochs=3",
    )  # fmt: skip
    [events] = tmp_path.rglob("events.out.tfevents.*")
    written = EventAccumulator(str(events)).Reload()
    assert [event.step for event in written.Images("reconstruction")] == [2, 3]  # 3 is the last
    pictures = sorted(path.name for path in (tmp_path / "reconstructions").iterdir())
    assert pictures == ["epoch_2.png", "epoch_3.png"]
    psnr = [event.value for event in written.Scalars("reconstruction/psnr")]
    assert len(psnr) == 2
    assert all(0 < value < 60 for value in psnr)
    assert written.Scalars("loss")
