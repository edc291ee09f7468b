import platform
import subprocess
from importlib import metadata

import pytest

import simmim_bench
from simmim_bench.records import environment
from simmim_bench.records.environment import collect_environment, git_origin, public_remote


def git(folder, *words):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_versions_without_importing():
    found = collect_environment(["pydantic", "no-such-package"])
    assert found.versions == {"pydantic": metadata.version("pydantic")}
    assert found.python == platform.python_version()


def test_commit_and_dirty_flag_of_the_repository_of_the_package(tmp_path, monkeypatch):
    source = tmp_path / "package" / "__init__.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(simmim_bench, "__file__", str(source))
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    assert collect_environment([]).git_commit is None
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    clean = collect_environment([])
    assert clean.git_commit == git(tmp_path, "rev-parse", "HEAD")
    assert clean.git_dirty is False
    source.write_text("changed = 1\n")
    assert collect_environment([]).git_dirty is True


def test_an_installed_package_asks_the_current_folder(tmp_path, monkeypatch):
    """A venv inside a repository is not that repository."""
    outer = tmp_path / "outer"
    installed = outer / ".venv" / "package" / "__init__.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("")
    git(tmp_path, "init", "--quiet", str(outer))
    git(outer, "commit", "--quiet", "--allow-empty", "-m", "first")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setattr(simmim_bench, "__file__", str(installed))
    monkeypatch.chdir(here)
    assert collect_environment([]).git_commit is None


def test_a_repository_of_a_stranger_runs_nothing(tmp_path, monkeypatch):
    """``git status`` runs the monitor and the filters that .git/config names."""
    (tmp_path / "__init__.py").write_text("")
    here = tmp_path / "here"
    git(tmp_path, "init", "--quiet", str(here))
    (here / ".gitattributes").write_text("* filter=x\n")
    (here / "a").write_text("1")
    git(here, "add", "a")
    git(here, "commit", "--quiet", "-m", "first")
    (here / "a").write_text("2")
    for key in ("core.fsmonitor", "filter.x.clean"):
        git(here, "config", key, f"touch {tmp_path / 'marker'}; cat")
    monkeypatch.setattr(simmim_bench, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.chdir(here)
    found = collect_environment([])
    assert len(found.git_commit) == 40
    assert found.git_dirty is None
    assert not (tmp_path / "marker").exists()


def test_a_machine_without_git_has_no_commit(monkeypatch):
    def missing(*words, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(environment.subprocess, "run", missing)
    found = collect_environment([])
    assert found.git_commit is None
    assert found.git_dirty is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:token@host/a/b.git", "https://host/a/b.git"),
        ("https://token@host/a", "https://host/a"),
        ("https://me:p@ss@host/a", "https://host/a"),
        ("https://host/a?token=1", "https://host/a"),
        ("git@host:a/b.git", "host:a/b.git"),
        ("ssh://git@host:22/a", "ssh://host:22/a"),
        ("/srv/git/a", None),
        ("file:///home/me/a", None),
        ("../a", None),
        ("https://host/a\x1b[2J", None),
        ("", None),
    ],
)
def test_a_remote_is_shown_without_users_and_paths_of_this_machine(address, shown):
    assert public_remote(address) == shown


def test_the_origin_of_a_folder(tmp_path):
    unknown = {"git_remote": None, "git_commit": None, "git_dirty": None}
    assert git_origin(tmp_path) == unknown
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", "git@host.example:a/b")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "first")
    found = git_origin(tmp_path)
    assert found["git_remote"] == "host.example:a/b"
    assert found["git_commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert found["git_dirty"] is False
    (tmp_path / "new").write_text("")
    assert git_origin(tmp_path)["git_dirty"] is True


def test_the_origin_of_a_repository_of_a_stranger_runs_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".gitattributes").write_text("* filter=evil")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    marker = tmp_path.parent / "marker"
    git(tmp_path, "config", "filter.evil.clean", f"touch '{marker}'; cat")
    git(tmp_path, "config", "core.fsmonitor", f"touch '{marker}'")
    (tmp_path / "a.txt").write_text("b")
    assert git_origin(tmp_path)["git_dirty"] is None
    assert not marker.exists()
    git(tmp_path, "config", "--unset", "core.fsmonitor")
    git(tmp_path, "status", "--porcelain")  # what would have happened
    assert marker.exists()
