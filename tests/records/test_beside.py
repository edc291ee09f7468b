"""Work in a process beside this one."""

import os
import threading

import pytest

from simmim_bench.records.store import beside


@pytest.mark.parametrize("worth_it", [True, False])
def test_both_are_done_at_the_end(worth_it, tmp_path):
    with beside(lambda: (tmp_path / "pid").write_text(str(os.getpid())), worth_it=worth_it):
        (tmp_path / "block").touch()
    assert (tmp_path / "block").exists()
    forked = worth_it and threading.active_count() == 1
    assert (int((tmp_path / "pid").read_text()) != os.getpid()) == forked


@pytest.mark.parametrize("worth_it", [True, False])
def test_what_fails_is_told(worth_it, tmp_path):
    def work():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), beside(work, worth_it=worth_it):
        pass
    with pytest.raises(KeyError, match="block"), beside(lambda: None, worth_it=worth_it):
        raise KeyError("block")


def test_what_the_work_raises_goes_first():
    def work():
        raise OSError("disk full")

    forked = threading.active_count() == 1
    with (
        pytest.raises(OSError if forked else KeyError),
        beside(work, worth_it=True),
    ):
        raise KeyError("block")
