"""A tiny build that the tests read, and a copy that they may break."""

import shutil

import pytest

from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import DemoSpec

TINY = DemoSpec(train_objects=20, val_objects=20, unlabelled=18, train_scenes=12, val_scenes=6)


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return build_demo(tmp_path_factory.mktemp("data"), TINY, processes=1)


@pytest.fixture
def breakable(built, tmp_path):
    return shutil.copytree(built.folder, tmp_path / "demo")
