"""Stores, packs and an own protocol to try sharing with."""

import json
import zipfile

from simmim_bench.records.protocols import known_protocols
from simmim_bench.records.record import Record, RecordBody
from simmim_bench.records.store import add_records
from tests.records.conftest import record_fields

CONFIG = """
_base_ = ["simmim_bench::demo/classification_swin-demo.py", "parts/cells.py"]
raise SystemExit("this text was run")
protocol = dict(dataset="my cells", version=2)
"""
"""Config of an own protocol; running it fails."""
PART = "protocol = dict(id='my-cells', epochs=7)\nmodel = dict(head=make_head())\n"


def write_config(folder, text=CONFIG):
    """Write the config of an own protocol with its base; returns its path."""
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "parts" / "cells.py").write_text(PART)
    path = folder / "my task.py"
    path.write_text(text)
    return path


def demo_record(seed=0, **changes):
    """A record of a protocol that configs define."""
    protocol = known_protocols()["demo-classification"].as_json()
    given = {"protocol": protocol, "metrics": {"top1": 50.0 + seed}, "seed": seed, **changes}
    return Record.seal(RecordBody.model_validate(record_fields(**given)))


def own_record(seed=0, *, config="configs/gone.py", protocol=None, **changes):
    """A record of the own protocol."""
    own = known_protocols()["demo-classification"].as_json()
    own |= {"id": "my-cells", "version": 2, "dataset": "my cells", "epochs": 7, **(protocol or {})}
    reference = {"path": str(config), "sha256": "0" * 64, "overrides": []}
    return demo_record(seed, protocol=own, config=reference, **changes)


def fill(store, *records):
    """Write records into a store."""
    add_records(store, [("x", record) for record in records])
    return store


def rewrite(source, target, change, **options):
    """Copy a zip archive; ``change`` alters its entries, a dict of bytes by name."""
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target


def edit_json(entries, name, **changes):
    """Change fields of a JSON entry."""
    entries[name] = json.dumps(json.loads(entries[name]) | changes).encode()
