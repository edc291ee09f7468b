"""Tests on other versions: Python 3.11 to 3.13, lowest and newest packages, both families.

``make test-matrix`` runs what this machine has interpreters for; ``-s`` chooses a session.
"""

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
PYTHONS = ("3.11", "3.12", "3.13")
FAMILIES = ("onedl", "openmmlab")
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


def try_all(session: nox.Session) -> None:
    """Operators, registries, all backbones in all tasks; two iterations of each task."""
    # Two packages own cv2; of both only the headless one needs no graphics libraries.
    session.install("--reinstall", "--no-deps", "opencv-python-headless==4.12.0.88")
    session.run("python", "-m", "pytest", "-q", "-m", "not slow", *TESTS)
    session.run("simmim-bench", "train", "configs/demo/simmim_swin-demo.py", "--try")
    for name in ("classification_swin-demo", "mask-rcnn_swin-demo_fpn", "upernet_swin-demo"):
        session.run("simmim-bench", "train", f"configs/demo/{name}.py", "--from-scratch", "--try")
