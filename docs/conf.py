"""The documentation site: `make docs`. Its pages are Markdown that GitHub shows as well.

Sphinx reads from the root of the repository, so that links between pages in docs/, configs/ and
results/ are the same on the site and in the repository.
"""

import os
import re
from pathlib import Path
from types import FunctionType

from sphinx.application import Sphinx

import simmim_bench
from simmim_bench.unused_imports import leave_out_unused

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "simmim_bench"

project = "simmim_bench"
version = release = simmim_bench.__version__
root_doc = "docs/index"
RESULTS = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in ROOT.glob("results/**/leaderboard/README.md")
]
include_patterns = [
    "docs/**",
    "configs/README.md",
    *(f"{name}.md" for name in RESULTS),
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
exclude_patterns = [
    ".*",
    "build",
    "data",
    "dist",
    "simmim_bench",
    "tests",
    "work_dirs",
    "docs/api/modules.rst",
]
extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
myst_heading_anchors = 4  # as on GitHub


def modules_of(package: str, *, but: tuple[str, ...]) -> list[str]:
    """Modules of a package, such as ``data/inspect/boxes``, except some."""
    files = sorted((PACKAGE / package).glob("[!_]*.py"))
    return [f"{package}/{file.stem}" for file in files if file.stem not in but]


# What code of a user imports is in the site; these serve the commands.
INTERNAL = [
    "__main__", "analysis", "cli", "commands", "config_text", "data/demo", "data/prepare",
    *modules_of("data/inspect", but=("found", "recognise")),
    *modules_of("weights/convert", but=("layouts",)),
    "doctor", "evaluation", "fonts", "launch", "leaderboard", "ops", "plots", "progress",
    "recipe", "shipped", "stop", "suite", "training", "unused_imports", "yaml_file",
]  # fmt: skip
apidoc_modules = [
    {
        "path": str(PACKAGE),
        "destination": "docs/api",
        "exclude_patterns": [
            f"{PACKAGE / name}{end}" for name in INTERNAL for end in (".py", "/*", "")
        ],
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = f"simmim_bench {version}"
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["static/root"]  # index.html, which leads to docs/index.html
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "simmim_bench"},
    "collapse_navigation": True,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        **{name: [] for name in ("docs/protocols", "docs/recipes", *RESULTS)},  # wide tables
    },
}

# The first import of mmpretrain decides what it registers, and no download may begin.
leave_out_unused()
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SECTIONS = ("docs/index", "docs/tutorials", "docs/how-to", "docs/reference", "docs/about")
LISTED = re.compile(r"^- \[([^\]]*)\]\(([^)#:\s]+\.md)\)", re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Register what this project adds to Sphinx."""
    app.connect("source-read", add_toctree)
    # Its rules for private members, of which there are none on the pages, read every attribute of
    # a class; mmcv's ``cache_randomness`` cannot be read so.
    for listener in list(app.events.listeners["autodoc-skip-member"]):
        if listener.handler.__module__ == "sphinx.ext.napoleon":
            app.disconnect(listener.id)
    app.connect("autodoc-skip-member", skip_borrowed)


def skip_borrowed(
    _app: Sphinx, _what: str, _name: str, member: object, skip: bool, _options: object
) -> bool | None:
    """Leave out a method that a class takes from another project as it is."""
    borrowed = isinstance(member, FunctionType) and not member.__module__.startswith("simmim_bench")
    return True if skip or borrowed else None


def add_toctree(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give a section page its place in the navigation: the pages that its lists name follow it."""
    if name in SECTIONS:
        pages = "\n".join(f"{title} <{page}>" for title, page in LISTED.findall(source[0]))
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
    elif name == "docs/api":
        source[0] += "\n## Modules\n\n```{toctree}\n:maxdepth: 2\n\napi/simmim_bench\n```\n"
