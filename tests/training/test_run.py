"""What a command line and a config say about a run."""

import dataclasses

import pytest

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.weights.export import export_backbone
from tests.weights.cards import reseal

PRETRAIN = "configs/demo/simmim_swin-demo.py"
RUNTIME = "configs/_base_/runtime/by_iteration.py"
PERCEPTUAL = "configs/variants/perceptual_swin-demo.py"
FINETUNE = "configs/demo/classification_swin-demo.py"


@pytest.fixture
def export(save_pretraining, tmp_path):
    """Function that exports a backbone of the demo's pretraining into a folder."""
    swin = load_config(PRETRAIN).model.backbone
    checkpoint = save_pretraining({"_scope_": "mmpretrain", **swin})

    def write(name):
        return export_backbone(checkpoint, tmp_path / name)

    return write


def test_a_run_never_changes(command_line):
    _, run = command_line(PRETRAIN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.seed = 1


def test_facts_of_a_pretraining(command_line):
    options = ["train_cfg.max_epochs=2", "pretraining.method=simmim-two"]
    cfg, run = command_line(PRETRAIN, "--seed", 3, "--cfg-options", *options)
    facts = run.facts(["a deviation"], cfg)
    assert (facts["stage"], facts["kind"], facts["seed"]) == ("pretrain", "full", 3)
    assert facts["method"] == facts["pretraining"]["method"] == "simmim-two"
    assert (facts["pretraining"]["epochs"], facts["pretraining"]["seed"]) == (2, 3)
    assert facts["config"] == {
        "path": PRETRAIN,
        "sha256": resolved_hash(cfg),
        "overrides": ["train_cfg.max_epochs=2"],  # the name of the method is no change of it
    }
    assert run.deviations == ("override train_cfg.max_epochs=2",)
    assert (facts["deviations"], facts["protocol"], facts["inputs"]) == (["a deviation"], None, {})


def test_facts_of_a_downstream_run(command_line, export):
    files = export("seed0")
    cfg, run = command_line(FINETUNE, "--pretrained", files.weights, "--num-classes", 5)
    facts = run.facts([], cfg)
    assert (facts["stage"], facts["method"]) == (
        "finetune",
        load_config(PRETRAIN).pretraining.method,
    )
    sha = facts["inputs"]["backbone"]["sha256"]
    assert facts["pretraining"]["checkpoint_sha256"] == sha
    assert facts["protocol"]["task"] == "classification"
    assert run.overrides == ("--num-classes=5",)
    _, scratch = command_line(FINETUNE, "--from-scratch")
    assert (scratch.method, scratch.pretraining, scratch.inputs) == ("scratch", None, {})


def test_a_smoke_backbone_makes_no_full_result(command_line, export):
    files = export("seed0")
    reseal(files.weights, change_card=lambda card: card.update(kind="smoke"))
    with pytest.raises(BenchError, match=r"comes from a smoke run.*pass --kind smoke"):
        command_line(FINETUNE, "--pretrained", files.weights)
    _, run = command_line(FINETUNE, "--pretrained", files.weights, "--kind", "smoke")
    assert run.kind == "smoke"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([PRETRAIN, "--from-scratch"], "is a pretraining; --pretrained and --from-scratch are for"),
        ([FINETUNE], "pass either --pretrained BACKBONE.PTH .* or, for the baseline, --from-scra"),
        ([FINETUNE, "--pretrained", "absent.pth"], "absent.pth does not exist; make it with"),
        ([RUNTIME], "must state either `pretraining` or `protocol`"),
    ],
)
def test_a_start_that_does_not_fit_the_config(command_line, arguments, message):
    with pytest.raises(BenchError, match=message):
        command_line(*arguments)


def test_an_exported_backbone_in_an_override_is_stated_by_its_method(command_line, export):
    runs = [
        command_line(PERCEPTUAL, "--cfg-options", f"model.features.checkpoint={files.weights}")[1]
        for files in map(export, ["seed0", "seed1"])
    ]
    method = load_config(PRETRAIN).pretraining.method
    stated = (f"override model.features.checkpoint=backbone of {method}",)
    assert [run.deviations for run in runs] == [stated, stated]


def test_any_other_override_is_stated_as_it_is(command_line):
    for override in ("train_cfg.max_epochs=2", "model.features.checkpoint=absent.pth"):
        _, run = command_line(PERCEPTUAL, "--cfg-options", override)
        assert run.deviations == (f"override {override}",)
