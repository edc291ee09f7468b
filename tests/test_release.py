"""The files of GitHub, Docker and releases are valid and agree with the package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import simmim_bench

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
BIN = Path(sys.executable).parent
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/workflows/ci.yml": "github-workflows",
    ".github/workflows/release.yml": "github-workflows",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    ".github/ISSUE_TEMPLATE/bug_report.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/feature_request.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/result.yml": "github-issue-forms",
}


def read(name):
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_a_file_of_github_is_valid(name, schema):
    command = [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", ROOT / name]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_such_file_is_checked():
    files = {str(path.relative_to(ROOT)) for path in GITHUB.rglob("*.yml")}
    assert files == set(SCHEMAS) - {"CITATION.cff"}


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_the_steps_of_a_workflow_are_shell(name):
    jobs = read(f".github/workflows/{name}")["jobs"].values()
    steps = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert steps
    for step in steps:
        script = re.sub(r"\$\{\{.*?\}\}", "value", step)
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_ci_runs_what_every_change_must_pass():
    steps = read(".github/workflows/ci.yml")["jobs"]["ci"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]


def test_a_project_of_the_wheel_is_tried_on_the_first_and_the_last_python():
    job = read(".github/workflows/ci.yml")["jobs"]["wheel"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert "nox --session wheel-${{ matrix.python }}" in job["steps"][-1]["run"]


def test_a_bug_report_asks_for_the_report_of_doctor():
    fields = read(".github/ISSUE_TEMPLATE/bug_report.yml")["body"]
    [report] = [field for field in fields if field.get("id") == "report"]
    assert "simmim-bench doctor --report report.md" in report["attributes"]["label"]
    assert report["validations"]["required"] is True


def test_the_citation_has_the_version_of_the_package():
    assert read("CITATION.cff")["version"] == simmim_bench.__version__


def test_the_dockerfile_has_no_complaint():
    checked = subprocess.run(
        [BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert checked.stdout == ""
    assert checked.returncode == 0


def test_the_image_has_a_base_for_cpus_and_takes_another():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG BASE=python:3\.1[123]", text, re.MULTILINE)
    assert re.search(r"^FROM \$\{BASE\}$", text, re.MULTILINE)
    assert "--build-arg BASE=nvidia/cuda:" in text


def test_hooks_before_a_commit_run_tools_of_the_environment():
    [repository] = read(".pre-commit-config.yaml")["repos"]
    programs = {hook["entry"].split()[0] for hook in repository["hooks"]}
    assert programs == {".venv/bin/ruff", ".venv/bin/codespell", ".venv/bin/python"}
