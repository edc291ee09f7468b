"""Commands in the documents exist and take the arguments shown; links lead somewhere."""

import ast
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from simmim_bench.commands import parser_of

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("configs/**/*.md")])
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"`((?:benchmarks|configs|docs|results|simmim_bench|tests|tools)/[^\s`:]*)[^`]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def commands(page):
    for block in re.findall(r"^```bash\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M):
        for line in shell_lines(block):
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words and " [" not in line:  # [] holds what may be left out: no command to run
                yield words


def shell_lines(block):
    """Lines of a shell script; one that ends in a backslash or an open quote goes on."""
    line = ""
    for part in block.replace("\\\n", " ").splitlines():
        line = f"{line}\n{part}" if line else part
        if line.split(" #")[0].count('"') % 2 == 0:
            yield line
            line = ""


COMMANDS = {tuple(words): page for page in PAGES for words in commands(page)}
PYTHON = [words for words in COMMANDS if words[0] == "python" and not words[1].startswith("-")]
OURS = [words for words in COMMANDS if words[0] == "simmim-bench"]
MAKE = [words for words in COMMANDS if words[0] == "make"]
SHELL = [words for words in COMMANDS if words[0] == "bash"]


def test_pages_and_their_commands_are_found():
    assert len(PAGES) > 15
    assert len(OURS) > 50
    assert len(MAKE) >= 4
    assert len(SHELL) >= 3
    assert {words[0] for words in commands(README)} >= {"simmim-bench", "make", "bash"}


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_commands_take_these_arguments(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    parser_of(words[1]).parse_args(words[2:])


@pytest.mark.parametrize("words", [*OURS, *PYTHON, *SHELL], ids=" ".join)
def test_programs_and_configs_exist(words):
    named = [words[1]] if words[0] != "simmim-bench" else []
    named += [word for word in words[2:] if word.startswith("configs/")]
    missing = [path for path in named if "{" not in path and not (ROOT / path).is_file()]
    assert missing == []


@pytest.mark.parametrize("script", sorted({words[1] for words in SHELL}))
def test_scripts_without_arguments_show_their_usage(script):
    bare = subprocess.run(["bash", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert bare.returncode == 2
    assert bare.stderr.startswith("usage: ")


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_knows_these_targets(words):
    shown = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr


def test_no_two_trainings_of_the_readme_share_a_folder():
    folders = []
    for words in commands(README):
        if words[:2] == ["simmim-bench", "train"] and "--try" not in words:
            given = words[words.index("--work-dir") + 1] if "--work-dir" in words else None
            folders.append(given or Path(words[2]).stem)
    assert len(folders) >= 3
    assert len(set(folders)) == len(folders)


def test_the_readme_fits_three_screens():
    assert len(README.read_text("utf-8").splitlines()) <= 140


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        where = (page.parent / path).resolve() if path else page
        if "://" in target:
            continue
        if not where.exists() or (anchor and anchor not in anchors(where)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_the_text_exist(page):
    if page.name == "CHANGELOG.md":  # names what went, too
        return
    paths = set(PATH.findall(FENCE.sub("", page.read_text("utf-8"))))
    real = [path.replace("NAME", "*") for path in paths if not set(path) & {"{", "<"}]
    assert [path for path in real if not any(ROOT.glob(path))] == []


@cache
def anchors(page):
    """Anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_listed_in_the_documentation():
    """A section lists its pages; the site's navigation is made of these lists."""
    docs = ROOT / "docs"
    assert "docs/index.md" in LINK.findall(README.read_text("utf-8"))
    sections = [docs / "index.md", *listed(docs / "index.md")]
    pages = {docs / "index.md"}.union(*map(listed, sections))
    assert set(docs.glob("**/*.md")) - pages == set()


def listed(page):
    found = re.findall(r"^- \[[^\]]*\]\(([^)#:]+\.md)\)", page.read_text("utf-8"), re.MULTILINE)
    return [(page.parent / name).resolve() for name in found]


def test_every_masking_strategy_and_suite_has_a_row():
    from simmim_bench.masking.strategies import strategies

    masking, suites = ((ROOT / "docs" / name).read_text() for name in ("masking.md", "suites.md"))
    ours = {name for name, kind in strategies().items() if kind.__module__.startswith("simmim")}
    assert len(ours) > 5
    assert {name for name in ours if f"| `{name}`" not in masking} == set()
    names = {path.stem for path in (ROOT / "configs" / "suites").glob("*.yaml")}
    assert len(names) > 5
    assert {name for name in names if f"`{name}`" not in suites} == set()


def test_messages_that_the_troubleshooting_page_explains_are_in_the_code():
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    cells = re.findall(r"^\| (?:a record )?`([^`]+)`", page, re.MULTILINE)
    shown = [cell for cell in cells if not cell.startswith("No module named")]  # Python's own
    assert len(shown) > 5
    texts = [text for path in ROOT.glob("simmim_bench/**/*.py") for text in strings(path)]
    for message in shown:
        pattern = re.compile(".*".join(map(re.escape, message.split("..."))), re.DOTALL)
        assert any(map(pattern.search, texts)), message


def strings(path):
    """Texts of a module but for its docstrings; a formatted value is one character."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if node in docstrings:
            continue
        if isinstance(node, ast.JoinedStr):
            values = [part.value if isinstance(part, ast.Constant) else "?" for part in node.values]
            yield "".join(values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
