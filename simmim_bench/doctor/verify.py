"""``--verify``: run the smoke flow and compare its values with committed ones.

``reference.json`` holds the values of the same flow on a machine that was known to work, and by
how much each may differ: ``FACTOR`` times the largest difference that another number of threads and
other instructions of the processor made, at least ``LEAST``. To make it again after a change of a
recipe of the demo, run the flow as it is and, in other folders, with ``threads: 2`` and with
``ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2``; then::

    CUDA_VISIBLE_DEVICES= simmim-bench suite configs/suites/smoke.yaml --work-dir work_dirs/a
    python -m simmim_bench.doctor.verify work_dirs/a work_dirs/b work_dirs/c
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simmim_bench import cli, family, shipped
from simmim_bench.doctor.finding import Finding
from simmim_bench.doctor.software import OPENCV, versions
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, read_json

if TYPE_CHECKING:
    from rich.console import Console

REFERENCE = Path(__file__).with_name("reference.json")
SUITE = shipped.CONFIGS / shipped.SUITES / "smoke.yaml"
TOPIC = "verification"
MANIFEST = "manifest.json"
PACKAGES = (
    *("torch", "torchvision", "numpy", "pillow", "scikit-image", "scikit-learn"),
    *(*OPENCV, *family.PACKAGES),
)
"""Packages on which the values may depend."""
KINDS = ("pretrain", "finetune")
"""Folders of the trainings in that of a suite."""
FACTOR = 5
LEAST = {"loss": 0.001, "top1": 2.0, "miou": 0.05, "box_ap": 0.05, "mask_ap": 0.05}
"""Smallest tolerance: a share of a loss (other releases of OpenCV change its fourth digit), points
of a metric in percent."""


@dataclass(frozen=True)
class Stage:
    """What one training of the flow gave.

    Attributes:
        config: SHA-256 of its resolved config.
        data: SHA-256 of its data.
        values: Name to value: ``loss``, the mean over the logged iterations, or ``first loss`` and
            ``last loss`` if it was logged several times; metrics in percent.
        tolerances: By how much a value may differ.
    """

    config: str
    data: str
    values: dict[str, float]
    tolerances: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """Values of the flow, and with which packages and on which machine they were measured."""

    made_with: dict[str, str]
    stages: dict[str, Stage]

    @classmethod
    def read(cls, path: Path = REFERENCE) -> Reference:
        """Read the file.

        Raises:
            BenchError: If it is missing or damaged.
        """
        found = read_json(path) or {}
        try:
            stages = {name: Stage(**stage) for name, stage in found["stages"].items()}
            return cls(found["made_with"], stages)
        except (KeyError, TypeError, AttributeError) as error:
            raise BenchError(f"{path} is damaged ({error}); install simmim_bench again") from error


def verify(console: Console, outputs: Path) -> Iterator[Finding]:
    """Run the smoke flow on the CPU and compare its values with the committed ones.

    Args:
        console: Shows the progress.
        outputs: Folder for a temporary folder of the results, which stays if a value differs.
    """
    from simmim_bench.suite.run import Options, run_suite

    reference = Reference.read()
    outputs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=outputs)).resolve()
    with _environment(folder):
        run_suite(Options(suite=SUITE, root=folder, work_dir=folder, tables=False), console)
    findings = [*compare(reference, stages_of(folder, reference.stages))]
    if all(finding.status == "ok" for finding in findings):
        shutil.rmtree(folder)
    else:
        findings.append(Finding(TOPIC, "note", f"the runs and their logs are in {folder}", ""))
    yield from findings


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Let the runs build their data in ``folder`` and see no GPU, for float32 on the CPU."""
    changed = {"CUDA_VISIBLE_DEVICES": "", "SIMMIM_BENCH_DATA": str(folder / "data")}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def stages_of(folder: Path, names: Iterable[str]) -> dict[str, Stage]:
    """Those of the stages ``names`` that a suite has finished in ``folder``."""
    found = {}
    for name in names:
        manifest = read_json(folder / name / MANIFEST) or {}
        if manifest.get("status") != "complete":
            continue
        losses = [loss for _, loss in manifest["curves"]["loss"]["points"]]
        ends = {"first loss": losses[0], "last loss": losses[-1]}
        values = {**(ends if len(losses) > 1 else {"loss": losses[0]}), **manifest["metrics"]}
        data = manifest["data"]["sha256"]
        found[name] = Stage(manifest["config"]["sha256"], data, values)
    return found


def compare(reference: Reference, measured: Mapping[str, Stage]) -> Iterator[Finding]:
    """One finding if all values agree, else one for each that does not.

    Args:
        reference: Committed values.
        measured: Values of this installation by stage; stages that failed are missing.
    """
    wrong = [one for name in reference.stages for one in _differences(name, reference, measured)]
    if wrong:
        yield from wrong
        return
    used = [
        abs(measured[name].values[key] - value) / stage.tolerances[key]
        for name, stage in reference.stages.items()
        for key, value in stage.values.items()
    ]
    yield Finding(
        TOPIC,
        "ok",
        f"this installation reproduces: {len(used)} values of {len(reference.stages)} trainings "
        f"are within their tolerances, of which they use {max(used):.0%} at most",
    )


def _differences(
    name: str, reference: Reference, measured: Mapping[str, Stage]
) -> Iterator[Finding]:
    wanted, stage = reference.stages[name], measured.get(name)
    if stage is None:
        yield Finding(TOPIC, "problem", f"{name} failed", "see its log.txt, in the folder below")
        return
    for what in ("config", "data"):
        if getattr(stage, what) != getattr(wanted, what):
            text = f"{name} has another {what} than the committed values"
            yield Finding(TOPIC, "problem", text, _remedy(reference))
            return
    for key, value in wanted.values.items():
        got, allowed = stage.values.get(key, float("nan")), wanted.tolerances[key]
        if not abs(got - value) <= allowed:  # also if it is no number
            text = f"{name}: {key} is {got:.5g}, committed is {value:.5g} +- {allowed:.2g}"
            yield Finding(TOPIC, "problem", text, _remedy(reference))


def with_tolerances(stage: Stage, others: Iterable[Stage]) -> Stage:
    """A stage with tolerances from its repetitions on other machines."""
    seen, tolerances = [*others], {}
    for key, value in stage.values.items():
        kind = key.rpartition(" ")[2]
        least = LEAST[kind] * (value if kind == "loss" else 1)
        most = max((abs(other.values[key] - value) for other in seen), default=0.0)
        tolerances[key] = float(f"{max(least, FACTOR * most):.2g}")
    return replace(stage, tolerances=tolerances)


def _remedy(reference: Reference) -> str:
    """Packages whose versions differ."""
    here = versions(PACKAGES)
    other = {name: here.get(name, "none") for name in reference.made_with}
    changed = [
        f"{name} {other[name]} instead of {version}"
        for name, version in reference.made_with.items()
        if other[name] != version
    ]
    return f"versions differ: {', '.join(changed)}" if changed else "report it with --report FILE"


def _main() -> None:
    """Write ``reference.json`` from folders of finished smoke suites, the first being the one."""
    folder, *others = map(Path, sys.argv[1:])
    found = [path.parent for kind in KINDS for path in sorted(folder.glob(f"{kind}/**/{MANIFEST}"))]
    names = [path.relative_to(folder).as_posix() for path in found]
    again = [stages_of(other, names) for other in others]
    stages = {
        name: with_tolerances(stage, [other[name] for other in again if name in other])
        for name, stage in stages_of(folder, names).items()
    }
    if not stages:
        raise BenchError(f"{folder} has no finished trainings; give the folder of a smoke suite")
    written = {name: asdict(stage) for name, stage in stages.items()}
    atomic_write_json(REFERENCE, {"made_with": versions(PACKAGES), "stages": written})


if __name__ == "__main__":
    cli.main(_main)
