"""The tables of docs/protocols.md are those of the configs."""

from pathlib import Path

import pytest

from simmim_bench.config import load_config
from simmim_bench.leaderboard.describe import PRETRAINING, _source, describe_configs, list_recipes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def described():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SIMMIM_BENCH_DATA", raising=False)
        return describe_configs(ROOT / "configs")


@pytest.fixture(scope="module")
def listed():
    return list_recipes(ROOT / "configs")


def test_the_document_is_up_to_date(described):
    kept = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    assert kept == described, "run: simmim-bench leaderboard protocols --out docs/protocols.md"


def test_the_list_of_recipes_is_up_to_date(listed):
    kept = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    assert kept == listed, "run: simmim-bench leaderboard recipes --out docs/recipes.md"


def test_every_config_is_listed_with_what_it_is(listed):
    rows = [line for line in listed.splitlines() if "/" in line[:40]]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row[0] == "|"]
    leaves = {
        path.relative_to(ROOT / "configs").with_suffix("").as_posix()
        for path in (ROOT / "configs").rglob("*.py")
        if "_base_" not in path.parts
    }
    assert {name for name, _, _ in cells} == leaves
    assert [name for name, label, text in cells if not label or len(text) < 20] == []
    [row] = [row for row in cells if row[0] == "ablations/loss-l2_swin-b"]
    assert row[1] == "simmim-loss-l2"
    assert row[2].startswith("L2 loss instead of L1")


def test_a_row_says_what_its_config_says(described):
    lines = described.splitlines()
    [row] = [line for line in lines if line.startswith("| imagenet/swinv2-b-w14-224")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "imagenet/swinv2-b-w14-224_8xb128_ft-100e", "imagenet-finetune-224-100e@2", "swinv2-b",
        "224 px", "14, 7", "100 ep", "2048 = 8 x 128 x 2", "float32", "0.005",
        "cosine", "0.05", "0.1", "0.75",
    ]  # fmt: skip


def test_a_painting_protocol_is_a_row_of_its_own(described):
    lines = described.splitlines()
    rows = [line for line in lines if line.startswith("| generation/")]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows] == [
        ["generation/painting_coco-vgg16", "coco-painting-vgg16@1", "random, 16 px, 0.4", "64 px",
         "100", "2 times", "vgg16-397923af.pth", "0"],
        ["generation/painting_coco", "coco-painting@2", "random, 16 px, 0.4", "64 px", "100",
         "2 times", "random network", "0"],
        ["generation/painting_demo", "demo-painting@2", "random, 16 px, 0.4", "64 px", "200",
         "2 times", "random network", "0"],
    ]  # fmt: skip


def test_a_test_set_is_a_row_of_its_own(described):
    rows = [line for line in described.splitlines() if line.startswith("| robustness/")]
    assert len(rows) == 7
    assert [cell.strip() for cell in rows[0].strip("|").split("|")] == [
        "robustness/demo-c", "demo-c@1", "simmim_bench demo, digits on photographs",
        "val, 5 corruptions", "64 px", "demo-classification",
    ]  # fmt: skip


def test_a_range_of_mask_ratios():
    cfg = load_config(str(ROOT / "configs/demo/simmim_swin-demo.py"))
    steps = cfg.train_dataloader.dataset.pipeline
    [step] = [step for step in steps if step.type == "simmim_bench.GenerateMask"]
    step.mask_ratio = (0.4, 0.7)
    assert dict(PRETRAINING)["mask"](cfg).endswith(" px, 0.4 to 0.7")


def test_a_source_keeps_urls_and_prose(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "# A *new* recipe and/ or _old_: https://a.org/~me/_x_*y*, configs/\n# a__b_c.py.\nx = 1"
    )
    assert _source(path) == (
        r"A \*new\* recipe and/ or \_old\_: https://a.org/~me/_x_*y*, configs/a__b_c.py."
    )


def test_every_protocol_is_described(described):
    """Whatever a new folder of configs is called."""
    left_out = {"_base_", "ablations", "variants", "suites"}
    leaves = [path.relative_to(ROOT / "configs") for path in (ROOT / "configs").rglob("*.py")]
    leaves = [path for path in leaves if not left_out & set(path.parts)]
    assert len(leaves) > 50
    names = [path.with_suffix("").as_posix() for path in leaves]
    assert [name for name in names if f"| {name} " not in described] == []
