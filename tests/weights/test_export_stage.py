from pathlib import Path

import pytest

from simmim_bench.io import sha256_file
from simmim_bench.records.manifest import Manifest
from simmim_bench.weights.export import run_export
from tests.calls import call

ROOT = Path(__file__).parents[2]
BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}


@pytest.mark.parametrize("kind", ["full", "smoke"])
def test_the_manifest_says_what_was_exported(save_pretraining, tmp_path, kind):
    checkpoint = save_pretraining(BACKBONE, seed=3, kind=kind)
    weights = run_export(checkpoint, tmp_path / "export")
    manifest = Manifest.model_validate_json((tmp_path / "export/manifest.json").read_text())
    assert (manifest.stage, manifest.status, manifest.kind) == ("export", "complete", kind)
    assert manifest.inputs["checkpoint"].sha256 == sha256_file(checkpoint)
    assert manifest.outputs["backbone"].sha256 == sha256_file(weights)
    assert manifest.pretraining.checkpoint_sha256 == sha256_file(weights)
    assert (manifest.seed, manifest.pretraining.epochs) == (3, 2)
    assert manifest.deviations == []


def test_an_unfinished_pretraining_is_a_deviation(save_pretraining, tmp_path):
    run_export(save_pretraining(BACKBONE, epochs=800), tmp_path / "export")
    manifest = Manifest.model_validate_json((tmp_path / "export/manifest.json").read_text())
    assert manifest.deviations == ["2 of 800 epochs"]


def export_with_the_tool(*arguments):
    return call("tools/export_backbone.py", *arguments)


def test_the_tool_reports_a_wrong_file_in_one_line(tmp_path):
    wrong = tmp_path / "notes.pth"
    wrong.write_text("hello")
    done = export_with_the_tool(wrong, "--out", tmp_path / "export")
    assert done.returncode == 2
    assert (
        done.stderr == f"error: {wrong} is not a torch checkpoint; give the path of a .pth file\n"
    )
    assert not (tmp_path / "export").exists()
