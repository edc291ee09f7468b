"""What a command line and a config say about a run."""

import dataclasses
from pathlib import Path

import pytest
import torch

from simmim_bench.config import load_config, resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.training.train import hooks_of
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.identity import check_resumable
from tests.weights.cards import reseal, unseal

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
        ([FINETUNE], "pass either --pretrained WEIGHTS .* or, for the baseline, --from-scra"),
        ([FINETUNE, "--pretrained", "absent.pth"], "absent.pth does not exist; expected an exp"),
        ([FINETUNE, "--init", "a.pth"], "is a downstream config; --init is for pretrainings, pass"),
        ([PRETRAIN, "--init-name", "a"], "pass --init FILE too"),
        ([PRETRAIN, "--init", "absent.pth"], "--init absent.pth does not exist; "),
        (
            [PRETRAIN, "--cfg-options", "pretraining.initial=supervised"],
            "config key 'pretraining.initial'|has initial or initial_sha256, which --init sets",
        ),
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


def test_facts_and_identity_of_a_pretraining_from_weights(command_line, export):
    files = export("seed0")
    cfg, run = command_line(PRETRAIN, "--init", files.weights)
    facts, sha = run.facts([], cfg), files.content["sha256"]
    name = f"{files.content['method']} {files.content['pretraining']['dataset']}"
    assert facts["pretraining"]["initial"] == name
    assert facts["pretraining"]["initial_sha256"] == sha
    assert facts["inputs"] == {"initial": {"path": str(files.weights), "sha256": sha}}
    identity = run.identity(cfg)
    assert (identity["initial"], identity["initial_sha256"]) == (name, sha)
    (hook,) = [item for item in hooks_of(cfg, run, []) if "Pretrained" in item["type"]]
    assert hook == {
        "type": "simmim_bench.PretrainedBackboneHook",
        "checkpoint": str(files.weights),
        "initial": True,
        "given": f"--init {files.weights}",
    }
    random = command_line(PRETRAIN)[1].identity(cfg)
    assert (random["initial"], random["initial_sha256"]) == (None, None)


def test_a_run_is_not_resumed_with_other_initial_weights(command_line, export, tmp_path):
    cfg, run = command_line(PRETRAIN, "--init", export("seed0").weights)
    identity = run.identity(cfg)
    torch.save({"simmim_bench": {"run": identity}}, tmp_path / "epoch_1.pth")
    check_resumable(tmp_path / "epoch_1.pth", identity)
    random = command_line(PRETRAIN)[1].identity(cfg)
    with pytest.raises(BenchError, match=r"was written with initial simmim .*, this run has"):
        check_resumable(tmp_path / "epoch_1.pth", random)
    other = {**identity, "initial_sha256": "0" * 64}
    with pytest.raises(BenchError, match=r"was written with initial_sha256 \w{12}\.\.\., this run"):
        check_resumable(tmp_path / "epoch_1.pth", other)


def test_a_pretraining_from_smoke_weights_is_not_full(command_line, export):
    files = export("seed0")
    reseal(files.weights, change_card=lambda card: card.update(kind="smoke"))
    with pytest.raises(BenchError, match=r"--init \S+ comes from a smoke run, which cannot make a"):
        command_line(PRETRAIN, "--init", files.weights)
    _, run = command_line(PRETRAIN, "--init", files.weights, "--kind", "smoke")
    assert run.kind == "smoke"


@pytest.mark.parametrize("name", ["a/b", "", "x" * 101])
def test_a_name_of_initial_weights_is_a_name(command_line, tmp_path, name):
    torch.save({"a": torch.zeros(1)}, tmp_path / "given.pth")
    with pytest.raises(BenchError, match=r"--init \S+"):
        command_line(PRETRAIN, "--init", tmp_path / "given.pth", "--init-name", name)


def test_whether_the_card_was_sealed_is_in_the_manifest(command_line, export):
    files = export("seed0")
    cfg, run = command_line(FINETUNE, "--pretrained", files.weights)
    assert run.facts([], cfg)["card_sealed"] is True
    unseal(files.weights)
    cfg, run = command_line(FINETUNE, "--pretrained", files.weights)
    assert run.facts([], cfg)["card_sealed"] is False
    cfg, run = command_line(FINETUNE, "--from-scratch")
    assert run.facts([], cfg).get("card_sealed") is None


def test_a_run_has_a_name_of_its_own(command_line):
    cfg, run = command_line(PRETRAIN, "--name", "my method")
    assert (run.method, run.pretraining["method"], cfg.pretraining.method) == ("my method",) * 3
    assert run.work_dir == Path("work_dirs/my method")
    assert command_line(PRETRAIN)[1].work_dir == Path("work_dirs/simmim_swin-demo")
    for words, message in (
        (["--name", "a/b"], r"--name 'a/b': .* give another name"),
        (["--name", "scratch"], "are called 'scratch' in all tables"),
    ):
        with pytest.raises(BenchError, match=message):
            command_line(PRETRAIN, *words)
