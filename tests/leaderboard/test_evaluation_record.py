"""An evaluation becomes a record only of the run that made the checkpoint."""

import argparse
import json

import pytest
from mmengine.config import Config

from simmim_bench.io import sha256_file
from simmim_bench.plugins import INHERITED
from simmim_bench.records.collect import make_record
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from simmim_bench.records.schema import read_model
from simmim_bench.records.store import add_record
from simmim_bench.training.evaluate import write_record

MEASURED = {"coco/bbox_mAP": 0.5, "coco/segm_mAP": 0.25, "coco/bbox_mAP_50": 0.75}


class Evaluation:
    """A finished run, and an evaluation of its checkpoint."""

    def __init__(self, folder, toy):
        self.folder, self.toy = folder, toy
        self.checkpoint = folder / "epoch_3.pth"
        self.checkpoint.write_bytes(b"weights")
        self.finish()

    def finish(self, **changes):
        sha256 = sha256_file(self.checkpoint)
        given = {"outputs": {"checkpoint": {"path": "epoch_3.pth", "sha256": sha256}}, **changes}
        text = json.dumps(self.toy.manifest_fields(**given))
        (self.folder / "manifest.json").write_text(text)

    def record(self, *, protocol=None, tta=False, overrides=()):
        args = argparse.Namespace(
            checkpoint=str(self.checkpoint),
            tta=tta,
            cfg_options=list(overrides),
            data=None,
            data_root=None,
            dataset_name=None,
        )
        work_dir = self.folder / "test"
        cfg = Config({"protocol": protocol or self.toy.protocol(), "work_dir": str(work_dir)})
        said = write_record(args, cfg, MEASURED)
        path = work_dir / "record.json"
        return said, read_model(Record, path, remedy="") if path.exists() else None


@pytest.fixture
def evaluation(tmp_path, toy):
    return Evaluation(tmp_path, toy)


def test_the_run_with_what_was_measured_now(evaluation):
    said, record = evaluation.record()
    path = evaluation.folder / "test" / "record.json"
    assert said == f"record: {path}; next: simmim-bench leaderboard add {path}"
    assert record.metrics == {"box_ap": 50.0, "mask_ap": 25.0}
    assert (record.method, record.seed, record.deviations) == ("scratch", 0, [])
    assert record.cost.wall_seconds == 120.0


def test_the_next_command_imports_what_this_one_did(evaluation, monkeypatch):
    monkeypatch.setenv(INHERITED, "my_backbone")
    said, _ = evaluation.record()
    assert said.endswith("record.json --import my_backbone")


def test_what_the_run_did_not_do_is_a_deviation(evaluation):
    evaluation.finish(deviations=["override a.b=1"])
    _, record = evaluation.record(tta=True, overrides=["a.b=1", "c=2"])
    assert record.deviations == [
        "override a.b=1", "override c=2 in the evaluation", "test-time augmentation",
    ]  # fmt: skip


def test_values_that_trials_chose_are_no_overrides_of_the_evaluation(evaluation, toy):
    evaluation.finish(**toy.tuned())
    chosen = "optim_wrapper.optimizer.lr=0.0005"
    _, record = evaluation.record(overrides=[chosen])
    assert record.deviations == [f"tuned: {chosen}"]
    assert record.tuning.as_json() == toy.tuning()


def test_it_stands_beside_the_record_of_the_run(evaluation, tmp_path):
    _, plain = evaluation.record()
    _, augmented = evaluation.record(tta=True)
    _, changed = evaluation.record(overrides=["c=2"])
    assert len({plain.run_id, augmented.run_id, changed.run_id}) == 3
    assert evaluation.record(tta=True)[1].run_id == augmented.run_id
    run = Manifest.read(evaluation.folder / "manifest.json")
    trained = make_record(run, evaluation.folder, {})
    assert plain.run_id == trained.run_id
    records = tmp_path / "records"
    assert add_record(records, trained, source=tmp_path) == "added"
    assert add_record(records, augmented, source=tmp_path) == "added"


def test_the_pretraining_is_found_where_the_run_had_it_from(evaluation, toy):
    sha256 = toy.sha("weights 0")
    made = {
        "pretrain": ({"checkpoint": "epoch_5.pth"}, {}),
        "export": ({"backbone": "backbone.pth"}, {"checkpoint": "pretrain/epoch_5.pth"}),
    }
    for stage, (outputs, inputs) in made.items():
        folder = evaluation.folder / stage
        folder.mkdir()
        fields = toy.manifest_fields(
            stage=stage,
            method="simmim",
            protocol=None,
            metrics={},
            pretraining=toy.pretraining(checkpoint_sha256=None) if stage == "pretrain" else None,
            deviations=["fewer images"] if stage == "pretrain" else [],
            inputs={
                name: {"path": str(evaluation.folder / path), "sha256": toy.sha("epoch_5.pth")}
                for name, path in inputs.items()
            },
            outputs={
                name: {"path": path, "sha256": sha256 if stage == "export" else toy.sha(path)}
                for name, path in outputs.items()
            },
        )
        (folder / "manifest.json").write_text(json.dumps(fields))
    backbone = str(evaluation.folder / "export" / "backbone.pth")
    evaluation.finish(
        method="simmim",
        pretraining=toy.pretraining(),
        inputs={"backbone": {"path": backbone, "sha256": sha256}},
    )
    _, record = evaluation.record()
    assert record.pretraining_cost.wall_seconds == 120.0
    assert record.pretraining_deviations == ["fewer images"]


def test_another_checkpoint_of_the_run(evaluation):
    evaluation.checkpoint.write_bytes(b"weights of an earlier epoch")
    said, record = evaluation.record()
    assert record is None
    assert said.startswith("no record: ")
    assert "epoch_3.pth is not the epoch_3.pth that the run ended with" in said


def test_another_protocol(evaluation, toy):
    said, record = evaluation.record(protocol=toy.protocol(version=2))
    assert record is None
    assert "does not have protocol toy-detection@2" in said


@pytest.mark.parametrize("content", [None, "{"])
def test_a_checkpoint_of_unknown_origin(evaluation, content):
    manifest = evaluation.folder / "manifest.json"
    manifest.unlink() if content is None else manifest.write_text(content)
    said, record = evaluation.record()
    assert record is None
    assert str(manifest) in said


def test_a_run_that_says_it_made_its_own_input_ends(evaluation):
    """A manifest of a stranger may lead in a circle."""
    given = {"path": "epoch_3.pth", "sha256": sha256_file(evaluation.checkpoint)}
    evaluation.finish(inputs={"backbone": given})
    said, record = evaluation.record()
    assert said.startswith("record: ")
    assert record.metrics == {"box_ap": 50.0, "mask_ap": 25.0}
    evaluation.finish(outputs={})
    assert "epoch_3.pth is not the checkpoint that the run ended with" in evaluation.record()[0]
