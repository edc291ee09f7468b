"""What a pretraining paints reaches the details of its fine-tunings."""

import base64
import io

from PIL import Image

from simmim_bench.leaderboard.build import build
from simmim_bench.records.pictures import HASH_DIGITS, last_reconstruction
from tests.leaderboard.test_web import Page


def paint(folder, epoch, colour):
    path = folder / "reconstructions" / f"epoch_{epoch}.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (800, 400), colour).save(path)
    return path


def test_the_last_epoch_is_the_last_and_not_the_largest_word(tmp_path):
    assert last_reconstruction(tmp_path) is None
    paint(tmp_path, 9, "red")
    last = paint(tmp_path, 10, "blue")
    assert last_reconstruction(tmp_path) == last


def test_each_line_shows_the_picture_of_its_weights(write_suite, toy):
    work = write_suite(seeds=(0, 1))
    paint(work / "pretrain" / "simmim__swin-toy" / "seed0", 5, "red")
    paint(work / "pretrain" / "simmim__swin-toy" / "seed1", 5, "blue")
    build(work)
    pictures = work / "results" / "pictures"
    names = {toy.sha(f"weights {seed}")[:HASH_DIGITS] for seed in (0, 1)}
    assert {path.stem for path in pictures.iterdir()} == names
    page = Page((work / "results" / "leaderboard" / "index.html").read_text("utf-8"))
    [shown] = [a for a in page.addresses if a.startswith("data:image")]  # of simmim, not of scratch
    with Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2]))) as image:
        assert image.size == (560, 280)
        red, _, blue = image.getpixel((5, 5))
    assert red > 200 > blue  # the first seed's


def test_a_picture_is_kept_when_its_run_is_gone(write_suite):
    work = write_suite()
    painted = paint(work / "pretrain" / "simmim__swin-toy" / "seed0", 5, "red")
    build(work)
    painted.unlink()
    build(work)
    assert len(list((work / "results" / "pictures").iterdir())) == 1
