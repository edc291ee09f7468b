"""Every config line of docs/targets.md builds, and every part has one."""

import json
import re
from pathlib import Path

import pytest
import timm
import torch

from simmim_bench.backbones import FeatureSpec
from simmim_bench.models.losses.masked import MaskedLoss
from simmim_bench.registry import MODELS

DOCS = Path(__file__).parents[3] / "docs" / "targets.md"
LINES = re.findall(r"^\|.*?`(dict\(.*?\))` \|", DOCS.read_text("utf-8"), flags=re.MULTILINE)
NEEDED = {
    "targets": {"mean": (120.0, 110.0, 100.0), "std": (60.0, 50.0, 70.0)},
    "decoders": {"feature_spec": FeatureSpec(strides=(16, 32), channels=(4, 8))},
    "losses": {},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("docs")
    (place / "palette.json").write_text(json.dumps({"centres": [[0, 0, 0], [255, 255, 255]]}))
    torch.save(
        timm.create_model("vit_small_patch16_224", img_size=192).state_dict(), place / "teacher.pth"
    )
    return place


@pytest.mark.parametrize("line", LINES)
def test_a_config_line_builds(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    config = eval(line, {"dict": dict})  # noqa: S307 - our own docs
    kind = MODELS.get(config["type"]).__module__.split(".")[2]
    part = MODELS.build({**config, **NEEDED[kind]})
    assert type(part).__name__ == config["type"].removeprefix("simmim_bench.")


def test_every_part_is_in_the_docs():
    MODELS.get("simmim_bench.SimMIM")  # fills the registry
    packages = tuple(f"simmim_bench.models.{kind}." for kind in NEEDED)
    parts = {
        name
        for name, part in MODELS.module_dict.items()
        if part.__module__.startswith(packages)
        and (".losses." not in part.__module__ or issubclass(part, MaskedLoss))
    }
    named = {re.search(r'type="simmim_bench\.(\w+)"', line).group(1) for line in LINES}
    assert len(parts) > 15
    assert named == parts
