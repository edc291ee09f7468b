"""Installed packages, with faked environments: nothing, originals, forks, both, halves."""

import re
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from simmim_bench import family
from simmim_bench.doctor import software
from simmim_bench.doctor.finding import run_checks

ROOT = Path(__file__).parents[2]
FORKS = {
    "onedl-mmengine": "0.10.12",
    "onedl-mmcv": "2.3.6",
    "onedl-mmdetection": "3.5.1",
    "onedl-mmsegmentation": "1.4.2",
    "onedl-mmpretrain": "1.3.6",
}
ORIGINALS = {
    "mmengine": "0.10.7",
    "mmcv-lite": "2.1.0",
    "mmdet": "3.3.0",
    "mmsegmentation": "1.2.2",
    "mmpretrain": "1.2.0",
}
MODULES = ("mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain")


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Function that fakes what is installed: distributions, modules and requirements."""

    def fake(installed, modules=(), requires=None, python=">=3.11"):
        def version(name):
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        def find_spec(name):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            return SimpleNamespace(origin=str(folder / "__init__.py")) if name in modules else None

        monkeypatch.setattr(software.metadata, "version", version)
        monkeypatch.setattr(software.metadata, "metadata", lambda _: {"Requires-Python": python})
        monkeypatch.setattr(software.metadata, "requires", (requires or {}).get)
        monkeypatch.setattr(software.importlib.util, "find_spec", find_spec)
        monkeypatch.setattr(family, "find_spec", find_spec)

    return fake


def only(check):
    [finding] = check()
    return finding


@pytest.mark.parametrize(("packages", "name"), [(FORKS, "onedl"), (ORIGINALS, "openmmlab")])
def test_a_whole_family(environment, packages, name):
    environment(packages, MODULES)
    found = only(software.check_family)
    assert found.status == "ok"
    assert found.text.startswith(f"{name}: ")
    assert all(f"{package} {version}" in found.text for package, version in packages.items())


@pytest.mark.parametrize(
    ("packages", "modules", "text", "remedy"),
    [
        ({}, (), "not installed", "pip install 'simmim_bench[onedl]'"),
        (FORKS | {"mmcv": "2.1.0"}, MODULES, "installed twice", "mmcv"),
        (FORKS, ("mmengine", "mmdet", "mmseg", "mmpretrain"), "are gone", "onedl-mmcv==2.3.6"),
    ],
)
def test_no_family_two_and_one_without_files(environment, packages, modules, text, remedy):
    environment(packages, modules)
    [found] = run_checks({"OpenMMLab": software.check_family})
    assert found.status == "problem"
    assert text in found.text
    assert remedy in found.remedy


def test_a_family_of_other_versions_than_those_that_were_tested(environment):
    stated = ["mmdet==3.3.0; extra == 'openmmlab'", "mmcv-lite==2.1.0; extra == 'openmmlab'"]
    requires = {"simmim_bench": [*stated, "onedl-mmdetection>=3.5.1; extra == 'onedl'"]}
    packages = {"simmim_bench": "0.1.0", "mmdet": "3.2.0", "mmcv": "2.1.0"}
    environment(packages, MODULES, requires=requires)  # mmcv serves as well as mmcv-lite
    _, wrong = software.check_packages()
    assert wrong.text == "simmim_bench needs mmdet==3.3.0; installed is 3.2.0"


def test_who_serves_the_operators(environment, tmp_path):
    environment({}, ["mmcv"])
    (tmp_path / "mmcv").mkdir()
    assert "torchvision's" in only(software.check_operators).text
    (tmp_path / "mmcv" / "_ext.cpython-311-x86_64-linux-gnu.so").touch()
    assert "compiled by mmcv" in only(software.check_operators).text


def opencv_files(tmp_path, version, *, headless):
    folder = tmp_path / "cv2"
    folder.mkdir(exist_ok=True)
    text = f'opencv_version = "{version}"\nheadless = {headless}\n'
    (folder / "version.py").write_text(text, "utf-8")


def test_two_packages_of_one_version_may_own_cv2(environment, tmp_path):
    environment({"opencv-python": "4.12.0.88", "opencv-python-headless": "4.12.0.88"}, ["cv2"])
    opencv_files(tmp_path, "4.12.0.88", headless=True)
    found = only(software.check_opencv)
    assert found.status == "ok"
    assert found.text == "4.12.0.88 headless; 2 packages of this version own cv2"


def test_two_packages_of_different_versions_may_not(environment, tmp_path):
    environment({"opencv-python": "4.12.0.88", "opencv-contrib-python": "4.9.0.80"}, ["cv2"])
    opencv_files(tmp_path, "4.9.0.80", headless=False)
    found = only(software.check_opencv)
    assert found.status == "problem"
    assert "opencv-python 4.12.0.88, opencv-contrib-python 4.9.0.80" in found.text
    assert "(4.9.0.80 with windows)" in found.text
    assert found.remedy.startswith("pip uninstall -y opencv-python opencv-contrib-python, then")


@pytest.mark.parametrize("installed", [{}, {"opencv-python": "4.12.0.88"}])
def test_no_opencv(environment, installed):
    environment(installed)
    found = only(software.check_opencv)
    assert found.status == "problem"
    assert "opencv-python-headless==4.12.0.88" in found.remedy


def test_the_version_of_opencv_is_the_required_one():
    stated = re.search(r'"opencv-python==([\d.]+)"', (ROOT / "setup.py").read_text("utf-8"))
    assert stated[1] == software.OPENCV_VERSION


def test_requirements_that_are_not_met(environment):
    requires = {
        "simmim_bench": ["scipy>=1.11,<1.18", "timm>=1", "lmdb>=1; extra == 'lmdb'", "numpy"],
        "torchvision": ["torch==2.14.1"],
    }
    installed = {"simmim_bench": "0.1.0", "torchvision": "0.29.1", "scipy": "1.18.0"}
    environment(installed | {"numpy": "2.2.6", "torch": "2.13.0+cpu"}, requires=requires)
    shown, *wrong = software.check_packages()
    assert shown.text == "torch 2.13.0+cpu, torchvision 0.29.1, numpy 2.2.6, scipy 1.18.0"
    assert [one.text for one in wrong] == [
        "simmim_bench needs scipy<1.18,>=1.11; installed is 1.18.0",
        "simmim_bench needs timm>=1; it is not installed",
        "torchvision needs torch==2.14.1; installed is 2.13.0+cpu",
    ]
    assert {one.status for one in wrong} == {"problem"}


def test_a_build_of_the_required_version_meets_it(environment):
    installed = {"torchvision": "0.29.1", "torch": "2.14.1+cu130"}
    environment(installed, requires={"torchvision": ["torch==2.14.1"]})
    assert [*software.check_packages()][1].text == "all 1 are met"


def test_another_python_than_required(environment):
    environment({"simmim_bench": "0.1.0"}, python="<3")
    found = only(software.check_python)
    assert found.status == "problem"
    assert "needs Python <3" in found.text
    environment({}, python="<3")  # pip does not know the package
    assert only(software.check_python).status == "ok"


def test_a_package_that_pip_does_not_know_or_knows_in_another_version(environment):
    environment({})
    assert only(software.check_project).status == "note"
    environment({"simmim_bench": "0.0.1"})
    assert "pip knows 0.0.1" in only(software.check_project).text
