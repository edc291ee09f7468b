"""What --verify finds in pretraining sources: folders, tar shards, LMDB."""

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.data.image_files import image_files
from simmim_bench.data.lmdb import lmdb_package, write_lmdb
from simmim_bench.data.prepare.check_unlabelled import KINDS
from simmim_bench.data.prepare.commands import pack, verify_unlabelled
from simmim_bench.data.shards import write_shards
from simmim_bench.errors import BenchError


@pytest.fixture
def images(tmp_path):
    """Six images in two folders."""
    generator = np.random.default_rng(0)
    for number in range(6):
        folder = tmp_path / "images" / f"{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (16, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


def verify(kind, place):
    console = Console(file=io.StringIO(), width=120)
    code = verify_unlabelled(kind, sources=[str(place)], console=console)
    return code, console.file.getvalue()


def packed(kind, images, out):
    if kind == "images":
        return images
    console = Console(file=io.StringIO())
    assert pack(kind, sources=[str(images)], out=out, console=console) == 0
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_sound_sources_and_one_corrupt_image(kind, images, tmp_path):
    code, said = verify(kind, packed(kind, images, tmp_path / "sound"))
    assert code == 0
    assert " 6 " in said
    victim = image_files(images)[4]
    victim.write_bytes(victim.read_bytes()[:60])
    place = images
    if kind != "images":  # pack refuses it
        with pytest.raises(BenchError, match=rf"{victim}: cannot be read .* nothing was packed"):
            packed(kind, images, tmp_path / "packed")
        assert not (tmp_path / "packed").exists()
        place = tmp_path / "of other tools"
        place.mkdir()
        write = {"shards": write_shards, "lmdb": write_lmdb}[kind]
        write(image_files(images), place, lambda _: None)
    code, said = verify(kind, place)
    assert code == 1
    [line] = [line for line in said.splitlines() if "cannot be read" in line]
    assert {"images": victim.name, "shards": "000000004.png", "lmdb": "000000004"}[kind] in line


def test_each_shard_is_a_row_and_a_truncated_one_is_a_problem(images, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    write_shards(image_files(images), folder, lambda _: None, limit=3000)
    shards = sorted(folder.glob("*.tar"))
    assert len(shards) > 1
    code, said = verify("shards", folder)
    assert code == 0
    assert all(shard.name in said for shard in shards)
    shards[0].write_bytes(shards[0].read_bytes()[:1000])
    code, said = verify("shards", folder)
    assert code == 1
    assert str(shards[0]) in said


def test_what_is_no_image_in_an_lmdb(images, tmp_path):
    place = packed("lmdb", images, tmp_path / "lmdb")
    environment = lmdb_package().open(str(place), map_size=1 << 26)
    with environment, environment.begin(write=True) as transaction:
        transaction.put(b"\xff", b"no image")
    code, said = verify("lmdb", place)
    assert code == 1
    assert r"\xff cannot be read" in said


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_there(kind, tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        verify(kind, tmp_path / "absent")
    with pytest.raises(BenchError, match="needs exactly one --source FOLDER"):
        verify_unlabelled(kind, sources=[], console=Console(file=io.StringIO()))


def test_a_folder_without_images(tmp_path):
    code, said = verify("images", tmp_path)
    assert code == 1
    assert "has no image" in said


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_bands_are_packed_and_checked_when_their_number_is_said(kind, tmp_path):
    place = tmp_path / "images"
    place.mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 4096, (20, 30, 4), np.uint16)
        np.save(place / "a.npy", values)
        (place / "a.npy").rename(place / f"{number}.tif")  # the content decides
    console = Console(file=io.StringIO(), width=120)
    source = place
    if kind != "images":
        with pytest.raises(BenchError, match="nothing was packed"):
            pack(kind, sources=[str(place)], out=tmp_path / "packed", console=console)
        with pytest.raises(BenchError, match="it has 4 bands, expected 5"):
            pack(kind, sources=[str(place)], out=tmp_path / "packed", channels=5, console=console)
        source = tmp_path / "packed"
        assert pack(kind, sources=[str(place)], out=source, channels=4, console=console) == 0
    assert verify_unlabelled(kind, sources=[str(source)], channels=4, console=console) == 0
    assert verify_unlabelled(kind, sources=[str(source)], channels=3, console=console) == 1
    assert "it has 4 bands, expected 3; set channels=4" in console.file.getvalue()
