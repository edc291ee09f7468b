"""Every tool answers at once and fails with one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
TOOLS = sorted((ROOT / "tools").glob("*.py"))
HEAVY = ("torch", "mmengine", "mmcv", "snakemake", "matplotlib", "skimage", "sklearn")


def run(*words, **options):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)


def test_there_are_tools():
    assert {"train.py", "test.py", "prepare_data.py", "run_suite.py", "leaderboard.py"} <= {
        tool.name for tool in TOOLS
    }


SUBCOMMANDS = {
    "analyze": "representation reconstruct masks inpaint super-resolve page painting",
    "prepare_data": "demo shards config palette",
}
COMMANDS = [[tool] for tool in TOOLS] + [
    [ROOT / "tools" / f"{tool}.py", name]
    for tool, names in SUBCOMMANDS.items()
    for name in names.split()
]


@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda words: "-".join([words[0].stem, *words[1:]])
)
def test_help_imports_nothing_heavy(command):
    """A time would depend on the machine; what makes tools slow is what they import."""
    shown = run("-X", "importtime", *command, "--help")
    assert shown.returncode == 0
    assert "usage:" in shown.stdout
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in shown.stderr.splitlines()}
    assert "argparse" in imported
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tools/train.py", "configs/simmim/swin-c_8xb128.py"], "did you mean"),
        (["tools/train.py", "configs/simmim/swin-b_8xb128.py"], "simmim-bench data imagenet"),
        (
            ["tools/train.py", "configs/coco/mask-rcnn_swin-b_fpn_3x.py", "--from-scratch"],
            "simmim-bench data coco",
        ),
    ],
)
def test_bad_input_gets_one_sentence_and_code_2(words, said, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path / "nothing"))
    failed = run(*words)
    assert failed.returncode == 2
    lines = failed.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert said in lines[0]


def test_missing_data_is_said_before_torch_is_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    failed = run("-X", "importtime", "tools/train.py", "configs/simmim/swin-b_8xb128.py")
    imported = {line.rsplit("|", 1)[-1].strip() for line in failed.stderr.splitlines()}
    assert "mmengine.config" in imported
    assert "torch" not in imported
    assert failed.stdout == ""


def test_packing_shows_no_line_of_the_libraries(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "one.png")
    source, out = tmp_path / "images", tmp_path / "shards"
    done = run("tools/prepare_data.py", "shards", "--source", str(source), "--out", str(out))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert line.startswith(f"{out}: 1 images")
