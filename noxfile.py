"""Tests on other versions of Python and packages, both OpenMMLab families, and the wheel.

``make test-matrix`` runs what this machine has interpreters for; ``-s`` chooses a session.
"""

import os
import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
PYTHONS = ("3.11", "3.12", "3.13")
FAMILIES = ("onedl", "openmmlab")
# Two packages own cv2; of both only the headless one needs no graphics libraries.
HEADLESS = "opencv-python-headless==4.12.0.88"
TESTS = ("tests/test_ops.py", "tests/test_registry.py", "tests/contracts/test_downstream.py")


@nox.session(python=PYTHONS)
@nox.parametrize("family", FAMILIES)
def newest(session: nox.Session, family: str) -> None:
    """The newest versions that setup.py allows."""
    session.install("--editable", f".[{family},dev]")
    try_all(session)


@nox.session(python=PYTHONS[0])
@nox.parametrize("family", FAMILIES)
def lowest(session: nox.Session, family: str) -> None:
    """The versions of constraints-lowest.txt."""
    session.install("--constraint", "constraints-lowest.txt", "--editable", f".[{family},dev]")
    try_all(session)


@nox.session(python=(PYTHONS[0], PYTHONS[-1]))
def wheel(session: nox.Session) -> None:
    """A project made by the installed wheel, far from the checkout, in a folder with a space."""
    with tempfile.TemporaryDirectory() as made:
        session.run("uv", "build", "--quiet", "--wheel", "--out-dir", made, external=True)
        [file] = Path(made).glob("*.whl")
        session.install(f"{file}[onedl]", "pytest", HEADLESS)
        home, project = Path(made, "a home"), Path(made, "a home", "my masks")
        home.mkdir()
        session.chdir(home)
        session.env["PYTHONPATH"] = ""
        session.run("simmim-bench", "init", project.name)
        session.chdir(project)
        session.run("python", "-m", "pytest", "-q")
        session.run("simmim-bench", "suite", "suite.yaml", "--cores", str(os.cpu_count()))
        table = Path(project, "work_dirs/my_masks/results/leaderboard/README.md")
        session.run("grep", "mine", str(table), external=True)
        # installed, it is known without --import, in any folder
        session.install("--no-deps", "--editable", str(project))
        session.chdir(home)
        session.run("simmim-bench", "train", "my masks/configs/mine_tiny.py", "--try")


def try_all(session: nox.Session) -> None:
    """Operators, registries, all backbones in all tasks; two iterations of each task."""
    session.install("--reinstall", "--no-deps", HEADLESS)
    session.run("python", "-m", "pytest", "-q", "-m", "not slow", *TESTS)
    session.run("simmim-bench", "train", "configs/demo/simmim_swin-demo.py", "--try")
    for name in ("classification_swin-demo", "mask-rcnn_swin-demo_fpn", "upernet_swin-demo"):
        session.run("simmim-bench", "train", f"configs/demo/{name}.py", "--from-scratch", "--try")
