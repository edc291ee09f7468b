"""With which versions and commit runs were made, in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from simmim_bench.results.manifest import Environment
from simmim_bench.results.record import Record


def describe_environment(where: Environment, packages: Collection[str] = ()) -> str:
    """``Python 3.11.7, torch 2.14.1, Linux, commit 0123456789ab, with uncommitted changes``.

    Args:
        where: Of a run.
        packages: Whose versions are named, too.
    """
    parts = [f"Python {where.python}"]
    if where.torch:
        parts.append(f"torch {where.torch}")
    parts += [f"{name} {where.versions.get(name, 'absent')}" for name in packages]
    parts.append(where.platform)
    if where.git_commit:
        parts.append(f"commit {where.git_commit[:12]}")
    if where.git_dirty:
        parts.append("with uncommitted changes")
    return ", ".join(parts)


def describe_environments(records: Iterable[Record]) -> str:
    """All environments of some runs; where they differ, each with its seeds and what differs."""
    known = [(record.seed, record.environment) for record in records if record.environment]
    if all(where.__dict__ == known[0][1].__dict__ for _, where in known):  # of most lines
        return describe_environment(known[0][1]) if known else ""
    packages = _differing([where.versions for _, where in known])
    seeds: dict[str, list[str]] = {}
    for seed, where in known:
        seeds.setdefault(describe_environment(where, packages), []).append(str(seed))
    if len(seeds) < 2:
        return "".join(seeds)
    return "; ".join(f"seed {', '.join(mine)}: {text}" for text, mine in seeds.items())


def _differing(versions: list[dict[str, str]]) -> list[str]:
    """Packages whose version is not the same everywhere."""
    names = sorted({name for mine in versions for name in mine} - {"torch"})
    return [name for name in names if len({mine.get(name) for mine in versions}) > 1]
