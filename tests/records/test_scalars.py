"""Scalars as the logger wrote them, also where the machine stopped."""

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.scalars import read_scalars


@pytest.fixture
def write(tmp_path):
    def save(name, text):
        folder = tmp_path / name / "vis_data"
        folder.mkdir(parents=True)
        (folder / "scalars.json").write_text(text, "utf-8")
        return tmp_path

    return save


def test_of_a_resumed_run_the_later_values_count(write):
    write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n{"loss": 2.0, "iter": 2, "step": 2}\n')
    folder = write("2", '{"loss": 1.5, "iter": 2, "step": 2}\n{"psnr": 20.0, "step": 1}\n')
    assert read_scalars(folder, "loss") == ([1, 2], [3.0, 1.5])


def test_a_line_that_was_cut_off_is_passed_over(write):
    folder = write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n{"loss": 2.0, "it')
    assert read_scalars(folder, "loss") == ([1], [3.0])


def test_an_unknown_scalar_names_the_known(write):
    folder = write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n')
    with pytest.raises(BenchError, match="no scalar 'los'; it has iter, loss, step"):
        read_scalars(folder, "los")
