"""Configs, suites, tools and cited results that come with the package.

They lie in ``simmim_bench/.mim``, where OpenMMLab's packages keep theirs. In a checkout its entries
are links to the folders of the repository; an installation has the files themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path, PurePath

HOME = (Path(__file__).parent / ".mim" / "configs").resolve().parent
"""Folder with ``configs/``, ``tools/`` and ``results/published/``: the checkout, or ``.mim``."""
CONFIGS = HOME / "configs"
SUITES = "suites"
SUITE_SCHEMA = CONFIGS / SUITES / "suite.schema.json"
PARTS = "_base_"
OURS = "simmim_bench::"
"""Begin of a base, in a config, that is one of the package's configs."""


def find(given: str, *, base: Path | None = None, folder: str = "", suffix: str = ".py") -> Path:
    """File of a config or suite that is named by a path or shortly.

    A file below ``base`` comes first, then one that came with the package: ``configs/demo/a.py``,
    ``demo/a.py`` and ``demo/a`` name the same.

    Args:
        given: As the user wrote it.
        base: Folder of relative paths, the current one by default.
        folder: Of short names, below ``configs/``.
        suffix: What a short name leaves out.

    Returns:
        The file; ``base / given`` if there is none.
    """
    base = base or Path()
    names = [given, f"{given}{suffix}"]
    places = [base, HOME, CONFIGS, CONFIGS / folder]
    found = (place / name for place in places for name in names)
    return next((path for path in found if path.is_file()), base / given)


def portable(path: str) -> str:
    """``configs/...`` for a file that came with the package, wherever it lies; others as given."""
    whole = Path(path).resolve()
    return whole.relative_to(HOME).as_posix() if CONFIGS in whole.parents else path


def is_shipped(path: Path) -> bool:
    """Whether a file lies in the package's ``configs/``, also if links are followed."""
    return CONFIGS in path.resolve().parents


def near(given: str, *, base: Path | None = None, folder: str = "", suffix: str = ".py") -> str:
    """End of a message about a config or suite that does not exist: similar names.

    Args:
        given: As the user wrote it.
        base: Folder whose ``configs/`` is looked at first, the current one by default.
        folder: Below ``configs/``, where such files lie.
        suffix: Of such files.
    """
    mine, ours = _listed(base or Path(), "", suffix), _listed(HOME, folder, suffix)
    known = list(dict.fromkeys(name for name in (*mine, *ours) if PARTS not in name.split("/")))
    found = _similar(given.removesuffix(suffix), known, suffix)
    if found:
        return f"did you mean {' or '.join(found)}?"
    return f"the configs of the package are in {CONFIGS / folder}"


def _listed(home: Path, folder: str, suffix: str) -> list[str]:
    found = sorted((home / "configs" / folder).rglob(f"*{suffix}"))
    return [path.relative_to(home).as_posix() for path in found]


def _similar(given: str, known: Sequence[str], suffix: str) -> list[str]:
    """At most three names like ``given``: whole, without ``configs/``, or by their last part."""
    whole = {name.removesuffix(suffix): name for name in known}
    short = {name.removeprefix("configs/"): path for name, path in whole.items()}
    last = {PurePath(name).name: path for name, path in whole.items()}
    for names, text in ((whole, given), (short, given), (last, PurePath(given).name)):
        if matches := difflib.get_close_matches(text, names, n=3):
            return [names[match] for match in matches]
    return []
