"""A config inside a stranger's checkpoint or card names registered classes, and nothing runs."""

import copy

import pytest
import torch

from simmim_bench.analysis.models import open_subject
from simmim_bench.analysis.representation.over_checkpoints import has_error
from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import for_evaluation
from simmim_bench.models.features import FrozenFeatures
from simmim_bench.models.frozen import open_network
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.safe_config import check_config
from tests.weights.cards import reseal
from tests.weights.test_pretrained import SWIN

SYSTEM = {"type": "os.system", "command": "touch marker"}


def with_act(act):
    return {**SWIN, "stage_cfgs": {"block_cfgs": {"ffn_cfgs": {"act_cfg": act}}}}


ATTACKS = {
    "act": (with_act(SYSTEM), "model.backbone.stage_cfgs.block_cfgs.ffn_cfgs.act_cfg.type"),
    "list of stages": (
        {**SWIN, "stage_cfgs": [{"block_cfgs": {"ffn_cfgs": {"act_cfg": SYSTEM}}}]},
        r"model.backbone.stage_cfgs\[0\].block_cfgs.ffn_cfgs.act_cfg.type",
    ),
    "exec": (
        with_act({"type": "builtins.exec", "source": "open('marker', 'w')"}),
        "act_cfg.type in .* is 'builtins.exec'",
    ),
    "popen": (
        with_act({"type": "subprocess.Popen", "args": ["touch", "marker"]}),
        "act_cfg.type in .* is 'subprocess.Popen'",
    ),
    "posix": (with_act({**SYSTEM, "type": "posix.system"}), "act_cfg.type in .* is 'posix.system'"),
    "scope and path": (with_act({**SYSTEM, "type": "mmengine.os.system"}), "mmengine.os.system"),
    "norm": ({**SWIN, "norm_cfg": {**SYSTEM, "type": "os.mkdir"}}, "backbone.norm_cfg.type"),
    "backbone": (SYSTEM, "model.backbone.type in .* is 'os.system'"),
    "module": ({"type": "antigravity"}, "model.backbone.type in .* is 'antigravity'"),
    "init": ({**SWIN, "init_cfg": [SYSTEM]}, r"model.backbone.init_cfg\[0\].type"),
    "scope": (
        {**SWIN, "norm_cfg": {"type": "LN", "_scope_": "os"}},
        r"norm_cfg._scope_ in .* is 'os'",
    ),
    "hub": (
        {"type": "mmpretrain.HuggingFaceClassifier", "model_name": "x"},
        "HuggingFaceClassifier",
    ),
    "timm's file": (
        {"type": "mmpretrain.TIMMBackbone", "model_name": "resnet18", "checkpoint_path": "x.pth"},
        "model.backbone.checkpoint_path in .* 'x.pth'.*would load another file",
    ),
    "timm's hub": (
        {"type": "mmpretrain.TIMMBackbone", "model_name": "hf_hub:some/model"},
        "model.backbone.model_name in .* 'hf_hub:some/model'.*would load another file",
    ),
    "a number": (with_act({"type": 3}), "act_cfg.type in .* is 3"),
}


@pytest.fixture
def nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "marker").exists()


@pytest.fixture
def state():
    torch.manual_seed(0)
    return {f"backbone.{key}": value for key, value in MODELS.build(SWIN).state_dict().items()}


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(("config", "said"), ATTACKS.values(), ids=ATTACKS)
def test_a_checkpoint(config, said, save_pretraining, state, tmp_path):
    path = save_pretraining(config, state=state)
    for opened in (
        lambda: export_backbone(path, tmp_path / "export"),
        lambda: open_subject(f"a={path}", seed=0),
        lambda: has_error(path),
    ):
        with pytest.raises(BenchError, match=said):
            opened()
    assert not (tmp_path / "export").exists()


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("name", ["act", "backbone", "init"])
def test_a_card(name, save_pretraining, tmp_path):
    config, said = ATTACKS[name]
    files = export_backbone(save_pretraining(SWIN), tmp_path / "export")
    reseal(files.weights, change_card=lambda card: card.update(backbone_config=config))
    for opened in (
        lambda: open_subject(f"a={files.weights}", seed=0),
        lambda: open_network(files.weights, None),
        lambda: FrozenFeatures(checkpoint=str(files.weights)),
    ):
        with pytest.raises(BenchError, match=said.replace("model.backbone", "backbone_config")):
            opened()


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("part", ["target", "features"])
def test_another_part_of_the_model(part, save_pretraining, state):
    path = save_pretraining(SWIN, state=state)
    content = torch.load(path, weights_only=False)
    teacher = {"type": "simmim_bench.TeacherFeatures", "checkpoint": "x.pth", "model": SYSTEM}
    text = (
        content["meta"]["cfg"] + f"\nmodel = {{'type': 'simmim_bench.SimMIM', {part!r}: {teacher}}}"
    )
    content["meta"]["cfg"] = text
    torch.save(content, path)
    with pytest.raises(BenchError, match=rf"model.{part}.model.type in .* is 'os.system'"):
        has_error(path)


def test_a_classifier(state, tmp_path, nothing_runs):
    head = {"type": "LinearClsHead", "num_classes": 2, "in_channels": 64, "loss": SYSTEM}
    model = {"type": "ImageClassifier", "backbone": SWIN, "head": head}
    text = f"model = {model!r}\nprotocol = dict(task='classification', id='x')\n"
    torch.save({"state_dict": state, "meta": {"cfg": text}}, tmp_path / "epoch_1.pth")
    with pytest.raises(
        BenchError, match=r"model\.head\.loss\.type in .*epoch_1.pth is 'os.system'"
    ):
        open_subject(f"a={tmp_path / 'epoch_1.pth'}", seed=0)


def test_the_scope_of_a_mask_is_not_imported():
    assert for_evaluation({"type": "simmim_bench.GenerateMask", "_scope_": "antigravity"}) == {
        "type": "simmim_bench.GenerateMask"
    }


def test_what_registered_classes_need_is_kept(tmp_path):
    initial = {"type": "TruncNormal", "layer": ["Conv2d", "Linear"], "std": 0.02}
    config = {
        **with_act({"type": "torch.nn.modules.activation.GELU"}),
        "norm_cfg": {"type": "mmpretrain.LN2d"},
        "init_cfg": [initial, {"type": "Pretrained", "checkpoint": "start.pth"}],
    }
    given = copy.deepcopy(config)
    checked = check_config(config, source=tmp_path, entry="x", scope="mmpretrain")
    assert checked == {**config, "init_cfg": [initial]}
    assert config == given
    alone = {**SWIN, "init_cfg": {"type": "Pretrained", "checkpoint": "start.pth"}}
    assert check_config(alone, source=tmp_path, entry="x", scope="mmpretrain") == SWIN
