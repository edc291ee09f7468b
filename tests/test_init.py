"""``simmim-bench init``: a project that works as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from simmim_bench.commands.init import PROJECT, write_project
from simmim_bench.errors import BenchError
from tests.calls import call

ROOT = Path(__file__).parents[1]


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run(folder, *words):
    """The output of a Python command in the project, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "a folder" / "disk masks"
    write_project(folder, "disks")
    return folder


def test_the_package_has_the_given_name(project):
    made = files_of(project)
    ours = {name for name in files_of(PROJECT) if "__pycache__" not in name}
    assert made == {name.replace("my_method", "disks") for name in ours}
    assert {"disks/mask.py", "tests/test_disks.py", ".github/workflows/tests.yml"} <= made
    for name in made:
        assert "my_method" not in (project / name).read_text("utf-8")
    suite = yaml.safe_load((project / "suite.yaml").read_text("utf-8"))
    assert (suite["name"], suite["imports"]) == ("disks", ["disks"])


def test_the_name_follows_from_the_folder_and_the_next_commands_are_shown(tmp_path, monkeypatch):
    folder = tmp_path / "My disks-2"
    done = call("tools/init.py", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "my_disks_2" / "mask.py").is_file()
    assert f"  cd '{folder}'\n  simmim-bench suite suite.yaml\n" in done.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2 disks", "'2 disks' cannot name a Python package; add --name"),
        ("class", "'class' cannot name a Python package"),
        ("torch", "a package torch is installed already; add --name"),
    ],
)
def test_names_that_cannot_be(name, said, tmp_path):
    with pytest.raises(BenchError, match=said):
        write_project(tmp_path / "new", name)
    assert not (tmp_path / "new").exists()


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(BenchError, match="is not empty; give a new folder"):
        write_project(tmp_path, "disks")
    assert files_of(tmp_path) == {"mine.txt"}


def test_an_empty_folder_is_filled(tmp_path):
    write_project(tmp_path, "disks")
    assert "suite.yaml" in files_of(tmp_path)


@pytest.mark.slow
def test_its_own_tests_pass(project):
    assert " passed" in run(project, "pytest", "-q", "-p", "no:cacheprovider")
