"""Each answer of docs/faq.md has tests; what no other test shows is shown here."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.registry import MODELS, DefaultScope

from simmim_bench.config import load_config

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faq.md"
ANSWERS = {
    "The detector trains on my SimMIM": [
        "weights/test_pretrained.py::test_one_wrong_key_stops_the_load",
        "weights/test_pretrained.py::test_the_report_goes_into_a_manifest_and_a_log",
        "parity/test_golden_finetune.py::test_the_loaded_weights_equal_the_originals",
    ],
    "The released weights have windows of 6": [
        "weights/test_pretrained.py::test_a_larger_window",
        "weights/convert/test_conversion.py::test_methods_of_resizing",
    ],
    "Fine-tuning converges no faster": ["test_faq.py::test_a_classifier_becomes_weights_again"],
    "Can I pretrain on paintings": [
        "recipe/test_dataset.py::test_a_pretraining_reads_the_training_images_of_any_task"
    ],
    "Where is the recipe of another size": ["test_faq.py::test_a_recipe_of_another_size"],
    "Must the mask's patches be": [
        "masking/test_random_patch.py::test_a_patch_that_is_no_multiple_of_the_token",
        "e2e/test_bad_input.py::test_an_image_size_that_the_mask_patch_does_not_divide",
        "models/test_pixel_simmim.py::test_single_pixels_and_small_blocks_are_hidden_in_any_backbone",
    ],
    "I have one GPU": [
        "training/test_batch.py::test_a_recipe_that_accumulates_keeps_its_batch_on_any_devices",
        "training/test_batch.py::test_linear_scaling_counts_what_is_accumulated",
    ],
    "The loss becomes NaN": [
        "e2e/test_survival.py::test_a_nan_loss_is_recorded_with_its_iteration"
    ],
    "Does a resumed run continue": [
        "e2e/test_survival.py::test_preempted_inside_an_epoch_it_continues_with_the_next_batch",
        "parity/test_schedules.py::test_resumed_in_the_middle_it_goes_on_as_if_never_stopped",
        "weights/test_identity.py::test_another_run_is_told_the_difference",
    ],
    "How do I see what the model reconstructs": [
        "models/targets/test_pixels.py::test_a_normalised_target_goes_back_to_the_image"
    ],
    "The GPU waits for images": [
        "data/test_packed.py::test_images_and_masks_are_those_of_the_folder"
    ],
    "My fine-tuning is a few tenths": [
        "training/test_optim.py::test_every_parameter_has_the_originals_settings",
        "parity/test_schedules.py::test_every_update_of_2048_images_equals_the_original",
        "leaderboard/test_compare.py::test_differences_with_their_uncertainty",
    ],
    "The mIoU on ADE20K": [
        "data/test_labels.py::test_one_switch_sets_reduce_zero_label_everywhere",
        "data/test_labels.py::test_two_of_four_values_of_reduce_zero_label_are_refused",
    ],
    "Do you have a config for my backbone": [
        "test_faq.py::test_a_detector_for_any_backbone_is_there"
    ],
    "Must I compile mmcv": [
        "test_ops.py::test_roi_align_equals_the_definition_forward_and_backward",
        "test_ops.py::test_nms_equals_the_definition",
    ],
    "Several machines": ["test_launch.py::test_nodes_come_from_the_environment"],
}
QUESTIONS = re.findall(r"^### (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_every_answer_has_a_test():
    assert len(QUESTIONS) > 12
    assert len(QUESTIONS) == len(ANSWERS)
    assert [start for start in ANSWERS if not any(q.startswith(start) for q in QUESTIONS)] == []


@pytest.mark.parametrize("name", sorted(name for tests in ANSWERS.values() for name in tests))
def test_the_test_is_there(name):
    file, function = name.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    nodes = ast.walk(tree)
    assert function in {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def test_a_recipe_of_another_size(tmp_path):
    """The copy that the page describes: only the backbone differs, and the model fits together."""
    small = ROOT / "configs/simmim/swinv2-b_8xb128_800e.py"
    text = small.read_text("utf-8").replace("../_base_", str(ROOT / "configs/_base_"))
    copy = tmp_path / "swinv2-s_8xb128_800e.py"
    copy.write_text(text.replace("swinv2-b", "swinv2-s").replace("swinv2_b", "swinv2_s"))
    cfg, given = load_config(str(copy)), load_config(str(small))
    assert cfg.pretraining.backbone == "swinv2-s"
    assert {key for key in cfg.model if cfg.model[key] != given.model[key]} == {"backbone"}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    assert [len(stage.blocks) for stage in model.backbone.stages] == [2, 2, 18, 2]
    assert model.decoder(torch.zeros(1, 8 * 96, 6, 6)).shape == (1, 3, 192, 192)


@pytest.mark.slow
def test_a_classifier_becomes_weights_again(tmp_path):
    cfg = load_config(str(ROOT / "configs/demo/classification_swin-demo.py"))
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
    content = {"state_dict": model.state_dict(), "meta": {"cfg": cfg.pretty_text}}
    torch.save(content, tmp_path / "epoch_5.pth")
    command = [
        sys.executable, "-m", "simmim_bench", "convert", "epoch_5.pth", "weights",
        "--method", "simmim, then labels",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
    card = yaml.safe_load((tmp_path / "weights/backbone.json").read_text("utf-8"))
    assert card["method"] == "simmim, then labels"
    written = torch.load(tmp_path / "weights/backbone.pth")
    kept = model.backbone.state_dict()
    assert len(written) > 100
    assert all(torch.equal(tensor, kept[key]) for key, tensor in written.items())


def test_a_detector_for_any_backbone_is_there():
    cfg = load_config(str(ROOT / "configs/any/coco_mask-rcnn_fpn_1x.py"))
    assert cfg.protocol.task == "detection"
    assert "backbone_name" in cfg
