"""Classes of inputs: records, manifests, cited results, curves, and folders of runs."""

# ruff: noqa: E501  # lists of inputs

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzzing.values import as_json, as_yaml, changed, damaged, odd_yaml, texts
from benchmarks.fuzzing.worker import Case, LieError

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
Prepared = tuple[st.SearchStrategy[Any], Callable[[Any], object]]
TIME = "2025-01-31T12:00:00+00:00"
MANIFEST: dict[str, Any] = {
    "schema_version": 2,
    "stage": "finetune",
    "status": "complete",
    "kind": "full",
    "method": "simmim",
    "backbone": "swin-toy",
    "seed": 0,
    "config": {"path": "configs/toy.py", "sha256": "1" * 64, "overrides": ["a.b=1"]},
    "protocol": {
        "id": "toy", "version": 1, "task": "detection", "dataset": "toy", "split": "val",
        "image_size": [96, 128], "epochs": 3, "metrics": {"box_ap": "coco/bbox_mAP"}, "primary": "box_ap",
    },
    "pretraining": {
        "method": "simmim", "backbone": "swin-toy", "dataset": "toy", "epochs": 5, "image_size": 64,
        "seed": 0, "checkpoint_sha256": "2" * 64,
    },
    "inputs": {"backbone": {"path": "b.pth", "sha256": "2" * 64}},
    "outputs": {"checkpoint": {"path": "e.pth", "sha256": "3" * 64}},
    "metrics": {"box_ap": 34.7},
    "cost": {"device": "CPU x", "device_count": 1, "wall_seconds": 12.0, "peak_memory_mb": 900.5},
    "environment": {"python": "3.11", "torch": "2", "platform": "Linux", "versions": {"a": "1"}},
    "curves": {"loss": {"against": "iteration", "points": [[1.0, 2.0], [2.0, 1.0]]}},
    "deviations": ["override a.b=1"],
    "started": TIME,
    "finished": TIME,
}  # fmt: skip
SCALARS = [
    {"lr": 0.1, "loss": 2.0, "step": 1, "epoch": 1},
    {"lr": 0.1, "loss": 1.0, "step": 2, "epoch": 1},
    {"coco/bbox_mAP": 0.3, "step": 1},
    {"coco/bbox_mAP": 0.4, "step": 2},
]


def committed_record() -> tuple[Path, dict[str, Any]]:
    """The first record of the project, and what it holds."""
    path = next(iter(sorted((RESULTS / "records").glob("*/*.json"))))
    return path, json.loads(path.read_text("utf-8"))


def records(folder: Path) -> Prepared:
    """A store with one record, whose file is changed: only the same content may be read."""
    from simmim_bench.records.record import Record
    from simmim_bench.records.store import read_records

    path, content = committed_record()
    target = folder / path.parent.name / path.name
    target.parent.mkdir()
    genuine = Record.model_validate(Record.upgrade(content)).as_json()

    def read(text: bytes) -> None:
        target.write_bytes(text)
        (found,) = read_records(folder)
        if found.as_json() != genuine:
            raise LieError("a changed record was read")

    return texts(content), read


def sealed_records(folder: Path) -> Prepared:
    """A record whose writer sealed it himself: it is refused, or it can be shown in tables."""
    from simmim_bench.leaderboard.build import render
    from simmim_bench.records.hash import content_sha256
    from simmim_bench.records.record import SEAL, Record

    _, content = committed_record()
    content = Record.upgrade(content)
    body = {key: value for key, value in content.items() if key not in SEAL}

    def read(given: Any) -> None:
        shutil.rmtree(folder / "records", ignore_errors=True)
        record = Record.model_validate_json(sealed(given))
        path = folder / "records" / f"{record.method}__{record.backbone}" / f"{record.run_id}.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(sealed(given))
        render(folder, published=None, everything_cited=False)

    def sealed(given: Any) -> bytes:
        from simmim_bench.records.record import RecordBody
        from simmim_bench.records.schema import validate

        stated = validate(RecordBody, json.loads(as_json(given)), source="the record", remedy="no")
        return json.dumps(
            {
                **stated.as_json(),
                "run_id": stated.make_run_id(),
                "sha256": content_sha256(stated.as_json()),
            }
        ).encode()

    return changed(body), read


def manifests(folder: Path) -> Prepared:
    """A manifest that is read, then collected into a record."""
    from simmim_bench.records.collect import collect
    from simmim_bench.records.manifest import Manifest

    path = folder / "run" / "manifest.json"
    path.parent.mkdir()

    def read(text: bytes) -> None:
        path.write_bytes(text)
        found = Manifest.read(path)
        check_stated(json.loads(text), found.as_json())
        shutil.rmtree(folder / "records", ignore_errors=True)
        collect(folder, folder / "records")

    return texts(MANIFEST), read


def check_stated(given: Any, found: Any, place: str = "the file") -> None:
    """Raise unless ``found`` has each value of ``given``, without another type.

    Raises:
        LieError: Names the first difference.
    """
    if isinstance(given, dict) and isinstance(found, dict):
        for key, value in given.items():
            if key not in found:
                raise LieError(f"{place}.{key} is dropped")
            check_stated(value, found[key], f"{place}.{key}")
    elif isinstance(given, list) and isinstance(found, list) and len(given) == len(found):
        for number, (one, other) in enumerate(zip(given, found, strict=True)):
            check_stated(one, other, f"{place}.{number}")
    elif isinstance(given, bool) is not isinstance(found, bool) or given != found:
        if place.endswith((".started", ".finished", ".date", "schema_version")):
            return  # the same time in another notation; upgraded
        raise LieError(f"{place} is {given!r:.80}, read as {found!r:.80}")


def published(folder: Path) -> Prepared:
    """Files of cited results and of their protocols."""
    import yaml

    from simmim_bench.records.published import bad_sources, read_published

    sources = sorted((RESULTS / "published").glob("*.yml"))
    for path in sources:
        shutil.copy(path, folder)
    smallest = sorted(sources, key=lambda path: path.stat().st_size)[:2]
    protocols = RESULTS / "published" / "protocols.yml"
    chosen = [*smallest, protocols]
    inputs = st.one_of(
        [
            st.tuples(
                st.just(path.name),
                st.one_of(
                    changed(yaml.safe_load(path.read_text("utf-8"))).map(as_yaml),
                    odd_yaml(path.read_bytes()),
                    damaged(path.read_bytes()),
                    texts(yaml.safe_load(path.read_text("utf-8")), as_yaml),
                ),
            )
            for path in chosen
        ]
    )

    def read(given: tuple[str, bytes]) -> None:
        target = folder / given[0]
        before = target.read_bytes()
        target.write_bytes(given[1])
        try:
            list(bad_sources(folder))
            read_published(folder)
        finally:
            target.write_bytes(before)

    return inputs, read


def curves(folder: Path) -> Prepared:
    """Logs of scalars, from which curves are made."""
    from simmim_bench.records.curves import curves_of, read_scalars

    path = folder / "run" / "vis_data" / "scalars.json"
    path.parent.mkdir(parents=True)

    def read(text: bytes) -> None:
        path.write_bytes(text)
        read_scalars(folder, "loss")
        curves_of(folder, MANIFEST["protocol"], by_epoch=True)

    return _lines(), read


def _lines() -> st.SearchStrategy[bytes]:
    plain = b"\n".join(map(as_json, SCALARS))
    rows = changed(SCALARS).map(
        lambda rows: b"\n".join(map(as_json, rows if isinstance(rows, list) else [rows]))
    )
    return st.one_of(rows, rows, damaged(plain))


def make_run(folder: Path) -> dict[str, bytes]:
    """A folder of a finished run with every file that its page shows."""
    import numpy as np
    from PIL import Image

    for name in ("classes", "predictions", "reconstructions", "x/vis_data"):
        (folder / name).mkdir(parents=True)
    (folder / "manifest.json").write_bytes(as_json(MANIFEST))
    (folder / "x/vis_data/scalars.json").write_bytes(b"\n".join(map(as_json, SCALARS)))
    (folder / "classes/per_class.csv").write_text("class,AP\ncat,1.0\ndog,2.0\n")
    (folder / "toy.py").write_text("a = dict(b=1)\nwork_dir = 'x'\n")
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    for name in ("classes/confusion", "classes/worst", "predictions/a", "reconstructions/epoch_1"):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    names = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}


def run_folders(folder: Path) -> Prepared:
    """A suite of two runs, one with a damaged file: the tables are built all the same."""
    from simmim_bench.errors import BenchError
    from simmim_bench.leaderboard.build import build

    valid = make_run(folder / "run")
    shutil.copytree(folder / "run", folder / "good")
    other = {**MANIFEST, "seed": 1}
    (folder / "good" / "manifest.json").write_bytes(as_json(other))
    strategies = {name: damaged(content) for name, content in valid.items()}
    strategies["x/vis_data/scalars.json"] = _lines()
    strategies["manifest.json"] = texts(MANIFEST)
    inputs = st.one_of([st.tuples(st.just(name), some) for name, some in strategies.items()])

    def read(given: tuple[str, bytes]) -> None:
        name, content = given
        (folder / "run" / name).write_bytes(content)
        shutil.rmtree(folder / "results", ignore_errors=True)
        for report in folder.glob("*/report.html"):
            report.unlink()
        try:
            build(folder)
        except BenchError as error:
            if name != "manifest.json":
                raise LieError(f"a bad {name} of one run stopped the build: {error}") from error
            raise
        finally:
            (folder / "run" / name).write_bytes(valid[name])
        if not (folder / "good" / "report.html").is_file():
            raise LieError(f"a bad {name} of one run cost the page of another")

    return inputs, read


CASES = (
    Case("records", 4, records),
    Case("records, valid hash", 0.5, sealed_records),
    Case("manifests", 3, manifests),
    Case("cited results", 2, published),
    Case("logs of scalars", 2, curves),
    Case("folders of runs", 0.25, run_folders),
)
