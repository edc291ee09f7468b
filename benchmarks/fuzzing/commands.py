"""Command lines of every tool with odd values, up to where a training or a suite would start."""

# ruff: noqa: E501, S101

from __future__ import annotations

import contextlib
import io
import os
import runpy
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from unittest import mock

from hypothesis import strategies as st

from benchmarks.fuzzing.results import MANIFEST, ROOT, Prepared, make_run
from benchmarks.fuzzing.values import NUMBERS, TEXTS, as_json
from benchmarks.fuzzing.worker import Case

DEMO = "configs/demo"
ODD = [*(text for text in TEXTS if "\0" not in text and "\ud800" not in text), *map(str, NUMBERS), "\udcff", "1.5.6", "+1", " 1 ", "1e1", "٣", "-1"]  # fmt: skip
PATHS = ["FOLDER", "FOLDER/gone", "FOLDER/file", "FOLDER/file/x", "FOLDER/images", "FOLDER/" + "n" * 300, "/dev/null", "/dev/full", "/proc/x", "/sys/x", "FOLDER/loop", "FOLDER/locked/x", "FOLDER/fifo", "", ".", "/", "FOLDER/epoch_2.pth", "FOLDER/backbone.pth", "FOLDER/run", "FOLDER/images/a.png", "FOLDER/suite.yaml", "FOLDER/new", "FOLDER/x.csv", "FOLDER/x.parquet"]  # fmt: skip
CONFIGS = [f"{DEMO}/simmim_swin-demo.py", f"{DEMO}/classification_swin-demo.py", f"{DEMO}/mask-rcnn_swin-demo_fpn.py", f"{DEMO}/upernet_swin-demo.py", "configs/small/simmim_swin-demo.py", "FOLDER/empty.py", "FOLDER/broken.py"]  # fmt: skip
OVERRIDES = ["train_dataloader.batch_size=0", "train_dataloader.batch_size=-1", "train_dataloader.batch_size=x", "optim_wrapper.optimizer.lr=nan", "optim_wrapper.optimizer.lr=-1", "optim_wrapper.optimizer.lr=1e400", "train_cfg.max_epochs=0", "train_cfg.max_epochs=-3", "train_cfg.max_epochs=1.5", "pretraining.image_size=0", "model.backbone.window_size=0", "model.backbone.drop_path_rate=2", "train_dataloader.num_workers=-1", "param_scheduler=[]", "param_scheduler.0.end=-1", "optim_wrapper.accumulative_counts=0", "model=None", "train_dataloader=None", "default_scope=x", "train_dataloader.dataset.data_prefix=1", "train_dataloader.dataset.pipeline=[]", "a=[", "=", "x", "auto_scale_lr.base_batch_size=0", "model.mask_ratio=2", "randomness.seed=3", "load_from=x", "resume=True", "log_level=x", "default_hooks.checkpoint.interval=0", "env_cfg=1", "custom_hooks=3", "val_evaluator=[]", "protocol.metrics=3", "pretraining.method=../x", "model.backbone.type=os.system"]  # fmt: skip
TINY = ["train_dataloader.batch_size=8", "auto_scale_lr.base_batch_size=8"]
VALUE, PATH, FLAG = "value", "path", "flag"
RUN = {"--work-dir": PATH, "--seed": VALUE, "--launcher": ["none", "pytorch", "slurm", "x"], "--cfg-options": OVERRIDES, "--data-root": PATH, "--num-classes": VALUE}  # fmt: skip
PRETRAINED = [CONFIGS, PATH]
TOOLS = {
    "tools/train.py": ([CONFIGS], RUN | {"--pretrained": PATH, "--from-scratch": FLAG, "--init": PATH, "--dataset-name": VALUE, "--kind": ["full", "smoke", "x"], "--resume": FLAG, "--auto-scale-lr": FLAG, "--precision": ["float32", "bfloat16", "float16", "float8"], "--recompute": FLAG, "--fsdp": FLAG, "--log-to": ["tensorboard", "x"], "--paint-every": VALUE, "--try": VALUE}),
    "tools/test.py": ([CONFIGS, PATH], RUN | {"--draw": PATH, "--tta": FLAG}),
    "tools/predict.py": ([PATH, PATH], {"--out": PATH, "--checkpoint": PATH, "--batch": VALUE, "--top": VALUE, "--threshold": VALUE}),
    "tools/export_backbone.py": ([PATH], {"--out": PATH}),
    "tools/convert_checkpoint.py": ([PATH, PATH], {"--to": ["timm", "torchvision", "simmim", "x"], "--window": VALUE, "--image-size": VALUE, "--resize": ["bicubic", "x"], "--method": VALUE, "--sha256": VALUE, "--trust-pickle": FLAG}),
    "tools/run_suite.py": ([PATH], {"--seeds": VALUE, "--cores": VALUE, "--work-dir": PATH, "--only": VALUE, "--dry-run": FLAG, "--explain": FLAG, "--jobs": VALUE, "--launcher": ["local", "torchrun", "slurm", "x"], "--gpus": VALUE, "--webhook": VALUE}),
    "tools/leaderboard.py build": ([], {"--work-dir": PATH, "--out": PATH, "--readme": PATH, "--published": PATH}),
    "tools/leaderboard.py add": ([PATH], {"--records": PATH}),
    "tools/leaderboard.py check": ([], {"--records": PATH, "--published": PATH}),
    "tools/leaderboard.py show": ([], {"--records": PATH, "--published": PATH}),
    "tools/leaderboard.py compare": ([VALUE, VALUE], {"--records": PATH}),
    "tools/leaderboard.py export": ([PATH], {"--format": ["csv", "parquet", "jsonl", "metafile", "x"], "--records": PATH}),
    "tools/leaderboard.py report": ([PATH], {}),
    "tools/leaderboard.py ablation": ([PATH], {"--work-dir": PATH, "--out": PATH}),
    "tools/prepare_data.py demo": ([], {"--out": PATH, "--source": PATH, "--link": FLAG, "--verify": FLAG}),
    "tools/prepare_data.py cifar10": ([], {"--out": PATH, "--source": PATH, "--link": FLAG, "--verify": FLAG}),
    "tools/prepare_data.py coco": ([], {"--out": PATH, "--source": PATH, "--link": FLAG, "--verify": FLAG}),
    "tools/prepare_data.py shards": ([], {"--out": PATH, "--source": PATH, "--verify": FLAG}),
    "tools/prepare_data.py lmdb": ([], {"--out": PATH, "--source": PATH, "--verify": FLAG}),
    "tools/prepare_data.py images": ([], {"--source": PATH, "--verify": FLAG}),
    "tools/prepare_data.py palette": ([PATH], {"--clusters": VALUE, "--out": PATH, "--seed": VALUE}),
    "tools/analyze.py representation": ([PATH], {"--model": VALUE, "--out": PATH, "--count": VALUE, "--target-class": VALUE, "--cam-layer": VALUE, "--over-checkpoints": PATH, "--knn": PATH, "--seed": VALUE}),
    "tools/analyze.py reconstruct": ([*PRETRAINED, PATH], {"--out": PATH, "--scale": VALUE, "--seed": VALUE, "--cfg-options": OVERRIDES}),
    "tools/analyze.py masks --count 1 --mask-ratios 0.5 --mask-patch-sizes 32": ([], {"--strategies": VALUE, "--mask-patch-sizes": VALUE, "--mask-ratios": VALUE, "--image-size": VALUE, "--count": VALUE, "--seed": VALUE, "--out": PATH}),
    "tools/analyze.py inpaint": ([*PRETRAINED, PATH], {"--mask": PATH, "--ratio": VALUE, "--seed": VALUE, "--out": PATH}),
    "tools/analyze.py super-resolve": ([*PRETRAINED, PATH], {"--scale": VALUE, "--seed": VALUE, "--out": PATH}),
    "tools/analyze.py painting": ([CONFIGS, PATH], {"--protocol": PATH, "--out": PATH, "--rows": VALUE, "--cfg-options": OVERRIDES}),
    "tools/analyze.py": ([VALUE], {}),
}  # fmt: skip
"""Tool to its positional arguments and its options, each a kind of value or a list of them."""


def command_line(number: int) -> list[str]:
    """Words of a command line; about half of them have an odd value."""
    random = Random(number)
    if random.random() < 0.2:
        return deep_line(random)
    tool = random.choice(sorted(TOOLS))
    positional, options = TOOLS[tool]
    words = [*tool.split(), *(_value(kind, random) for kind in positional)]
    for name in random.sample(sorted(options), random.randint(0, min(4, len(options)))):
        words += [name] if options[name] == FLAG else [name, _value(options[name], random)]
    if "--out" in options and "--out" not in words:
        words += ["--out", "FOLDER/new"]
    if random.random() < 0.05:
        words.insert(random.randint(1, len(words)), random.choice(ODD))
    return words


def deep_line(random: Random) -> list[str]:
    """A training that would start, but for one or two changes of its config or one more option."""
    config = random.choice(CONFIGS[:4])
    words = ["tools/train.py", config, "--kind", "smoke"]
    words += [] if "simmim" in Path(config).name else ["--from-scratch"]
    options = TOOLS["tools/train.py"][1]
    name = random.choice(sorted(options))
    if random.random() < 0.4 and name != "--cfg-options":
        words += [name] if options[name] == FLAG else [name, _value(options[name], random)]
    return [*words, "--cfg-options", *TINY, *random.sample(OVERRIDES, random.randint(0, 2))]


def _value(kind: object, random: Random) -> str:
    if random.random() < 0.15:
        return random.choice(ODD)
    usual = (
        kind if isinstance(kind, list) else PATHS if kind == PATH else ["0", "1", "2", "3", *ODD]
    )
    return random.choice(usual)


def call(words: list[str], folder: Path) -> tuple[int, str]:
    """Run a tool in this process, from ``folder``: its exit code and stderr."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, "argv", words))
        stack.enter_context(mock.patch.object(os, "_exit", sys.exit))
        stack.enter_context(mock.patch.dict(os.environ))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
        except SystemExit as end:
            code = end.code
    return int(code) if isinstance(code, int) else 0 if code is None else 1, err.getvalue()


@contextlib.contextmanager
def stopped() -> Iterator[None]:
    """Nothing trains, downloads, serves or waits in the block."""
    import requests

    from simmim_bench import ops

    ops.install()
    from simmim_bench.data.prepare import commands
    from simmim_bench.suite import run
    from simmim_bench.training.runner import BenchRunner

    def refuse(*_: object, **__: object) -> None:
        raise requests.exceptions.ConnectionError("no network")

    def end(*_: object, **__: object) -> None:
        raise SystemExit(0)

    with contextlib.ExitStack() as stack:
        for owner, name, instead in (
            (BenchRunner, "from_cfg", end),
            (run, "_run", lambda *_: 0),
            (commands, "_build_demo", lambda *_: None),
            (requests.Session, "send", refuse),
            (time, "sleep", lambda _: None),
        ):
            stack.enter_context(mock.patch.object(owner, name, instead))
        yield


def fill(folder: Path) -> None:
    """Files of all kinds, to be named on command lines."""
    import numpy as np
    import torch
    from PIL import Image

    from benchmarks.fuzzing.weights import exported

    exported(folder)
    make_run(folder / "run")
    (folder / "run" / "manifest.json").write_bytes(as_json(MANIFEST))
    (folder / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in "abcde":
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
    (folder / "file").write_text("x")
    (folder / "empty.py").write_text("")
    (folder / "broken.py").write_text("x = (")
    shutil.copy(ROOT / "configs/suites/smoke.yaml", folder / "suite.yaml")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "locked").mkdir(mode=0o500)
    os.mkfifo(folder / "fifo")
    torch.save({"a": torch.zeros(2)}, folder / "weights.pth")


def run_words(words: list[str], folder: Path) -> None:
    """Run a command line with a copy of ``folder`` for FOLDER.

    Raises:
        BenchError: With what a tool says that refuses it.
        AssertionError: If it ends with code 2 but without a sentence.
    """
    from simmim_bench.errors import BenchError

    place = folder / "work"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "all", place, symlinks=True, ignore=shutil.ignore_patterns("fifo"))
    os.mkfifo(place / "fifo")
    (place / "configs").symlink_to(ROOT / "configs")
    code, said = call([word.replace("FOLDER", str(place)) for word in words], place)
    assert "Traceback" not in said, said[-800:]
    if code in (0, 1, 75, 141):
        return
    assert code == 2, f"exit code {code}: {said[-300:]}"
    assert "error: " in said, said[-300:]
    raise BenchError(said[said.index("error: ") :].replace(str(place), ""))


def lines(folder: Path) -> Prepared:
    """Command lines of all tools."""
    from simmim_bench.data.demo.build import build_demo
    from simmim_bench.data.demo.spec import DemoSpec

    (folder / "all").mkdir()
    fill(folder / "all")
    before = set((ROOT / "results").rglob("*"))
    spec = DemoSpec(train_objects=32, val_objects=11, unlabelled=96, train_scenes=16, val_scenes=5)
    build_demo(folder / "data", spec, processes=1)
    root = {"SIMMIM_BENCH_DATA": str(folder / "data")}

    def read(words: list[str]) -> None:
        with stopped(), mock.patch.dict(os.environ, root):
            run_words(words, folder)
        assert set((ROOT / "results").rglob("*")) == before, "the project's results were changed"

    return st.integers(0, 2**32).map(command_line), read


PROCESSES = [
    "tools/leaderboard.py check", "tools/leaderboard.py show", "tools/leaderboard.py compare simmim scratch", "tools/leaderboard.py schema",
    "tools/leaderboard.py export FOLDER/x.csv", "tools/leaderboard.py report FOLDER/run", "tools/run_suite.py FOLDER/suite.yaml --dry-run --work-dir FOLDER/s",
    "tools/prepare_data.py images --source FOLDER/images --verify", "tools/prepare_data.py shards --source FOLDER/images --out FOLDER/new",
    "tools/train.py --help", "tools/train.py configs/demo/simmim_swin-demo.py --work-dir FOLDER/w --data-root FOLDER/gone",
]  # fmt: skip
WAYS = {
    "as it is": "{}",
    "| head": "{} | head -n 1; exit ${{PIPESTATUS[0]}}",
    "to a reader that left": "{} | true; exit ${{PIPESTATUS[0]}}",
    "to a full disk": "{} > /dev/full",
    "without stdout": "{} >&-",
    "without stdin and stderr": "{} <&- 2>&-",
    "with few open files": "ulimit -n 40; {}",
}
"""How the shell runs a tool."""


def processes(folder: Path) -> Prepared:
    """Tools as processes, with closed or full streams."""
    import subprocess

    from simmim_bench.errors import BenchError

    fill(folder)

    def read(given: tuple[str, str]) -> None:
        line = f"{sys.executable} {given[0].replace('FOLDER', str(folder))}"
        for name in ("x.csv", "new"):
            shutil.rmtree(folder / name, ignore_errors=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMMIM_BENCH_DATA": str(folder)}
        command = ["bash", "-c", WAYS[given[1]].format(line)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr[-800:]
        if done.returncode in (0, 1, 141):
            return
        assert done.returncode == 2, f"{done.returncode}: {done.stderr[-300:]}"
        if "stderr" not in given[1]:
            assert "error: " in done.stderr, done.stderr[-300:]
            raise BenchError(done.stderr[done.stderr.index("error: ") :])

    pairs = [(line, way) for line in PROCESSES for way in WAYS]
    return st.sampled_from(pairs), read


CASES = (Case("command lines", 1, lines), Case("processes", 0.07, processes, seconds=120.0))
