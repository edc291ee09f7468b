"""Parts of simmim_bench from configs of all three libraries, and names that nobody knows."""

import os
import subprocess
import sys

import pytest

LIBRARIES = ("mmpretrain", "mmdet", "mmseg")
LIGHT = ["errors", "plugins", "registry"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_config_of_any_library_builds_our_parts(library):
    from importlib import import_module

    from mmengine.registry import DefaultScope

    registry = import_module(f"{library}.registry")
    with DefaultScope.overwrite_default_scope(library):
        loss = registry.MODELS.build({"type": "simmim_bench.MaskedL1Loss"})
        load = registry.TRANSFORMS.build({"type": "simmim_bench.LoadImage"})
    assert type(loss).__module__.startswith("simmim_bench.models.losses")
    assert type(load).__module__.startswith("simmim_bench.data.transforms")


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_unknown_name_answers_with_near_ones(library):
    from importlib import import_module

    from mmengine.registry import DefaultScope

    registry = import_module(f"{library}.registry")
    with (
        DefaultScope.overwrite_default_scope(library),
        pytest.raises(KeyError, match=r"'LinearDecodr'; did you mean LinearDecoder"),
    ):
        registry.MODELS.build({"type": "simmim_bench.LinearDecodr"})


def test_names_of_the_libraries_get_near_ones_too():
    import mmpretrain.models  # noqa: F401

    from simmim_bench.training.failures import unknown_type

    message = "'SwinTransfomer is not in the mmpretrain::model registry. Please check'"
    assert "did you mean SwinTransformer" in unknown_type(message)
    assert unknown_type("something else") is None


def test_the_registries_import_nothing_until_they_are_asked():
    code = (
        "import sys, simmim_bench.registry; "
        "print([name for name in sys.modules if name.startswith(('simmim_bench.', 'mmdet'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str([f"simmim_bench.{each}" for each in LIGHT])


def test_a_look_up_imports_the_file_of_the_class_and_not_those_of_other_tasks():
    code = (
        "import sys; from simmim_bench import ops; ops.install(); "
        "from simmim_bench.registry import METRICS, MODELS; "
        "print(METRICS.get('KNNAccuracy').__module__, MODELS.get('MaskedL1Loss').__module__); "
        "print([name for name in ('mmdet.evaluation', 'mmseg', 'timm') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == [
        "simmim_bench.tasks.knn simmim_bench.models.losses.masked",
        "[]",
    ]


def test_a_name_of_ours_stays_ours_when_a_module_of_a_user_took_it_first(tmp_path):
    (tmp_path / "taken.py").write_text(
        "from simmim_bench.registry import MODELS\n"
        "@MODELS.register_module()\n"
        "class MaskedL1Loss: pass\n"
    )
    code = (
        "import taken; from simmim_bench import ops; ops.install(); "
        "from simmim_bench.registry import MODELS; MODELS.get('MaskedL1Loss')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert "are both registered as the model 'MaskedL1Loss'" in shown.stderr
