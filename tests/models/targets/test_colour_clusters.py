"""The palette tool, and pixels as colours of a palette."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simmim_bench.errors import BenchError
from simmim_bench.models.targets.colours import ColourClusters, fit_palette
from tests.calls import call

ROOT = Path(__file__).parents[3]
COLOURS = np.array([[250, 0, 0], [10, 200, 30], [20, 20, 220], [240, 240, 240]])
SCALE = {"mean": (120.0, 110.0, 100.0), "std": (60.0, 50.0, 70.0)}


@pytest.fixture
def folder(tmp_path):
    """Six pictures of four colours with a little noise, one in a folder of its own."""
    generator = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "images" / ("deep" if number == 0 else "") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = COLOURS[generator.integers(4, size=(24, 30))] + generator.integers(
            -3, 4, (24, 30, 3)
        )
        Image.fromarray(drawn.clip(0, 255).astype(np.uint8)).save(path)
    return tmp_path / "images"


def write_palette(path, centres):
    path.write_text(json.dumps({"centres": centres}))
    return str(path)


def test_the_tool_finds_the_colours_of_a_folder_again(folder, tmp_path):
    def fit(name):
        out = tmp_path / name
        shown = call("tools/prepare_data.py", "palette", folder, "--out", out, "--clusters", 4)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout == f"wrote {out}: 4 colours of 6 images\n"
        return out.read_bytes()

    first = fit("a.json")
    assert fit("b.json") == first
    centres = np.array(json.loads(first)["centres"])
    order = np.argsort(COLOURS.sum(axis=1))
    np.testing.assert_allclose(centres, COLOURS[order], atol=3)
    assert len(ColourClusters(palette=str(tmp_path / "a.json"), **SCALE).centres) == 4


def test_each_pixel_is_its_nearest_colour_and_back(tmp_path, monkeypatch):
    monkeypatch.setattr("simmim_bench.models.targets.colours.CHUNK", 100)
    generator = np.random.default_rng(1)
    centres = generator.uniform(0, 255, (9, 3))
    target = ColourClusters(palette=write_palette(tmp_path / "p.json", centres.tolist()), **SCALE)
    pixels = generator.uniform(0, 255, (2, 3, 8, 12))
    mean, std = (np.array(SCALE[name]).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    images = torch.from_numpy((pixels - mean) / std).float()
    found = target(images)
    distances = ((pixels[:, None] - centres[None, :, :, None, None]) ** 2).sum(axis=2)
    assert target.out_channels == 9
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found[:, 0].numpy(), distances.argmin(axis=1))
    logits = torch.nn.functional.one_hot(found[:, 0], 9).movedim(-1, 1).float()
    shown = target.to_images(logits, images).numpy() * std + mean
    np.testing.assert_allclose(shown, centres[found[:, 0].numpy()].transpose(0, 3, 1, 2), atol=1e-3)


def test_autocast_does_not_change_the_assignment(tmp_path):
    centres = [[float(level)] * 3 for level in range(256)]
    target = ColourClusters(palette=write_palette(tmp_path / "p.json", centres), **SCALE)
    levels = torch.arange(256.0).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        found = target(target.from_pixels(levels))
    assert torch.equal(found.flatten(), torch.arange(256))


def test_the_palette_is_in_the_state_dict(tmp_path):
    target = ColourClusters(palette=write_palette(tmp_path / "p.json", COLOURS.tolist()), **SCALE)
    assert list(target.state_dict()) == ["centres"]
    assert list(target.parameters()) == []


def test_palettes_that_cannot_be_used(tmp_path):
    palette = write_palette(tmp_path / "palette.json", COLOURS.tolist())
    with pytest.raises(BenchError, match=r"needs the normalisation of the images"):
        ColourClusters(palette=palette)
    with pytest.raises(
        BenchError, match=r"palette_\.json does not exist; did you mean .*/palette.json"
    ):
        ColourClusters(palette=str(tmp_path / "palette_.json"), **SCALE)
    with pytest.raises(
        BenchError, match=r"does not exist; write one with `simmim-bench data palette"
    ):
        ColourClusters(palette="/nowhere/p.json", **SCALE)
    for content in ("[1]", '{"centres": [[1, 2]]}', '{"centres": [[1, 2, NaN], [1, 2, 3]]}'):
        (tmp_path / "other.json").write_text(content)
        with pytest.raises(BenchError, match="has no list of RGB centres"):
            ColourClusters(palette=str(tmp_path / "other.json"), **SCALE)
    (tmp_path / "other.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BenchError, match="is not JSON"):
        ColourClusters(palette=str(tmp_path / "other.json"), **SCALE)


def test_folders_that_cannot_be_fitted(folder, tmp_path):
    out = tmp_path / "out.json"
    with pytest.raises(BenchError, match=r"different colours, which is fewer than 100000 clusters"):
        fit_palette(folder, out, clusters=100_000, seed=0)
    with pytest.raises(BenchError, match="clusters must be >= 2, got 1"):
        fit_palette(folder, out, clusters=1, seed=0)
    with pytest.raises(BenchError, match="nowhere does not exist"):
        fit_palette(tmp_path / "nowhere", out, clusters=4, seed=0)
    (folder / "broken.png").write_bytes(b"no image")
    with pytest.raises(BenchError, match=r"image .*broken.png cannot be read"):
        fit_palette(folder, out, clusters=4, seed=0)
    assert not out.exists()
