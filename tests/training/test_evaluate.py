"""Several scales and flips in a test: what ``--tta`` does to a config."""

from pathlib import Path

import pytest
from mmengine.registry import TRANSFORMS, DefaultScope

from simmim_bench.commands import parser_of
from simmim_bench.errors import BenchError
from simmim_bench.training import evaluate, process
from simmim_bench.training.evaluate import average_over_views
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
ADE20K = sorted(path.name for path in (ROOT / "ade20k").glob("*.py"))


@pytest.mark.parametrize("name", ADE20K)
def test_the_model_is_wrapped_and_the_pipeline_shows_twelve_views(name):
    cfg = read_config(ROOT / "ade20k" / name)
    segmentor = cfg.model.type
    average_over_views(cfg, name)
    assert (cfg.model.type, cfg.model.module.type) == ("SegTTAModel", segmentor)
    pipeline = cfg.test_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope("mmseg"):
        views = TRANSFORMS.build(pipeline[1]).subroutines
    assert len(views) == 6 * 2
    sides = [step.scale[1] for view in views for step in view.transforms if hasattr(step, "scale")]
    side = cfg.protocol.image_size
    assert sorted(set(sides)) == [int(side * r) for r in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)]


def test_a_config_without_views():
    cfg = read_config(ROOT / "demo" / "upernet_swin-demo.py")
    with pytest.raises(BenchError, match="needs a tta_pipeline and a tta_model in upernet"):
        average_over_views(cfg, "upernet")


def test_the_checkpoint_of_the_command_line_is_evaluated(monkeypatch, tmp_path):
    """mmengine would load ``load_from`` of the config over it."""
    config = tmp_path / "config.py"
    config.write_text(f"_base_ = ['{ROOT}/demo/classification_swin-demo.py']\nload_from = 'a.pth'")
    seen = {}
    for name in ("check_data", "check_content", "check_mistakes", "data_of_test"):
        monkeypatch.setattr(evaluate, name, lambda *_, **__: None)
    monkeypatch.setattr(evaluate, "_run", lambda cfg, *_: seen.update(cfg))
    monkeypatch.setattr(process, "leave", lambda: None)
    words = [str(config), "b.pth", "--work-dir", str(tmp_path / "out")]
    evaluate.test(parser_of("test").parse_args(words))
    assert (seen["load_from"], seen["resume"]) == (None, False)
