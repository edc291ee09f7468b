"""Configs that came with the package: found by path or name, named the same everywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from simmim_bench import shipped
from simmim_bench.config import load_config, load_stated_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.sources import hash_sources

ROOT = Path(__file__).parents[1]
NAME = "configs/demo/simmim_swin-demo.py"
OWN = """_base_ = ["simmim_bench::demo/simmim_swin-demo.py"]
train_cfg = dict(max_epochs=7)
"""


@pytest.mark.parametrize("given", [NAME, "demo/simmim_swin-demo.py", "demo/simmim_swin-demo"])
def test_a_config_of_the_package_is_found_from_any_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = shipped.find(given)
    assert found == ROOT / NAME
    assert shipped.portable(str(found)) == NAME
    assert load_config(given).train_cfg.max_epochs == 5


def test_a_file_of_the_current_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / NAME
    mine.parent.mkdir(parents=True)
    mine.write_text("mine = True\n", "utf-8")
    assert load_config(NAME).mine
    assert shipped.portable(str(mine)) == str(mine)
    assert not shipped.is_shipped(mine)


def test_suites_have_short_names_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("smoke", "suites/smoke", "configs/suites/smoke.yaml"):
        path = shipped.find(given, folder="suites", suffix=".yaml")
        assert load_suite(path).name == "smoke"


def test_the_name_of_a_suite_with_a_mistake_gets_similar_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text("", "utf-8")
    with pytest.raises(BenchError, match=r"did you mean configs/suites/smoke\.yaml"):
        load_suite(shipped.find("smok", folder="suites", suffix=".yaml"))


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("demo/simmim_swin-dem", "configs/demo/simmim_swin-demo.py"),
        ("simmim/swin-c_8xb128", "configs/simmim/swin-b_8xb128.py"),
        ("swin-b_8xb128", "configs/simmim/swin-b_8xb128.py"),
    ],
)
def test_a_mistake_gets_similar_names(given, near, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="does not exist; did you mean") as refused:
        load_config(given)
    assert near in str(refused.value)


def test_configs_of_the_current_folder_are_similar_names_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "zebra_net.py").write_text("", "utf-8")
    with pytest.raises(BenchError, match=r"did you mean configs/zebra_net\.py"):
        load_config("configs/zebra_nett.py")


def test_a_base_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    own, base = load_config("own.py"), load_config(NAME)
    assert own.train_cfg.max_epochs == 7
    assert own.model == base.model
    own.train_cfg.max_epochs = base.train_cfg.max_epochs
    assert resolved_hash(own) == resolved_hash(base)  # no part says where it comes from


def test_the_sources_of_a_suite_follow_such_a_base(tmp_path):
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    hashes = hash_sources("own.py", root=tmp_path)
    assert {"own.py", NAME} < set(hashes)
    assert {name: hashes[name] for name in hashes if name != "own.py"} == hash_sources(
        NAME, root=ROOT
    )
    (tmp_path / "own.py").write_text(OWN.replace("swin-demo", "swin-none"), "utf-8")
    with pytest.raises(BenchError, match=r"its base simmim_bench::demo/simmim_swin-none\.py"):
        hash_sources("own.py", root=tmp_path)


def test_a_stated_config_is_executed_only_if_it_came_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("import os\nx = os.getcwd()\n", "utf-8")
    assert load_stated_config(NAME).train_cfg.max_epochs == 5
    with pytest.raises(BenchError, match=r"own\.py"):
        load_stated_config("own.py")


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(tmp_path):
    """Configs, suites, tools and cited results are inside; a config is found by its name."""
    source, out = tmp_path / "a source", tmp_path / "wheel"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            copy.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            copy.write_bytes((ROOT / name).read_bytes())
    build = [*(sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"), "-w", out, source]
    subprocess.run(build, check=True)
    (wheel,) = out.glob("simmim_bench-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(installed)
    assert f"simmim_bench/.mim/{NAME}" in names
    assert {"simmim_bench/.mim/tools/train.py", "simmim_bench/.mim/tools/dist_train.sh"} < names
    for folder, suffix in (("configs", "*.py"), ("configs/suites", "*.yaml"), ("tools", "*")):
        ours = {path.relative_to(ROOT) for path in (ROOT / folder).rglob(suffix) if path.is_file()}
        ours = {path for path in ours if "__pycache__" not in path.parts}
        assert {f"simmim_bench/.mim/{path.as_posix()}" for path in ours} <= names
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    program = (
        "import simmim_bench, sys; from simmim_bench.config import load_config;"
        "from simmim_bench.records.published import read_published;"
        "from simmim_bench.shipped import HOME;"
        "print(simmim_bench.__file__); print(load_config(sys.argv[1]).pretraining.method);"
        "print(len(read_published(HOME / 'results' / 'published')))"
    )
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    shown = subprocess.run(
        [sys.executable, "-P", "-c", program, "own.py"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    place, method, cited = shown.stdout.split()
    assert Path(place).is_relative_to(installed)
    assert (method, int(cited) > 10) == ("simmim", True)
