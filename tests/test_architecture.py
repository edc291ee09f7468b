"""docs/architecture.md: each file and name that it mentions exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
MENTION = re.compile(r"`([\w/]+\.py): ([\w.]+)`")
PATHS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[2:]
"""Sections after the list of packages."""


def find(file):
    """Path of a mentioned file."""
    return next(path for path in (ROOT / "simmim_bench" / file, ROOT / file) if path.is_file())


def names_in(body, prefix=""):
    """Functions, classes, methods and constants of a module, dotted."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from names_in(node.body, f"{prefix}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (f"{prefix}{each.id}" for each in targets if isinstance(each, ast.Name))


@pytest.mark.parametrize(("file", "name"), sorted(set(MENTION.findall(PAGE))))
def test_a_mentioned_file_has_the_name(file, name):
    assert name in set(names_in(ast.parse(find(file).read_text("utf-8")).body))


def test_there_are_six_paths_of_at_least_five_steps():
    assert len(PATHS) == 6
    for path in PATHS:
        steps = [int(number) for number in re.findall(r"^(\d+)\. ", path, flags=re.MULTILINE)]
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) >= 5
        assert len(MENTION.findall(path)) >= 5


def test_a_training_is_followed_through_at_most_eight_files():
    assert "simmim-bench train" in PATHS[0]
    files = {file for file, _ in MENTION.findall(PATHS[0])}
    assert {"commands/train.py", "records/manifest.py"} <= files
    assert len(files) <= 8


def test_every_package_has_a_row():
    packages = {
        path.name
        for path in (ROOT / "simmim_bench").iterdir()
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    }
    listed = set(re.findall(r"`([\w]+(?:\.py|(?=/`)))", PATHS and PAGE.split("\n## ")[1]))
    assert packages <= listed
