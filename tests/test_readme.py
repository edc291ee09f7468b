"""The README's commands exist and take the arguments that it shows."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = "\n".join((ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md"))


def commands():
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


COMMANDS = list(commands())
PYTHON = [words for words in COMMANDS if words[0] == "python"]
MAKE = [words for words in COMMANDS if words[0] == "make"]
SHELL = [words for words in COMMANDS if words[0] == "bash"]


def test_every_command_is_of_a_kind_that_is_tested():
    assert len(PYTHON) >= 4
    assert len(MAKE) >= 4
    assert len(SHELL) >= 3
    assert len(PYTHON) + len(MAKE) + len(SHELL) == len(COMMANDS)


@pytest.mark.parametrize("words", PYTHON, ids=" ".join)
def test_python_tools_take_these_arguments(words, monkeypatch):
    tool = ROOT / words[1]
    spec = importlib.util.spec_from_file_location(f"readme_{tool.stem}", tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", words[1:])
    args = module.parse()
    config = getattr(args, "config", None)
    assert config is None or (ROOT / config).is_file()


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_knows_these_targets(words):
    shown = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("words", SHELL, ids=" ".join)
def test_scripts_and_their_configs_exist(words):
    assert (ROOT / words[1]).is_file()
    configs = [word for word in words if word.startswith("configs/")]
    assert configs
    assert all((ROOT / config).is_file() for config in configs)
    bare = subprocess.run(["bash", words[1]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert bare.stderr.startswith("usage: ")


def test_no_two_trainings_share_a_folder():
    trainings = {tuple(words) for words in PYTHON if words[1] == "tools/train.py"}
    folders = []
    for words in trainings - {words for words in trainings if "--try" in words}:
        given = words[words.index("--work-dir") + 1] if "--work-dir" in words else None
        folders.append(given or Path(words[2]).stem)
    assert len(folders) >= 3
    assert len(set(folders)) == len(folders)
