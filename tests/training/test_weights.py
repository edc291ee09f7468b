"""Weights of any origin on the command line of a training."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from simmim_bench.commands import parser_of
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.start import PretrainedBackboneHook
from simmim_bench.training.run import check_origin, make_run
from simmim_bench.training.weights import check_same_backbone, for_channels, local_weights
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.weights.test_pretrained import VIT

PRETRAIN = "configs/demo/simmim_swin-demo.py"
FINETUNE = "configs/demo/classification_swin-demo.py"


@pytest.fixture
def foreign(save_pretraining, tmp_path):
    """Weights of the demo's Swin as another library keeps them."""
    swin = load_config(PRETRAIN).model.backbone
    state = torch.load(save_pretraining({"_scope_": "mmpretrain", **swin}), weights_only=False)
    kept = {k: v for k, v in state["state_dict"].items() if k.startswith("backbone.")}
    torch.save({"state_dict": kept}, tmp_path / "weights of others.pth")
    return tmp_path / "weights of others.pth"


def started(config, *arguments, channels=3):
    """Config, command line with local weights, and the run."""
    args = parser_of("train").parse_args([config, *map(str, arguments)])
    cfg = load_config(config)
    cfg.model.backbone.in_channels = channels
    check_origin(args, cfg)
    args = for_channels(local_weights(args, cfg), cfg)
    return cfg, args, make_run(args, cfg, 1)


def card_of(path):
    return json.loads(Path(path).with_suffix(".json").read_text())


def test_a_checkpoint_of_others_is_converted_and_named(foreign):
    cfg, args, run = started(FINETUNE, "--pretrained", foreign)
    assert (run.method, run.deviations) == ("weights of others", ())
    sha256 = card_of(args.pretrained)["sha256"]
    assert run.inputs == {"backbone": {"path": str(foreign), "sha256": sha256}}
    assert run.pretrained == args.pretrained
    report = load_pretrained(MODELS.build(cfg.model.backbone), Path(run.pretrained))
    assert report.summary().startswith("loaded backbone.pth (weights of others.pth): ")
    named = started(FINETUNE, "--pretrained", foreign, "--name", "supervised")[2]
    assert named.method == "supervised"


def test_a_url_is_stated_in_place_of_the_local_file(foreign, tmp_path):
    url = foreign.as_uri()
    _, args, run = started(FINETUNE, "--pretrained", url)
    assert run.inputs["backbone"]["path"] == url
    assert Path(args.pretrained).is_file()


@pytest.mark.parametrize(("flags", "rule"), [((), "mean"), (("--widen", "repeat"), "repeat")])
def test_weights_for_other_channels_are_a_deviation(flags, rule, foreign):
    cfg, _, run = started(FINETUNE, "--pretrained", foreign, *flags, channels=4)
    assert run.deviations == (f"weights of 3 channels used for 4 ({rule})",)
    report = load_pretrained(MODELS.build(cfg.model.backbone), Path(run.pretrained))
    assert f"; weights of 3 channels used for 4 ({rule})" in report.summary()
    assert report.to_dict()["widened"] == {"from": 3, "to": 4, "rule": rule}


def test_an_export_for_other_channels_keeps_its_pretraining(save_pretraining, tmp_path):
    swin = load_config(PRETRAIN).model.backbone
    checkpoint = save_pretraining({"_scope_": "mmpretrain", **swin})
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    same = started(FINETUNE, "--pretrained", weights)[2]
    assert same.pretrained == str(weights)
    run = started(FINETUNE, "--pretrained", tmp_path / "export", channels=2)[2]
    stated = {**same.pretraining, "checkpoint_sha256": card_of(run.pretrained)["sha256"]}
    assert (run.method, run.pretraining) == (same.method, stated)
    assert run.deviations == ("weights of 3 channels used for 2 (mean)",)


def test_a_pretraining_from_weights_of_others(foreign):
    with pytest.raises(BenchError, match="has no card beside it; say what the weights are"):
        started(PRETRAIN, "--init", foreign)
    _, args, run = started(PRETRAIN, "--init", foreign, "--init-name", "supervised")
    assert (args.init, run.pretraining["initial"]) == (str(foreign), "supervised")
    _, args, run = started(PRETRAIN, "--init", foreign, "--init-name", "supervised", channels=4)
    assert args.init != str(foreign)
    assert run.pretraining["initial"] == "supervised"
    assert run.deviations == ("weights of 3 channels used for 4 (mean)",)
    assert run.inputs["initial"]["path"] == str(foreign)
    with pytest.raises(BenchError, match="has no card beside it; say what the weights are"):
        started(PRETRAIN, "--init", foreign.as_uri())


def test_the_log_says_how_a_file_was_read(foreign):
    content = torch.load(foreign, weights_only=True)["state_dict"]
    halves = {
        f"module.{key}": value.half() if value.is_floating_point() else value
        for key, value in content.items()
    }
    halves |= {"module.head.fc.weight": torch.ones(9, 2), "module.head.fc.bias": torch.ones(9)}
    torch.save({"state_dict": content, "state_dict_ema": halves}, foreign)
    for config, flags in (
        (FINETUNE, ("--pretrained", foreign)),
        (PRETRAIN, ("--init", foreign, "--init-name", "supervised")),
    ):
        cfg, _, run = started(config, *flags)
        noted, lines = {}, []
        runner = SimpleNamespace(
            model=SimpleNamespace(backbone=MODELS.build(cfg.model.backbone)),
            iter=0,
            message_hub=SimpleNamespace(update_info=noted.__setitem__),
            logger=SimpleNamespace(info=lines.append),
        )
        hook = PretrainedBackboneHook(
            checkpoint=run.pretrained or run.init, initial=bool(run.init), given=run.starts_from
        )
        hook.before_train(runner)
        assert lines[1].startswith(
            "read: as mmpretrain classifier; averaged weights, state_dict_ema"
        )
        assert lines[1].endswith("; prefix module. removed; 119 tensors in half precision are "
                                 "converted to float32")  # fmt: skip
        assert lines[-1].startswith("dropped: 2 x ")
        assert noted["load_report"]["reading"]["read"] == lines[1].removeprefix("read: ")


def test_another_backbone_is_refused_by_the_name_that_was_given(save_pretraining, tmp_path):
    state = torch.load(save_pretraining(VIT), weights_only=False)["state_dict"]
    torch.save(
        {k: v for k, v in state.items() if k.startswith("backbone.")}, tmp_path / "other.pth"
    )
    cfg, args, run = started(FINETUNE, "--pretrained", tmp_path / "other.pth")
    named = f"--pretrained {tmp_path / 'other.pth'}"
    sentence = (
        rf"^{re.escape(named)} is a vit backbone, the config's backbone is swin; .*configs/any"
    )
    with pytest.raises(BenchError, match=sentence):
        check_same_backbone(args, cfg)
    with pytest.raises(BenchError, match=sentence):
        load_pretrained(
            MODELS.build(cfg.model.backbone), Path(run.pretrained), given=run.starts_from
        )


def test_a_converted_folder_says_what_it_is(foreign, tmp_path):
    convert_file(source=str(foreign), destination=tmp_path / "out", method="supervised")
    _, _, run = started(PRETRAIN, "--init", tmp_path / "out")
    assert run.pretraining["initial"] == "supervised"
