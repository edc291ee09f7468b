"""Cells of an ablation are means of its records; pictures and CSV show the same."""

import csv
import io

import pytest
from rich.console import Console

from simmim_bench.errors import BenchError
from simmim_bench.records.store import add_record
from simmim_bench.suite.ablation import draw_ablation, read_ablation, report_ablation
from simmim_bench.suite.schema import Suite
from tests.records.conftest import CLASSIFICATION, pretraining

NAME = "toy-classification@1"

SUITE = {
    "name": "toy",
    "backbones": ["swin-toy"],
    "baselines": ["scratch"],
    "pretrain": {
        "simmim-{masking}-r{ratio}": {
            "config": "configs/x.py",
            "axes": {"masking": ["random", "square"], "ratio": ["0.4", "0.6", "0.8"]},
        },
        "simmim": {"config": "configs/x.py"},
    },
    "tasks": {"classification": {"config": "configs/y.py"}},
}
TOP1 = {("random", "0.4"): (60.0, 62.0), ("square", "0.8"): (50.0, 50.0)}


@pytest.fixture
def folder(tmp_path, make_simmim, make_record):
    store = tmp_path / "results" / "records"
    common = {"protocol": CLASSIFICATION}
    for (masking, ratio), values in TOP1.items():
        method = f"simmim-{masking}-r{ratio}"
        for seed, value in enumerate(values):
            origin = {**pretraining(seed), "method": method}
            record = make_simmim(
                seed, method=method, pretraining=origin, metrics={"top1": value}, **common
            )
            add_record(store, record, source=tmp_path)
    scratch = make_record(metrics={"top1": 40.0}, **common)
    add_record(store, scratch, source=tmp_path)
    return tmp_path


def test_cells_are_means_over_seeds(folder):
    [ablation] = read_ablation(Suite.model_validate(SUITE), folder)
    assert (ablation.protocol, ablation.metric) == (NAME, "top1")
    [block] = ablation.blocks
    assert block.axes == {"masking": ["random", "square"], "ratio": ["0.4", "0.6", "0.8"]}
    found = {place: (stat.mean, stat.n) for place, stat in block.cells.items()}
    assert found == {("random", "0.4"): (61.0, 2), ("square", "0.8"): (50.0, 2)}
    assert block.cells["random", "0.4"].sd == pytest.approx(2**0.5)
    assert {name: stat.mean for name, stat in ablation.references.items()} == {"scratch": 40.0}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pictures_of_one_two_and_three_axes(folder, tmp_path, axes):
    suite = Suite.model_validate(SUITE)
    [ablation] = read_ablation(suite, folder)
    [block] = ablation.blocks
    names = ["masking", "ratio", "patch"][:axes]
    labels = {name: [*block.axes.get(name, ["8"])] for name in names}
    cells = {(*place, "8")[:axes]: stat for place, stat in block.cells.items()}
    ablation.blocks[0] = type(block)(block.entry, labels, cells)
    draw_ablation(ablation, "top-1", tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_tool_writes_what_it_prints(folder, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(Suite.model_validate(SUITE).model_dump_json(exclude_unset=True), "utf-8")
    (tmp_path / "configs").mkdir()
    for name in "xy":
        (tmp_path / "configs" / f"{name}.py").touch()
    console = Console(file=io.StringIO(), width=120)
    report_ablation(suite, root=tmp_path, work_dir=folder, out=tmp_path / "out", console=console)
    printed = console.file.getvalue()
    assert "61.0 ± 1.4 (2)" in printed
    assert (tmp_path / "out" / f"ablation_{NAME.replace('@', '-')}_swin-toy.png").is_file()
    with (tmp_path / "out" / "ablation.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["entry"], row["values"], float(row["mean"]), row["seeds"]) for row in rows] == [
        ("scratch", "", 40.0, "1"),
        ("simmim-{masking}-r{ratio}", "random, 0.4", 61.0, "2"),
        ("simmim-{masking}-r{ratio}", "square, 0.8", 50.0, "2"),
    ]


def test_a_suite_without_axes_or_records_is_refused(folder, tmp_path):
    plain = Suite.model_validate({**SUITE, "pretrain": {"simmim": {"config": "configs/x.py"}}})
    with pytest.raises(BenchError, match="suite toy has no axes"):
        read_ablation(plain, folder)
    with pytest.raises(BenchError, match="holds no records; a suite"):
        read_ablation(Suite.model_validate(SUITE), tmp_path / "empty")


def test_settings_are_not_averaged(folder, make_simmim):
    method = "simmim-random-r0.4"
    other = make_simmim(
        method=method,
        pretraining={**pretraining(9), "method": method, "epochs": 7},
        metrics={"top1": 1.0},
        protocol=CLASSIFICATION,
    )
    add_record(folder / "results" / "records", other, source=folder)
    with pytest.raises(BenchError, match="under several settings, which must not be averaged"):
        read_ablation(Suite.model_validate(SUITE), folder)
