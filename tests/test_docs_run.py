"""Blocks of the documents run, or are checked by what would run them, up to data and GPUs."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from simmim_bench.commands import COMMANDS as PROGRAM
from simmim_bench.commands import parser_of
from simmim_bench.config import load_config
from simmim_bench.suite.load import load_suite
from tests.test_docs import COMMANDS, OURS, PAGES, ROOT

LANGUAGES = {"bash", "bibtex", "python", "text", "toml", "yaml", ""}
PROGRAMS = {
    "simmim-bench", "python", "make", "bash",  # tests/test_docs.py
    "pip", "bench/bin/pip", "bench/bin/simmim-bench", "export", "source",  # below
    "mkdir", "curl", "git", "cd",
}  # fmt: skip
BLOCKS = [
    (page, language, text)
    for page in PAGES
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.S | re.M)
]
SUITES = [(page, text) for page, language, text in BLOCKS if language == "yaml" and "name:" in text]
INSTALLS = [words for words in COMMANDS if words[0].endswith("pip") and words[1] == "install"]
DRY = [words for words in OURS if words[1] == "suite" and (ROOT / words[2]).is_file()]
UNSET = {"reduce_zero_label", "list_file"}  # keys that a config may leave out
LINES = "\n".join(page.read_text("utf-8") for page in PAGES)


def test_every_block_is_of_a_kind_that_is_checked():
    assert len(BLOCKS) > 100
    assert {language for _, language, _ in BLOCKS} <= LANGUAGES
    assert {words[0] for words in COMMANDS} <= PROGRAMS


def test_every_command_is_shown():
    assert {words[1] for words in OURS} == set(PROGRAM)


def test_commands_are_in_blocks_that_are_checked():
    """Not in blocks of another language, where no test would see them."""
    others = [text for _, language, text in BLOCKS if language not in {"bash", "python"}]
    assert [text for text in others if re.search(r"^\$? ?simmim-bench ", text, re.MULTILINE)] == []


@pytest.mark.parametrize(("page", "text"), SUITES, ids=lambda value: getattr(value, "stem", ""))
def test_a_suite_file_is_valid(page, text, tmp_path):
    if yaml.safe_load(text).get("kind") == "Job":  # of Kubernetes
        return
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    assert load_suite(path).tasks


def test_suites_and_installations_are_found():
    assert len(SUITES) >= 3
    assert len(INSTALLS) >= 1
    assert len({words[2] for words in DRY}) >= 3


@pytest.mark.parametrize("words", INSTALLS, ids=" ".join)
def test_extras_exist(words):
    told = re.findall(r"\[([\w,]+)\]", " ".join(words))
    assert set(",".join(told).split(",")) - {""} <= extras()


def test_extras_in_the_text_exist():
    told = re.findall(r"(?:simmim_bench|\.|\.whl)\[([a-z,]+)\]['\"`]", LINES)
    assert len(told) > 3
    assert set(",".join(told).split(",")) <= extras()


@cache
def extras():
    text = (ROOT / "setup.py").read_text("utf-8").partition("extras_require=")[2]
    return set(re.findall(r'^ +"(\w+)": ', text, re.MULTILINE))


def changed():
    """Configs of which a command changes keys, and the changes."""
    for words in OURS:
        named = [word for word in words[2:] if word.startswith("configs/") and word.endswith(".py")]
        if named and "--cfg-options" in words and "{" not in named[0]:
            args = parser_of(words[1]).parse_args(words[2:])
            yield named[0], args.cfg_options


@pytest.mark.parametrize(("path", "options"), list(changed()), ids=str)
def test_options_are_keys_of_their_config(path, options, monkeypatch):
    monkeypatch.chdir(ROOT)
    cfg = load_config(path)
    for option in options:
        place, _, last = option.partition("=")[0].rpartition(".")
        found = cfg
        for part in place.split(".") if place else []:
            found = found[int(part)] if part.isdecimal() else found[part]
        assert last in found or last in UNSET, f"{path} has no {option}"


@pytest.mark.slow
@pytest.mark.parametrize("suite", sorted({words[2] for words in DRY}))
def test_a_suite_is_planned_or_lacks_only_data_and_weights(suite, tmp_path):
    code, said = plan(suite, tmp_path)
    mistakes = re.findall(r"^(?:error: suite file [^:]*: |  \d+\. )(.*)$", said, re.MULTILINE)
    lacking = [text for text in mistakes if ": no data at " in text or "create both with" in text]
    assert (code, mistakes) == (2 if lacking else 0, lacking)


@pytest.mark.slow
def test_the_table_of_the_tutorial_is_planned(tmp_path):
    page = ROOT / "docs" / "paper-table.md"
    [text] = [text for other, text in SUITES if other == page]
    (tmp_path / "masks.yaml").write_text(text)
    code, said = plan("masks.yaml", tmp_path)
    [promised] = re.findall(r"^masks: .* GPU hours$", page.read_text("utf-8"), re.MULTILINE)
    assert code == 0
    assert promised in said


def plan(suite, folder):
    """Exit code and output of a dry run, in a folder without data."""
    made = subprocess.run(
        [sys.executable, "-m", "simmim_bench", "suite", suite, "--dry-run"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIMMIM_BENCH_DATA": str(folder / "data")},
    )  # fmt: skip
    return made.returncode, made.stdout + made.stderr


def test_the_shell_finds_no_mistake():
    shell = shutil.which("bash")
    blocks = [text for _, language, text in BLOCKS if language == "bash"]
    assert len(blocks) > 50
    for text in blocks:
        subprocess.run([shell, "-n", "-c", text], check=True)


@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page, language, text in BLOCKS if language == "python"],
    ids=lambda value: getattr(value, "stem", ""),
)
def test_python_is_python(page, text):
    compile(text, str(page), "exec")


def test_words_of_the_start_page_are_those_of_the_readme():
    start = (ROOT / "docs" / "start.md").read_text("utf-8")
    bold = re.findall(r"a[n]? \*\*(\w+)\*\*", (ROOT / "README.md").read_text("utf-8"))
    assert len(bold) == 6
    assert [word for word in bold if f"| {word} |" not in start] == []


def test_the_site_reads_every_page_that_links_name():
    """Pages outside docs/ that docs/ links to are part of the site."""
    told = re.findall(r"\]\((\.\./[^)#]+\.md)", "".join(
        path.read_text("utf-8") for path in ROOT.glob("docs/*.md")
    ))  # fmt: skip
    patterns = (ROOT / "docs" / "conf.py").read_text("utf-8")
    outside = {Path(name).as_posix().removeprefix("../") for name in told}
    assert outside
    missing = [name for name in outside if f'"{name}"' not in patterns and "results/" not in name]
    assert missing == []
