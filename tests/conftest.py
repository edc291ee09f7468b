"""Set-up every test shares: operators in place before mmdet is imported, one thread."""

import os
import shutil
import signal
import subprocess
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from simmim_bench import ops
from tests.slurm_cluster import Cluster, why_not

# A busy machine is no failure.
settings.register_profile("simmim_bench", deadline=None)
settings.load_profile("simmim_bench")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
ops.install()


def pytest_collection_modifyitems(items):
    """Keep the tests of a file, and all that share one Slurm, in one process of pytest-xdist."""
    for item in items:
        group = "slurm" if item.get_closest_marker("slurm") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _process(tmp_path_factory, request):
    """End with each test what it sets in the environment, and its signal handlers.

    Each has a cache of its own for downloads and conversions.

    A training that fails leaves its handlers; processes that are forked later would ignore SIGTERM.
    """
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    cache = tmp_path_factory.getbasetemp() / "cache" / f"{hash(request.node.nodeid):x}"
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(cache)):
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def slurm():
    """Name of a partition: of the Slurm that this machine has, or of one that starts for tests."""
    if shutil.which("sinfo"):
        asked = ["sinfo", "--noheader", "--states=idle", "--format=%R"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        if found.stdout.split():
            yield found.stdout.split()[0]
            return
    if reason := why_not():
        pytest.skip(f"no Slurm: {reason}")
    cluster = Cluster()
    before = dict(os.environ)
    try:
        cluster.start()
        os.environ.update(cluster.environment())
        yield "debug"
    finally:
        os.environ.clear()
        os.environ.update(before)
        cluster.stop()


@pytest.fixture
def equal(record_property):
    """Function that bounds relative errors; ``benchmarks/equality.py`` prints the largest ones."""

    def check(reference, quantity, errors, bound=1e-5):
        largest = float(max(errors))  # a plain number: properties travel between processes
        record_property("equality", (reference, quantity, len(errors), largest, bound))
        assert largest <= bound, f"{quantity} of {reference}"

    return check


@pytest.fixture
def save_pretraining(tmp_path):
    """Function that writes a pretraining checkpoint of a backbone config, as mmengine does."""

    def save(backbone, *, state=None, name="epoch_2.pth", epochs=2, seed=0, kind="full"):
        import torch
        from mmengine.config import Config
        from mmengine.logging import HistoryBuffer

        from simmim_bench.registry import MODELS

        model = {
            "type": "simmim_bench.SimMIM",
            "backbone": backbone,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
        if state is None:
            torch.manual_seed(seed)
            built = MODELS.build(model)
            built.init_weights()
            state = built.state_dict()
        config = Config(
            {
                "default_scope": "mmpretrain",
                "model": model,
                "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": epochs},
                "pretraining": {
                    "method": "simmim",
                    "backbone": "tiny",
                    "dataset": "none",
                    "epochs": epochs,
                    "image_size": 64,
                },
            }
        )
        path = tmp_path / "run" / name
        path.parent.mkdir(exist_ok=True)
        meta = {"cfg": config.pretty_text, "epoch": 2, "iter": 8, "seed": seed}
        hub = {"log_scalars": {"train/loss": HistoryBuffer([1.0], [1])}}
        run = {"kind": kind, "method": "simmim", "seed": seed}
        content = {"meta": meta, "message_hub": hub, "simmim_bench": {"run": run}}
        torch.save({**content, "state_dict": state}, path)
        return path

    return save
