"""Where configs stand and how they are built: one level of bases, one screen, no logic."""

import ast
import re
from pathlib import Path

import pytest

from simmim_bench.config import load_config
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
BASES = ROOT / "_base_"
FOLDERS = {
    "_base_", "ablations", "ade20k", "any", "baselines", "coco", "demo", "generation", "imagenet",
    "robustness", "simmim", "small", "suites", "transfer", "variants",
}  # fmt: skip
KINDS = {"datasets", "models", "protocols", "runtime", "schedules", "tasks"}
LEAVES = sorted(path for path in ROOT.rglob("*.py") if not path.is_relative_to(BASES))
LONGEST = 60
"""Lines of a leaf, so that it fits on one screen."""
LOGIC = (ast.For, ast.While, ast.If, ast.IfExp, ast.FunctionDef, ast.Lambda, ast.ListComp,
         ast.DictComp, ast.GeneratorExp, ast.Import, ast.ImportFrom, ast.With)  # fmt: skip


def name(path):
    return path.relative_to(ROOT).as_posix()


def tree(path):
    return ast.parse(path.read_text("utf-8"))


def bases(path):
    """Files that a config names in ``_base_``."""
    found = [
        base
        for node in tree(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_base_"
        for base in ast.literal_eval(node.value)
    ]
    return [(path.parent / base).resolve() for base in found]


def test_there_are_leaves_and_bases():
    assert len(LEAVES) > 150
    assert len(list(BASES.rglob("*.py"))) > 60


def test_folders_are_these():
    assert {path.name for path in ROOT.iterdir() if path.is_dir()} == FOLDERS
    assert {path.name for path in BASES.iterdir() if path.is_dir()} == KINDS
    for path in ROOT.rglob("*.py"):
        depth = 3 if path.is_relative_to(BASES) else 2
        assert len(path.relative_to(ROOT).parts) == depth, name(path)


def test_the_readme_has_a_row_for_every_folder_and_no_other():
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w/]+)/`", text, re.M)
    assert sorted(rows) == sorted([*FOLDERS - {"_base_"}, *(f"_base_/{kind}" for kind in KINDS)])


@pytest.mark.parametrize("path", LEAVES, ids=name)
def test_a_leaf_names_files_of_base_only(path):
    found = bases(path)
    assert found
    for base in found:
        assert base.is_file()
        assert base.is_relative_to(BASES)


def test_a_base_has_no_base():
    assert [name(path) for path in sorted(BASES.rglob("*.py")) if bases(path)] == []


def test_every_base_is_used():
    used = {base for path in LEAVES for base in bases(path)}
    sizes = {f"models/{family}-{size}.py" for family in ("swin", "swinv2", "vit", "plain-vit")
             for size in "tsl"}  # fmt: skip
    unused = {path.relative_to(BASES).as_posix() for path in BASES.rglob("*.py")} - {
        path.relative_to(BASES).as_posix() for path in used
    }
    assert unused <= sizes  # offered to configs of one's own: docs/backbones.md


@pytest.mark.parametrize("path", LEAVES, ids=name)
def test_a_leaf_fits_on_one_screen_and_has_no_logic(path):
    text = path.read_text("utf-8")
    assert text.startswith("# "), "the first line says what it is"
    assert len(text.splitlines()) <= LONGEST
    assert [node for node in ast.walk(tree(path)) if isinstance(node, LOGIC)] == []


def test_the_leaf_in_the_readme_loads(tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    [leaf] = re.findall(r"```python\n(.+?)```", text, re.S)
    file = tmp_path / "leaf.py"
    file.write_text(leaf.replace('"../_base_/', f'"{BASES}/'), "utf-8")
    cfg = load_config(str(file))
    assert cfg.model.backbone.arch.depths == [2, 2, 18, 2]
    assert cfg.optim_wrapper.optimizer.lr == 8e-4


def test_the_keys_in_the_readme_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    found = dict(re.findall(r"^\| .+ \| `(_base_/.+)` \| `([\w.]+)`", text, re.M))
    assert len(found) >= 5
    for file, key in found.items():
        node = read_config(ROOT / file)
        for part in key.split("."):
            node = node[int(part) if part.isdigit() else part]
        assert node is not None
