"""A small text encoder and backbone, and a free port."""

import socket

import pytest

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 1, 2, 1], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
TEXT = {
    "type": "simmim_bench.ByteTextEncoder",
    "channels": 16,
    "depth": 1,
    "num_heads": 2,
    "max_bytes": 20,
}


@pytest.fixture
def swin():
    return dict(SWIN)


@pytest.fixture
def text():
    return dict(TEXT)


@pytest.fixture
def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]
