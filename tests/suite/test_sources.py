"""The hash of a config depends on the code of the config and its bases only."""

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.suite.sources import hash_sources


@pytest.fixture
def hashes(project):
    project.config("_base_/net", '_base_ = "deep.py"\nwidth = 8\n')
    project.config("_base_/deep", "depth = 2\n")
    return lambda: hash_sources("configs/cls_net.py", root=project.root)


def test_bases_of_bases_count(project, hashes):
    before = hashes()
    assert list(before) == ["configs/_base_/deep.py", "configs/_base_/net.py", "configs/cls_net.py"]
    project.config("_base_/deep", "depth = 3\n")
    after = hashes()
    assert {name for name in before if before[name] != after[name]} == {"configs/_base_/deep.py"}


@pytest.mark.parametrize("text", ["depth = 2  # two\n", "# why\n\ndepth  =  2\n"])
def test_comments_and_spacing_do_not_count(project, hashes, text):
    before = hashes()
    project.config("_base_/deep", text)
    assert hashes() == before


@pytest.mark.parametrize("text", ["depth = 20\n", "depth = 2; a = 1\n", "if a:\n  b = 1\nc = 2\n"])
def test_everything_else_counts(project, hashes, text):
    before = hashes()
    project.config("_base_/deep", text)
    assert hashes() != before


def test_indentation_counts(project, hashes):
    project.config("_base_/deep", "if a:\n    b = 1\n    c = 2\n")
    before = hashes()
    project.config("_base_/deep", "if a:\n    b = 1\nc = 2\n")
    assert hashes() != before


def test_bases_in_a_circle_end(project, hashes):
    project.config("_base_/deep", '_base_ = ["net.py"]\n')
    assert len(hashes()) == 3


def test_an_installed_library_is_no_file(project, hashes):
    project.config("_base_/deep", '_base_ = ["mmdet::swin/mask-rcnn.py"]\n')
    assert len(hashes()) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('_base_ = ["gone.py"]\n', r"deep\.py: its base gone\.py does not exist"),
        ("a = (\n", r"deep\.py is not valid Python"),
    ],
)
def test_unreadable_configs_are_refused(project, hashes, text, sentence):
    project.config("_base_/deep", text)
    with pytest.raises(BenchError, match=sentence):
        hashes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('_base_ = ["net" + ".py"]\n', "cannot be read without running it"),
        ("with read_base():\n    from .net import *\n", "imports its bases"),
    ],
)
def test_computed_bases_are_refused(project, hashes, text, said):
    project.config("_base_/net", text)
    with pytest.raises(BenchError, match=f"config configs/_base_/net.py {said}"):
        hashes()


def test_a_config_that_is_not_utf8_is_refused(project, hashes):
    (project.root / "configs" / "_base_" / "deep.py").write_bytes(b"depth = '\xff'\n")
    with pytest.raises(BenchError, match=r"cannot be read without running it.*UTF-8"):
        hashes()
