"""Images in packs, of many bits, and folders that two imports make at once."""

import io
import tarfile

import numpy as np
import pytest

from simmim_bench.data.importing.bring_in import _building
from simmim_bench.errors import BenchError
from tests.data.importing.test_bring_in import imported
from tests.data.inspect import sets


def test_a_folder_that_another_import_made_meanwhile_stays(tmp_path):
    target = tmp_path / "data"

    def build():
        with _building(target):
            target.mkdir()
            (target / "mine.txt").touch()

    with pytest.raises(BenchError, match="another process made or removed"):
        build()
    assert [path.name for path in target.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["data"]


def test_packed_images_do_not_replace_each_other(tmp_path):
    """A second a.png would be called as a file that is there."""
    source = tmp_path / "s"
    source.mkdir()
    for shard, names in enumerate((["a.png", "a-2.png"], ["a.png", "A.png"])):
        with tarfile.open(source / f"train-{shard}.tar", "w") as tar:
            for number, name in enumerate(names):
                content = sets.encoded(10 * shard + number)
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    report = imported(source, tmp_path / "data")
    assert report.dataset.images.train + report.dataset.images.val == 4


def test_packed_images_without_a_class_are_told(tmp_path):
    source = sets.shards(tmp_path / "s")
    with tarfile.open(source / "train-000.tar", "a") as tar:
        info = tarfile.TarInfo("lonely.png")
        content = sets.encoded(50)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    report = imported(source, tmp_path / "data")
    assert any("without a class" in text and "lonely" in text
               for text in report.skipped.sentences())  # fmt: skip


def test_counts_of_32_bits_have_a_range_of_their_own(tmp_path):
    import tifffile

    (tmp_path / "s").mkdir()
    for number in range(4):
        values = np.full((20, 24), 1200 * number, np.uint32)
        values[:4] += np.arange(24, dtype=np.uint32)
        tifffile.imwrite(tmp_path / "s" / f"{number}.tif", values)
    dataset = imported(tmp_path / "s", tmp_path / "data", channels=1).dataset
    assert dataset.range == (0.0, 4095.0)
    assert dataset.std[0] > 10
