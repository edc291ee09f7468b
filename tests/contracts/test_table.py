"""docs/backbones.md states what the contract tests test, for every adapter."""

import inspect
import re
import runpy
from itertools import product
from pathlib import Path

import pytest
from mmengine.config import Config

HERE = Path(__file__).parent
MODELS = HERE.parents[1] / "configs" / "_base_" / "models"
TABLE = runpy.run_path(str(HERE / "table.py"))
TEXT = TABLE["DOCS"].read_text("utf-8")
OWN_ADAPTERS = TABLE["own_adapters"]()


@pytest.fixture(scope="module")
def tested():
    downstream = runpy.run_path(str(HERE / "test_downstream.py"))
    names = {
        value.adapter
        for path in HERE.glob("test_backbones*.py")
        for name, value in runpy.run_path(str(path)).items()
        if name.startswith("Test") and inspect.isclass(value)
    }
    return {
        *product(names, ("pretrain", "export")),
        *product(downstream["BACKBONES"], downstream["TASKS"]),
    }


def test_the_table_is_that_of_the_tests(tested):
    assert tested == set(product((adapter.name for adapter in OWN_ADAPTERS), TABLE["COLUMNS"]))
    (written,) = TABLE["TABLE"].findall(TEXT)
    assert written == TABLE["render"](dict.fromkeys(tested, True))


def test_a_failed_test_is_seen_in_the_table(tested):
    passed = {**dict.fromkeys(tested, True), ("resnet", "upernet"): False}
    rows = TABLE["render"](passed).splitlines()
    assert ["| no |" in row for row in rows].index(True) == 2 + [
        adapter.name for adapter in OWN_ADAPTERS
    ].index("resnet")


def test_the_sizes_are_the_files_under_base():
    types = {adapter.name: adapter.backbone_type.__name__ for adapter in OWN_ADAPTERS}
    _, sizes = TEXT.split("## Sizes")
    rows = re.findall(r"^\| `(\w+)` \| (`.*) \|$", sizes, flags=re.MULTILINE)
    named = {name: re.findall(r"`([a-z0-9]+-[a-z0-9-]+)`", row) for name, row in rows}
    files = {}
    for path in MODELS.glob("*.py"):
        if path.stem.endswith("-demo"):  # of the demo and of small data
            continue
        for value in Config.fromfile(path).to_dict().values():
            if isinstance(value, dict) and value.get("type", "").startswith("mmpretrain."):
                files[path.stem] = value["type"].removeprefix("mmpretrain.")
    assert len(files) > 15
    assert {size: types[name] for name in named for size in named[name]} == files
