"""The examples of docs/own-method.md through all stages, from a folder of a user with a space."""

import sys

import pytest

from simmim_bench.records.manifest import Manifest
from tests.e2e.conftest import ROOT, TINY, Tools
from tests.test_own_method import write_examples

pytestmark = pytest.mark.slow
SHORT = ["--kind", "smoke", "--cfg-options", *TINY, "train_cfg.max_epochs=1"]
REFUSED = "is 'simmim_bench.TinyNet', which is refused: it is not a registered class; if a module"


@pytest.fixture(scope="module")
def lab(data, tmp_path_factory):
    """Function that runs a command in the user's folder: its code and what it says."""
    folder = tmp_path_factory.mktemp("someone") / "my lab"
    write_examples(folder)
    tools = Tools(data)
    tools.env["PYTHONPATH"] = str(ROOT)

    def run(*words, code=0):
        command = f'cd "{folder}" && exec "$0" -P -m simmim_bench "$@"'
        found, said = tools.run("bash", "-c", command, sys.executable, *words)
        assert found == code, said[-3000:]
        return said

    run.folder = folder
    run.images = data / "demo" / "imagenet" / "val"
    return run


def test_a_backbone_is_pretrained_exported_fine_tuned_tested_and_looked_at(lab):
    said = lab("train", "my_tiny.py", "--work-dir", "out/tiny", *SHORT)
    export = "export out/tiny --out out/tiny/export"
    assert f"next: simmim-bench {export} --import my_backbone" in said
    assert REFUSED in lab(*export.split(), code=2)
    lab(*export.split(), "--import", "my_backbone")
    weights = "out/tiny/export/backbone.pth"
    lab("train", "my_tiny_digits.py", "--pretrained", weights, "--work-dir", "out/digits", *SHORT)
    manifest = Manifest.read(lab.folder / "out" / "digits" / "manifest.json")
    assert (manifest.backbone, manifest.status) == ("tiny", "complete")
    said = lab("test", "my_tiny_digits.py", "out/digits/epoch_1.pth", "--work-dir", "out/test")
    assert "leaderboard add out/test/record.json --import my_backbone" in said
    look = ["analyze", "representation", lab.images, "--model", f"tiny={weights}", "--out", "out/a"]
    assert REFUSED in lab(*look, code=2)
    assert "analysis.html" in lab(*look, "--import", "my_backbone")
    predict = ["predict", "out/digits", lab.images, "--out", "out/predicted"]
    assert REFUSED in lab(*predict, code=2)
    lab(*predict, "--import", "my_backbone")
    plan = ["evaluate", weights, "--dry-run", "--import", "my_backbone", "--tasks"]
    lab(*plan, "knn", "--out", "out/knn")
    assert "imports:\n- my_backbone\n" in (lab.folder / "out" / "knn" / "suite.yaml").read_text()
    said = lab(*plan, "segmentation", "--out", "out/maps", code=2)
    assert "the class simmim_bench.TinyNet has no argument out_indices" in said


def test_a_backbone_of_four_stages_is_evaluated_on_dense_tasks(lab):
    config = "my_four.py"
    (lab.folder / config).write_text(
        '_base_ = ["simmim_bench::demo/simmim_swin-demo.py"]\n'
        'custom_imports = dict(imports=["my_stages"])\n'
        'pretraining = dict(method="simmim", backbone="four-stages")\n'
        'model = dict(backbone=dict(_delete_=True, type="simmim_bench.FourStages"))\n'
    )
    lab("train", config, "--work-dir", "out/four", *SHORT)
    lab("export", "out/four", "--out", "out/four/export", "--import", "my_stages")
    weights = ("--pretrained", "out/four/export/backbone.pth", "--import", "my_stages", "--try")
    said = lab("train", "any/demo_mask-rcnn", *weights)
    assert "--try passed" in said
    said = lab("train", "my_maps.py", *weights)
    assert "--try passed" in said


def test_a_mask_and_other_parts_train(lab):
    centre = "train_dataloader.dataset.pipeline.2.strategy=centre"
    words = ("train", "demo/simmim_swin-demo", "--name", "centre", "--work-dir", "out/centre")
    assert "add --import MODULE" in lab(*words, *SHORT, centre, code=2)
    lab(*words, *SHORT, centre, "--import", "my_masks")
    lab("train", "my_pretraining.py", "--work-dir", "out/grey", *SHORT)
    lab("analyze", "reconstruct", "my_pretraining.py", "out/grey", lab.images, "--out", "out/r.png")


def test_a_task_has_a_table(lab):
    work = ("--work-dir", "out/parity")
    lab("train", "protocols/parity.py", "--from-scratch", *work, *SHORT)
    said = lab("leaderboard", "build", *work, code=2)
    assert "there is no task 'parity'" in said
    assert said.strip().endswith("if a module of yours registers it, add --import MODULE")
    assert "demo-parity@1" in lab("leaderboard", "build", *work, "--import", "my_task")
