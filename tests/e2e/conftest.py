"""A few embedded images and the tools as a stranger calls them."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from mmengine import DefaultScope, MessageHub, MMLogger
from mmengine.visualization import Visualizer

from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.records.manifest import Manifest
from tests.calls import call

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo"
CONFIGS = {
    "classification": DEMO / "classification_swin-demo.py",
    "detection": DEMO / "mask-rcnn_swin-demo_fpn.py",
    "segmentation": DEMO / "upernet_swin-demo.py",
}
PRETRAIN = DEMO / "simmim_swin-demo.py"
TINY = ["train_dataloader.batch_size=8", "auto_scale_lr.base_batch_size=8"]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    spec = DemoSpec(train_objects=32, val_objects=11, unlabelled=32, train_scenes=16, val_scenes=5)
    build_demo(root, spec, processes=1)
    return root


class Tools:
    """Call a tool in a process of its own."""

    def __init__(self, data):
        self.env = {
            **os.environ,
            "SIMMIM_BENCH_DATA": str(data),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",  # bit-equal runs and two processes, also beside a GPU
            "PYTHON": sys.executable,
        }

    def start(self, *words):
        command = [str(word) for word in words]
        if command[0].endswith(".py"):
            command = [sys.executable, *command]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words):
        process = self.start(*words)
        output, _ = process.communicate(timeout=400)
        return process.returncode, output

    def call(self, tool, *words):
        """Run a tool in this process: its code and what it prints.

        The environment and mmengine's global instances are as before when it ends.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self.env))
            for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
                stack.enter_context(mock.patch.dict(kind._instance_dict))
            done = call(tool, *words)
        return done.returncode, done.stdout + done.stderr

    def succeed(self, *words):
        code, output = self.run(*words)
        assert code == 0, output[-3000:]
        return output

    def train(self, config, work_dir, *words, options=()):
        """Train on the tiny data and return the manifest."""
        self.succeed(
            "tools/train.py", config, "--work-dir", work_dir, *words, "--kind", "smoke",
            "--cfg-options", *TINY, *options,
        )  # fmt: skip
        return Manifest.read(work_dir / "manifest.json")


@pytest.fixture(scope="session")
def tools(data):
    return Tools(data)


@pytest.fixture(scope="session")
def pretrained(tools, tmp_path_factory):
    """Folder of a finished two-epoch pretraining."""
    folder = tmp_path_factory.mktemp("pretrain")
    tools.train(PRETRAIN, folder, options=["train_cfg.max_epochs=2"])
    return folder


@pytest.fixture(scope="session")
def backbone(tools, pretrained, tmp_path_factory):
    """Exported ``backbone.pth``."""
    out = tmp_path_factory.mktemp("export")
    tools.succeed("tools/export_backbone.py", pretrained, "--out", out)
    return out / "backbone.pth"
