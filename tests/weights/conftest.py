"""Places that weights come from, on this machine."""

import pytest

from tests.weights.hub import serve


@pytest.fixture
def hub(tmp_path):
    with serve(tmp_path / "hub") as found:
        yield found


@pytest.fixture
def torch_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder
