"""Set-up every test shares: a cache of its own, signal handlers as they were."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from tests.slurm_cluster import Cluster, why_not

# A busy machine is no failure.
settings.register_profile("simmim_bench", deadline=None)
settings.load_profile("simmim_bench")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
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
    fonts = str(Path.home() / ".cache" / "matplotlib")  # listed once, not by each process again
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(cache), MPLCONFIGDIR=fonts):
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="module")
def _scope():
    """End with each file the default scope of the runners that it built, where names are sought."""
    yield
    if "mmengine" in sys.modules:
        from mmengine.registry import DefaultScope

        DefaultScope._instance_dict.clear()


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

    def save(backbone, *, name="epoch_2.pth", **options):
        from simmim_bench import testing

        return testing.save_pretraining(tmp_path / "run" / name, backbone, **options)

    return save
