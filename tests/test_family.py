"""Which OpenMMLab family is found in environments made of empty modules and packages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from simmim_bench import commands
from simmim_bench.family import FAMILIES

ROOT = Path(__file__).parents[1]
MODULES = list(FAMILIES["onedl"])


def environment(folder, packages=(), modules=MODULES):
    """A folder with empty modules and with the metadata of packages, as pip leaves them."""
    for name in modules:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    for name in packages:
        metadata(folder, name)
    return folder


def metadata(folder, name, needs=""):
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}"
    (about / "METADATA").write_text(text, "utf-8")


def packages_of(family):
    return [packages[0] for packages in FAMILIES[family].values()]


def run(folder, code):
    """Without the packages of this environment (-S), which has a family of its own."""
    code = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]\n{code}"
    return subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False
    )


def found(folder):
    code = "from simmim_bench.family import check_family; print(check_family())\n"
    code += "print([name for name in sys.modules if name.startswith('mm')])"
    return run(folder, code)


def refused(folder):
    shown = found(folder)
    assert shown.returncode == 1
    return re.search(r"BenchError: (.*)", shown.stderr).group(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_found_and_not_imported(tmp_path, family):
    shown = found(environment(tmp_path, packages_of(family)))
    assert shown.stdout.split("\n")[:2] == [family, "[]"], shown.stderr


def test_compiled_mmcv_and_source_folders_serve_too(tmp_path):
    (tmp_path / "a").mkdir()
    packages = ["mmcv", "mmengine-lite", *packages_of("openmmlab")[2:]]
    assert found(environment(tmp_path / "a", packages)).stdout.startswith("openmmlab\n")
    (tmp_path / "b").mkdir()
    assert found(environment(tmp_path / "b")).stdout.startswith("openmmlab\n")


def test_without_a_family_the_extra_is_named(tmp_path):
    message = refused(environment(tmp_path, modules=[]))
    assert message.startswith("the OpenMMLab libraries are not installed; pip install")
    assert "'simmim_bench[onedl]'" in message
    assert "'simmim_bench[openmmlab]'" in message


def test_of_a_mixture_all_packages_are_to_be_removed(tmp_path):
    both = [*packages_of("onedl"), *packages_of("openmmlab")]
    message = refused(environment(tmp_path, both))
    assert "installed twice, as onedl and openmmlab" in message
    assert f"pip uninstall --yes {' '.join(both)} && pip install" in message


def test_one_package_of_another_family_is_a_mixture(tmp_path):
    message = refused(environment(tmp_path, [*packages_of("onedl"), "mmcv"]))
    assert "installed twice" in message


def test_a_missing_package_is_named(tmp_path):
    packages = [name for name in packages_of("openmmlab") if name != "mmsegmentation"]
    modules = [name for name in MODULES if name != "mmseg"]
    needs = ("mmsegmentation-extra<2", "mmsegmentation<1.3,>=1.2.2", "mmdet==3.3.0")
    lines = "".join(f'Requires-Dist: {need}; extra == "openmmlab"\n' for need in needs)
    metadata(tmp_path, "simmim_bench", lines)
    message = refused(environment(tmp_path, packages, modules))
    assert message.startswith("mmseg of the OpenMMLab libraries is not installed beside mmengine")
    assert message.endswith("pip install 'mmsegmentation<1.3,>=1.2.2'")


def test_files_that_went_with_another_family_are_installed_again(tmp_path):
    message = refused(environment(tmp_path, packages_of("onedl"), ["mmengine", "mmcv"]))
    assert message.startswith("the files of mmdet, mmseg, mmpretrain are gone")
    assert "--force-reinstall --no-deps onedl-mmdetection==1.0 onedl-mmseg" in message


@pytest.mark.parametrize("there", [None, *FAMILIES])
def test_the_installation_overwrites_no_other_family(tmp_path, there):
    packages = packages_of(there) if there else []
    folder = environment(tmp_path, packages, MODULES if there else [])
    code = "import runpy; sys.argv[1:] = ['onedl']\n"
    code += "runpy.run_module('simmim_bench.family', run_name='__main__')"
    shown = run(folder, code)
    if there == "openmmlab":
        assert shown.returncode == 2
        assert "FAMILY=openmmlab keeps them" in shown.stderr
    else:
        assert shown.returncode == 0, shown.stderr


def test_the_extras_install_these_packages():
    text = (ROOT / "setup.py").read_text("utf-8")
    for family in FAMILIES:
        extra = re.search(rf'"{family}": \[(.*?)\]', text, re.DOTALL).group(1)
        for package in packages_of(family):
            assert re.search(rf'"{package}[=>]=', extra), (family, package)
    base = re.search(r"install_requires=\[(.*?)\]", text, re.DOTALL).group(1)
    assert "mmengine" not in base


@pytest.mark.parametrize("words", ["train a.py --from-scratch", "suite a.yaml", "data ade20k"])
def test_commands_say_that_there_is_no_family(monkeypatch, words):
    monkeypatch.setattr(commands, "check_family", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        commands._run(words.split()[0], words.split()[1:])


def test_some_commands_need_none(monkeypatch, capsys):
    monkeypatch.setattr(commands, "check_family", lambda: 1 / 0)
    commands._run("leaderboard", ["schema"])
    with pytest.raises(SystemExit):
        commands._run("train", ["--help"])
