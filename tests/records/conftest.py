"""Valid manifests and records to change one thing of."""

import hashlib
from contextlib import contextmanager

import pytest

from simmim_bench.records import names
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record, RecordBody

TIME = "2025-01-31T12:00:00+00:00"


def sha(text):
    return hashlib.sha256(str(text).encode()).hexdigest()


def protocol(**changes):
    return {
        "id": "toy-detection",
        "version": 1,
        "task": "detection",
        "dataset": "toy scenes",
        "split": "val",
        "image_size": [96, 128],
        "epochs": 3,
        "metrics": {"box_ap": "coco/bbox_mAP", "mask_ap": "coco/segm_mAP"},
        "primary": "box_ap",
        **changes,
    }


CLASSIFICATION = protocol(
    id="toy-classification",
    task="classification",
    image_size=64,
    metrics={"top1": "accuracy/top1"},
    primary="top1",
)


def run_fields(**changes):
    """Fields of a fine-tuning from scratch, those that manifests and records share."""
    return {
        "kind": "full",
        "method": "scratch",
        "backbone": "swin-toy",
        "seed": 0,
        "config": {"path": "configs/toy.py", "sha256": sha("config"), "overrides": []},
        "protocol": protocol(),
        "pretraining": None,
        "metrics": {"box_ap": 34.712345678901234, "mask_ap": 23.2},
        "cost": {
            "device": "CPU x86_64",
            "device_count": 1,
            "wall_seconds": 120.0,
            "peak_memory_mb": 900.5,
            "images_per_second": 77.0,
            "parameters": 3_900_000,
            "flops": None,
        },
        "environment": {"python": "3.11.7", "torch": "2.14.1", "platform": "Linux"},
        "deviations": [],
        **changes,
    }


def pretraining(seed=0, **changes):
    return {
        "method": "simmim",
        "backbone": "swin-toy",
        "dataset": "toy images",
        "epochs": 5,
        "image_size": 64,
        "seed": seed,
        "checkpoint_sha256": sha(f"weights {seed}"),
        **changes,
    }


def manifest_fields(**changes):
    return {
        **run_fields(),
        "stage": "finetune",
        "status": "complete",
        "started": TIME,
        "finished": TIME,
        **changes,
    }


def record_fields(**changes):
    return {**run_fields(), "provenance": {"kind": "measured"}, "date": TIME, **changes}


@pytest.fixture(scope="session")
def make_manifest():
    """Factory: a valid fine-tuning manifest with some fields changed."""
    return lambda **changes: Manifest.model_validate(manifest_fields(**changes))


@pytest.fixture(scope="session")
def make_record():
    """Factory: a valid record with some fields changed."""
    return lambda **changes: Record.seal(RecordBody.model_validate(record_fields(**changes)))


@pytest.fixture(scope="session")
def make_simmim(make_record):
    """Factory: a record of a SimMIM-pretrained backbone."""

    def make(seed=0, **changes):
        given = {"method": "simmim", "pretraining": pretraining(seed), "seed": seed}
        return make_record(**{**given, **changes})

    return make


@pytest.fixture(scope="session")
def make_published(make_record):
    """Factory: a published record."""

    def make(**changes):
        given = {
            "method": "simmim",
            "pretraining": pretraining(seed=None, checkpoint_sha256=None),
            "seed": None,
            "cost": None,
            "environment": None,
            "config": None,
            "provenance": {
                "kind": "published",
                "table": "Table 6",
                "url": "https://example.org/paper",
            },
        }
        return make_record(**{**given, **changes})

    return make


def tuning(scores=(50.0, 70.0, 60.0), **changes):
    """A search for the learning rate; a score of None is a training that diverged."""
    rates = [1e-3, 5e-4, 2.5e-4]
    trials = [
        {
            "values": {"optim_wrapper.optimizer.lr": rate},
            "score": score,
            "failure": "the loss is nan" if score is None else None,
            "wall_seconds": 1200.0,
            "curves": {"top1": {"against": "epoch", "points": [[1, 30.0], [2, 50.0]]}},
        }
        for rate, score in zip(rates, scores, strict=True)
    ]
    best = max((each for each in trials if each["score"]), key=lambda each: each["score"])
    return {
        "search": {"optim_wrapper.optimizer.lr": rates},
        "seed": 0,
        "held_out": {"share": 0.2, "seed": 0, "images": 20, "training_images": 80},
        "metric": "box_ap",
        "hours": 1.0,
        "trials": trials,
        "chosen": best["values"],
        "recipe_sha256": sha("recipe"),
        **changes,
    }


def tuned(scores=(50.0, 70.0, 60.0), **changes):
    """Fields of a tuned fine-tuning."""
    found = tuning(scores)
    rate = found["chosen"]["optim_wrapper.optimizer.lr"]
    return {
        "tuning": found,
        "deviations": [f"tuned: optim_wrapper.optimizer.lr={rate}"],
        "config": {"path": "configs/toy.py", "sha256": sha(f"config {rate}"), "overrides": []},
        **changes,
    }


@pytest.fixture(scope="session")
def toy():
    """The builders above, for tests that vary nested fields."""

    class Toy:
        sha = staticmethod(sha)
        protocol = staticmethod(protocol)
        pretraining = staticmethod(pretraining)
        manifest_fields = staticmethod(manifest_fields)
        record_fields = staticmethod(record_fields)
        run_fields = staticmethod(run_fields)
        tuning = staticmethod(tuning)
        tuned = staticmethod(tuned)
        classification = CLASSIFICATION

    return Toy


@pytest.fixture
def write_suite(tmp_path):
    """Write a work dir: pretraining, export and two fine-tunings for each seed."""

    def write(seeds=(0,), kind="full", root=None, simmim_ap=44.0):
        root = root or tmp_path / "work"
        for seed in seeds:
            weights, checkpoint = sha(f"weights {seed}"), sha(f"checkpoint {seed}")
            stages = {
                "pretrain/simmim__swin-toy": {
                    "stage": "pretrain",
                    "method": "simmim",
                    "protocol": None,
                    "metrics": {},
                    "pretraining": pretraining(seed, checkpoint_sha256=None),
                    "outputs": {"checkpoint": {"path": "epoch_5.pth", "sha256": checkpoint}},
                    "cost": {**run_fields()["cost"], "wall_seconds": 600.0},
                },
                "export/simmim__swin-toy": {
                    "stage": "export",
                    "method": "simmim",
                    "protocol": None,
                    "metrics": {},
                    "inputs": {"checkpoint": {"path": "epoch_5.pth", "sha256": checkpoint}},
                    "outputs": {"backbone": {"path": "backbone.pth", "sha256": weights}},
                },
                "finetune/detection/scratch__swin-toy": {},
                "finetune/detection/simmim__swin-toy": {
                    "method": "simmim",
                    "pretraining": pretraining(seed),
                    "metrics": {"box_ap": simmim_ap + seed, "mask_ap": 33.0},
                },
            }
            for folder, changes in stages.items():
                made = manifest_fields(**{"kind": kind, "seed": seed, **changes})
                path = root / folder / f"seed{seed}" / "manifest.json"
                Manifest.model_validate(made).write(path)
        return root

    return write


@contextmanager
def unchecked_names():
    """Let records have any name: what shows them must not depend on the schema to refuse some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_check", lambda _: None)
        names.checked_name.cache_clear()
        yield
    names.checked_name.cache_clear()


@pytest.fixture
def any_name():
    with unchecked_names():
        yield
