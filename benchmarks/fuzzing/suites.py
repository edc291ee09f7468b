"""Classes of inputs: suite files, plans, traces of stages, configs and what changes them."""

# ruff: noqa: E501  # lists of inputs

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from benchmarks.fuzzing.results import MANIFEST, ROOT, Prepared
from benchmarks.fuzzing.values import (
    NUMBERS,
    TEXTS,
    YAML_SCALARS,
    as_json,
    as_yaml,
    changed,
    damaged,
    odd_yaml,
    texts,
)
from benchmarks.fuzzing.worker import Case, LieError

SUITES = ("demo", "demo-tuned", "demo-ablation", "ablation-masking", "transfer", "simmim_paper")
CONFIG = ROOT / "configs" / "demo" / "simmim_swin-demo.py"
LINES = [
    "x = __import__('os').system('id')", "_base_ = []", "_base_ = '../nothing.py'", "_base_ = 1", "_base_ = [[]]",
    "_base_ = ['mmpretrain::x.py']", "model = 1", "model = None", "train_dataloader = 3", "a = " + "[" * 300 + "]" * 300,
    "x = 10**400", "x = 1/0", "train_cfg = dict(max_epochs=float('nan'))", "def f(): pass", "with read_base():\n    pass",
    "\t\tx = 1", "x = '\\ud800'", "x = (", "'", "filename = 1", "text = 1", "custom_imports = dict(imports=['no_such'])",
    "pretraining = dict()", "pretraining = []", "_delete_ = True", "x = {{ fileBasename }}", "x = '{{ _base_.y }}'",
    "x = _base_.nothing", "# -*- coding: ascii -*-", "from x import y", "lambda: 0", "x: int = 3", "x = y = 2", "raise SystemExit(0)",
    "import sys; sys.exit(3)", "default_scope = 5", "model = dict(type='os.system', command='id')",
]  # fmt: skip
KEYS = [
    "train_cfg.max_epochs", "train_dataloader.batch_size", "optim_wrapper.optimizer.lr", "model.backbone.drop_path_rate",
    "param_scheduler.0.begin", "param_scheduler.99", "param_scheduler", "model", "model.type", "train_dataloader.dataset.pipeline.0.type",
    "pretraining.image_size", "randomness.seed", "nothing", "a.b.c", "", ".", "model.", ".model", "_base_", "filename", "model..type",
    "train_cfg.max_epochs.x", "default_scope", "work_dir", "train_dataloader.sampler.shuffle", "auto_scale_lr.base_batch_size",
]  # fmt: skip


def suite_files(folder: Path) -> Prepared:
    """Suite files: their content, odd scalars of YAML, damaged bytes; then the plan they give."""
    from simmim_bench.suite.build import build_plan
    from simmim_bench.suite.load import load_suite
    from simmim_bench.suite.profile import Profile

    path = folder / "suite.yaml"
    valid = [(ROOT / "configs" / "suites" / f"{name}.yaml").read_bytes() for name in SUITES]
    shutil.copytree(ROOT / "configs" / "suites", folder, dirs_exist_ok=True)
    inputs = st.one_of(
        [
            strategy
            for content in valid
            for strategy in (
                changed(yaml.safe_load(content)).map(as_yaml),
                odd_yaml(content),
                texts(yaml.safe_load(content), as_yaml),
            )
        ]
    )

    def read(content: bytes) -> None:
        path.write_bytes(content)
        suite = load_suite(path)
        _check_scalars(yaml.load(content, Loader=yaml.BaseLoader), suite)  # noqa: S506
        build_plan(suite, root=ROOT, folder=folder / "out", profile=Profile())

    return inputs, read


def _check_scalars(text: Any, suite: Any) -> None:
    """Raise if a number is not what a reader of the file sees: 010 is not 8, 1:30 is not 90."""
    if not isinstance(text, dict):
        return
    for key in ("seeds",):
        stated = text.get(key)
        if isinstance(stated, str) and stated != str(getattr(suite, key)):
            raise LieError(f"{key}: {stated} is read as {getattr(suite, key)!r}")
    for name, task in (text.get("tasks") or {}).items():
        stated = task.get("overrides") if isinstance(task, dict) else None
        for key, value in (stated or {}).items() if isinstance(stated, dict) else ():
            read = suite.tasks[name].overrides.get(key)
            if isinstance(value, str) and type(read) in (int, float):
                try:
                    same = float(value.replace(".inf", "inf")) == float(read)
                except (ValueError, OverflowError):
                    same = False
                if not same and str(read) != "nan":
                    raise LieError(f"override {value} is read as {read!r}")


def plans(folder: Path) -> Prepared:
    """The state of a suite between two runs: plan, traces, manifests, costs, progress, events."""
    from simmim_bench.stop import take_stop
    from simmim_bench.suite import cache, report
    from simmim_bench.suite.attempt import Attempt
    from simmim_bench.suite.events import EVENTS, Board
    from simmim_bench.suite.plan import Plan, Stage

    stage = Stage("finetune/a/b__c/seed0", ("python", "x"), "work/finetune/a/b__c/seed0/manifest.json", (), {"config": "1"}, config="configs/demo/simmim_swin-demo.py")  # fmt: skip
    last = Stage("leaderboard", ("python", "y"), "work/README.md", (stage.id,), {"tool": "1"}, always=True)  # fmt: skip
    plan = Plan("x", folder, folder / "work", (stage, last))
    place = plan.folder_of(stage)
    place.mkdir(parents=True)
    plan.state.mkdir()
    (plan.state / EVENTS).mkdir()
    (place / "e.pth").write_bytes(b"x")
    event = {"stage": stage.id, "kind": "start", "time": 1.0, "pid": 1, "message": "", "owner": "", "host": "h"}  # fmt: skip
    valid: dict[str, Any] = {
        "work/.suite/plan.json": plan.to_json(),
        f"work/{stage.id}/stage.json": {"inputs": {"config": "1"}, "files": {"checkpoint": [1, 2]}},
        f"work/{stage.id}/manifest.json": MANIFEST,
        f"work/{stage.id}/benchmark.json": {"wall_seconds": 3.0, "attempts": [{"exit_code": 1, "wall_seconds": 1.0}]},
        f"work/{stage.id}/progress.json": {"done": 1, "total": 3, "eta_seconds": 3.0, "metric": {"loss": 1.0}},
        f"work/{stage.id}/stop.json": {"reason": "preempted", "message": "x", "iteration": 3},
        f"work/.suite/{EVENTS}/h.jsonl": event,
    }  # fmt: skip
    for name, content in valid.items():
        (folder / name).write_bytes(as_json(content) + b"\n")

    def read(given: tuple[str, bytes]) -> None:
        import io

        from rich.console import Console

        from simmim_bench.suite.view import LiveView, PlainView

        name, content = given
        (folder / name).write_bytes(content + b"\n")
        try:
            Plan.read(folder / "work/.suite/plan.json")
            checks = cache.check_plan(plan)
            for each in plan.stages:
                cache.explain(plan, each, checks[each.id])
            console = Console(file=io.StringIO(), width=120)
            report.print_plan(console, plan, checks)
            report.print_reasons(console, plan, checks)
            board = Board(plan, shown={stage.id, last.id}, cached=set())
            changed_rows = board.refresh()
            board.rows[stage.id].state = "running"
            board.refresh()
            for view in (PlainView(console, board), LiveView(console, board)):
                view.update(changed_rows)
            board.close()
            report.print_costs(console, board, 1.0)
            Attempt(place, minutes=None, watch_owner=False)
            take_stop(place)
        finally:
            for other, good in valid.items():
                (folder / other).write_bytes(as_json(good) + b"\n")

    inputs = st.one_of(
        [st.tuples(st.just(name), texts(content)) for name, content in valid.items()]
    )
    return inputs, read


def config_files(folder: Path) -> Prepared:
    """Config files that a file names: read as text, hashed with their bases, never run."""
    from simmim_bench.config import load_stated_config
    from simmim_bench.suite.sources import hash_sources

    path = folder / "config.py"
    written = "a = 1\nmodel = dict(type='X', b=[1, 2.0, (3,)], c={'d': None})\nx = inf\n"
    inputs = st.one_of(
        damaged(written.encode()),
        damaged(CONFIG.read_bytes()),
        st.lists(st.sampled_from([*LINES, *written.split("\n")]), min_size=1, max_size=5).map(
            lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")
        ),
        st.tuples(st.sampled_from([*TEXTS, *YAML_SCALARS]), st.sampled_from(NUMBERS)).map(
            lambda pair: f"x = {pair[0]}\ny = {pair[1]}".encode("utf-8", "surrogatepass")
        ),
    )

    def read(content: bytes) -> None:
        path.write_bytes(content)
        for reader in (
            lambda: load_stated_config(str(path)),
            lambda: hash_sources("config.py", root=folder),
        ):
            refused = None
            try:
                reader()
            except OSError as error:
                refused = error
            except Exception as error:
                from simmim_bench.errors import BenchError

                if not isinstance(error, BenchError):
                    raise
                refused = error
        if refused:
            raise refused

    return inputs, read


def own_configs(folder: Path) -> Prepared:
    """Config files of the user, which are run as Python."""
    from simmim_bench.config import load_config, resolved_hash
    from simmim_bench.data.layouts import missing_data

    path = folder / "config.py"
    whole = (ROOT / "configs" / "demo").resolve()
    base = f"_base_ = ['{whole}/simmim_swin-demo.py']\n".encode()
    inputs = st.lists(st.sampled_from(LINES), min_size=1, max_size=2).map(
        lambda lines: base + "\n".join(lines).encode("utf-8", "surrogatepass")
    )

    def read(content: bytes) -> None:
        path.write_bytes(content)
        cfg = load_config(str(path), data_root="elsewhere", num_classes=3)
        resolved_hash(cfg)
        list(missing_data(cfg))

    return inputs, read


def overrides(_: Path) -> Prepared:
    """``--cfg-options``: keys and values of all kinds."""
    from simmim_bench.config import added_arguments, load_config, resolved_hash

    values = st.one_of(
        st.sampled_from([*TEXTS, *map(str, NUMBERS), *YAML_SCALARS]), st.text(max_size=8)
    )
    items = st.one_of(
        st.tuples(st.sampled_from(KEYS), values).map("=".join),
        st.tuples(st.sampled_from(KEYS), st.lists(values, max_size=3)).map(
            lambda pair: f"{pair[0]}=[{','.join(pair[1])}]"
        ),
        st.text(max_size=10),
        st.sampled_from(
            ["a=(", "a=[", "a=[1,(2", "a=]", "a=)", "=1", "a", "a==", "model.type=" + "(" * 2000]
        ),
    )

    def read(given: list[str]) -> None:
        cfg = load_config(str(CONFIG), overrides=given)
        resolved_hash(cfg)
        added_arguments(str(CONFIG), given)

    return st.lists(items, min_size=1, max_size=3), read


CASES = (
    Case("suite files", 5, suite_files),
    Case("state of a suite", 2, plans),
    Case("config files, as text", 2, config_files),
    Case("config files, run", 0.3, own_configs),
    Case("--cfg-options", 0.6, overrides),
)
