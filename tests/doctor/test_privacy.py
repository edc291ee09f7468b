"""A bug report holds no path, name, address or secret of whoever writes it."""

from pathlib import Path

import pytest

from simmim_bench.doctor.privacy import Private

TOKEN = "hf_" + "a1B2" * 8
COMMIT = "bd0fdfee4668"


@pytest.fixture
def private(monkeypatch, tmp_path):
    """What is private of a machine with a known home, user, name and secrets."""
    home = tmp_path / "Jane Doe"
    (home / "my project" / "acme").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "jdoe")
    monkeypatch.setenv("LOGNAME", "jdoe")
    monkeypatch.setenv("WANDB_API_KEY", "plain words 17")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("SLURM_JOB_ACCOUNT", "acme-secret")
    monkeypatch.setattr("socket.gethostname", lambda: "node17.corp.example.com")
    monkeypatch.setattr("platform.node", lambda: "node17")
    monkeypatch.chdir(home / "my project")
    folders = {"data": home / "my project" / "acme", "outputs": Path("work_dirs")}
    return Private.of_this_machine(folders, names=["patients"], keep=["4.12.0.88"])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("{home}/my project/acme/imagenet/val is missing", "<data>/imagenet/val is missing"),
        ("{home}/my project/work_dirs: 3 GB free", "<outputs>: 3 GB free"),
        ("the runs are in {home}/my project/work_dirs/acme", "the runs are in <outputs><path>"),
        ("cannot read '{home}/my project/x y/z'", "cannot read '<here><path>'"),
        ("in {home}/other client/file.py, line 3", "in ~<path>, line 3"),
        ("in {home}/other", "in ~<path>"),
        ("~/clients/acme is read-only", "~<path> is read-only"),
        ("no /mnt/Big Client/Project X/a.jpg; check", "no <path>; check"),
        ("'/mnt/Big Client/no extension here' is gone", "'<path>' is gone"),
        ("(/opt/x/y.so: undefined symbol)", "(<path>: undefined symbol)"),
        ("PATH=/home/other/bin:/srv/x", "PATH=<path>:<path>"),
        ("file:///home/jdoe/x", "<url>"),
        ("https://jdoe:pw@git.corp.example.com/x?token=abc", "<url>"),
        ("see https://pytorch.org/get-started/locally", None),
        ("login jdoe failed, as did JDOE", "login <user> failed, as did <user>"),
        ("run_jdoe-3 and jdoes", "run_<user>-3 and jdoes"),
        ("[node17.corp.example.com]:29500 refused", "[<host>]:29500 refused"),
        ("cannot reach node17", "cannot reach <host>"),
        ("cannot reach 10.1.2.3:29500, ::1:2:3 or fe80::1:2:3:4", None),
        ("mail jane.doe@example.com", "mail <address>"),
        (f"Bearer abcdef, {TOKEN}", "<secret> <secret>"),
        ("password: hunter2", "<secret>"),
        ("the key is plain words 17.", "the key is <secret>."),
        (f"{'0a' * 20} was sent", "<secret> was sent"),
        (
            "account acme-secret, data patients (detection)",
            "account <job>, data <name> (detection)",
        ),
    ],
)
def test_what_is_written(private, tmp_path, given, written):
    found = private.without(given.format(home=tmp_path / "Jane Doe"))
    if written is not None:
        assert found == written
    assert "10.1.2.3" not in found
    assert "fe80" not in found


@pytest.mark.parametrize(
    "text",
    [
        "opencv-python 4.12.0.88, torch 2.14.1+cu130, NCCL 2.30.7",
        "imagenet/train, images/validation and/or 3 GB/s",
        f"commit {COMMIT}, with changes",
        "63 MB free of 67 MB in /dev/shm; a line in /etc/hosts",
        "pip install --force-reinstall --no-deps opencv-python-headless==4.12.0.88",
        "pip install 'scipy<1.18,>=1.11'",
        "SimMIM on cpu, 12 steps in 0.9 s: the loss falls from 0.7238 to 0.5188",
        "point SIMMIM_BENCH_DATA at another folder, or pass --work-dir",
        "12:30:45 and std::vector",
        "finetune/classification/scratch__swin-demo/seed0: loss is 2.3, committed is 2.2 +- 0.02",
    ],
)
def test_what_stays(private, text):
    assert private.without(text) == text


def test_the_environment_keeps_what_lies_in_it(private):
    import torch

    said = private.without(f"{torch.__file__}: undefined symbol")
    assert said.startswith("<environment>/lib/python")
    assert said.endswith("/site-packages/torch/__init__.py: undefined symbol")


def test_names_of_usual_accounts_are_words(private, monkeypatch):
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "root")
    assert Private.of_this_machine().without("the data root") == "the data root"


def test_an_account_without_home_and_name(monkeypatch):
    def unknown(*_):
        raise KeyError("uid not found")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr(Path, "home", homeless)
    assert Private.of_this_machine().without("/home/x/y is gone") == "<path> is gone"
