"""Parts of simmim_bench from configs of all three libraries, and names that nobody knows."""

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
