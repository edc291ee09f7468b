"""Which checkpoint a run continues from."""

import torch

from simmim_bench.training.runner import latest_checkpoint


def test_the_newest_by_number_not_by_name_or_time(tmp_path):
    for number in (10, 9, 2):
        torch.save({"n": number}, tmp_path / f"epoch_{number}.pth")
    assert latest_checkpoint(tmp_path).name == "epoch_10.pth"


def test_a_truncated_file_is_passed_over(tmp_path):
    torch.save({"weights": torch.zeros(1000)}, tmp_path / "epoch_1.pth")
    whole = (tmp_path / "epoch_1.pth").read_bytes()
    (tmp_path / "epoch_2.pth").write_bytes(whole[: len(whole) // 2])
    assert latest_checkpoint(tmp_path).name == "epoch_1.pth"


def test_an_absolute_last_checkpoint_of_another_folder_is_ignored(tmp_path):
    (tmp_path / "last_checkpoint").write_text("/somewhere/else/epoch_3.pth")
    assert latest_checkpoint(tmp_path) is None


def test_half_written_names_do_not_count(tmp_path):
    torch.save({}, tmp_path / ".epoch_3.pth.partial")
    assert latest_checkpoint(tmp_path) is None
