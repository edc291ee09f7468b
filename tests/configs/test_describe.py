"""The tables of docs/protocols.md are those of the configs."""

from pathlib import Path

from simmim_bench.engine.describe import describe

ROOT = Path(__file__).parents[2]


def test_the_document_is_up_to_date(monkeypatch):
    monkeypatch.delenv("SIMMIM_BENCH_DATA", raising=False)
    made = describe(ROOT / "configs")
    kept = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    assert kept == made, "run: python tools/describe_configs.py --out docs/protocols.md"


def test_a_row_says_what_its_config_says():
    lines = describe(ROOT / "configs").splitlines()
    [row] = [line for line in lines if line.startswith("| imagenet/swinv2-b-w14-224")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "imagenet/swinv2-b-w14-224_8xb128_ft-100e", "imagenet-finetune-224-100e@1", "swinv2-b",
        "224 px", "14, 7", "100 ep", "1024", "0.0025", "cosine", "0.05", "0.1", "0.75",
    ]  # fmt: skip
