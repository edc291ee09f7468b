"""docs/own-method.md: every example on it is a whole file, which is run here as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own-method.md").read_text("utf-8")
FILES = dict(
    re.findall(r"^```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)^```$", PAGE, re.M | re.DOTALL)
)


def write_examples(folder):
    """Write the files of the page into a folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder of a user with the files of the page."""
    folder = tmp_path_factory.mktemp("someone") / "my lab"
    folder.mkdir()
    write_examples(folder)
    return folder


def run(folder, *words):
    """Run a module in the folder as an installed package does: code, and what it prints."""
    return execute(folder, "-P", "-m", *words)


def execute(folder, *words):
    """Run Python in the folder: code, and what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_all_examples_are_found():
    kinds = "masks centre parts method backbone task checkpoints data pretraining tiny tiny_digits "
    kinds += "stages scenes maps"
    names = {f"my_{kind}.py" for kind in kinds.split()}
    assert set(FILES) == names | {"protocols/parity.py", "mine.yaml", "test_mine.py"}
    assert PAGE.count("```python") == len(FILES) - 1


def test_the_parts_keep_the_contracts(lab):
    code, said = run(lab, "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "test_mine.py")
    assert code == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) > 30


def test_a_config_changes_one_step_of_the_pipeline(lab):
    read = (
        "from simmim_bench.config import load_config; "
        "pipeline = load_config('my_centre.py').train_dataloader.dataset.pipeline; "
        "print(len(pipeline), pipeline[2].strategy)"
    )
    code, said = execute(lab, "-c", read)
    assert (code, said.split()) == (0, ["4", "centre"]), said


@pytest.mark.parametrize("config", ["my_scenes.py", "my_maps.py"])
def test_four_levels_fill_a_dense_model(lab, config):
    """The models are built and compute a loss of one image."""
    read = (
        "import sys, torch; from simmim_bench import ops; ops.install(); "
        "from simmim_bench.config import load_config; "
        "from mmengine.registry import init_default_scope; "
        "from simmim_bench.registry import MODELS; cfg = load_config(sys.argv[1]); "
        "init_default_scope(cfg.default_scope); model = MODELS.build(cfg.model); "
        "maps = model.extract_feat(torch.randn(1, 3, 96, 96)); print([m.shape[2] for m in maps])"
    )
    code, said = execute(lab, "-c", read, config)
    assert code == 0, said
    assert "[24, 12, 6, 3" in said


def test_the_method_trains_a_step(lab):
    step = (
        "import my_method; from simmim_bench.testing.pretraining import *; "
        "model = build({**simmim({**BACKBONE, 'out_indices': (3,)}), "
        "'type': 'simmim_bench.SmallFeatures'}); "
        "found = model(torch.randn(2, 3, 64, 96), mode='loss'); assert 'loss_size' in found"
    )
    code, said = execute(lab, "-c", step)
    assert code == 0, said


def test_a_layout_of_checkpoints(lab, tmp_path):
    torch.manual_seed(0)
    state = {
        "net.first.weight": torch.randn(16, 3, 4, 4),
        "net.first.bias": torch.zeros(16),
        "net.second.weight": torch.randn(16, 16, 2, 2),
        "net.second.bias": torch.zeros(16),
        "optimizer.step": torch.zeros(1),
    }
    torch.save(state, tmp_path / "old.pth")
    words = ("simmim_bench", "convert", tmp_path / "old.pth", tmp_path / "old")
    code, said = run(lab, *words)
    assert code == 2
    assert "unknown checkpoint layout (first keys: net.first.weight" in said
    assert "if a module of yours registers it, add --import MODULE" in said
    code, said = run(lab, *words, "--import", "my_checkpoints")
    assert code == 0, said
    written = torch.load(tmp_path / "old" / "backbone.pth", weights_only=True)
    assert torch.equal(written["stem.weight"], state["net.first.weight"])
    assert torch.equal(written["block.weight"], state["net.second.weight"])
    assert f"simmim-bench evaluate {tmp_path / 'old'} --import my_checkpoints" in said


def test_a_layout_of_data(lab, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        label = "cat" if number % 2 else "dog"
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{label}_{number:02}.png")
    words = ("simmim_bench", "data", "import", "pets", "--from", tmp_path / "photos")
    out = ("--out", tmp_path / "root")
    code, said = run(lab, *words, *out, "--layout", "class-prefix")
    assert code == 2
    assert "--layout must be one of" in said
    assert "add --import MODULE" in said
    code, said = run(lab, *words, *out, "--import", "my_data")
    assert code == 0, said
    assert "the names of the images begin with their class" in said
    assert "2 classes: cat, dog" in said
