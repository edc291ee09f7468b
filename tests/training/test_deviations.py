"""How an override is stated in a record."""

from simmim_bench.config import load_config
from simmim_bench.training.run import make_run
from simmim_bench.weights.export import export_backbone
from tools import train as tools_train


def deviations(*overrides):
    return list(run_of("configs/demo/simmim_swin-demo.py", "--cfg-options", *overrides).deviations)


def run_of(config, *arguments):
    args = tools_train.parse([config, *arguments])
    return make_run(args, load_config(args.config), world_size=1)


def test_an_exported_backbone_is_stated_by_its_method(save_pretraining, tmp_path):
    swin = load_config("configs/demo/simmim_swin-demo.py").model.backbone
    checkpoint = save_pretraining({"_scope_": "mmpretrain", **swin})
    folders = [tmp_path / "seed0", tmp_path / "seed1"]
    for folder in folders:
        export_backbone(checkpoint, folder)
    stated = [deviations(f"model.features.checkpoint={folder}/backbone.pth") for folder in folders]
    method = load_config("configs/demo/simmim_swin-demo.py").pretraining.method
    assert stated[0] == [f"override model.features.checkpoint=backbone of {method}"]
    assert stated[0] == stated[1]


def test_any_other_override_is_stated_as_it_is():
    for override in ("train_cfg.max_epochs=2", "model.features.checkpoint=absent.pth"):
        assert deviations(override) == [f"override {override}"]
