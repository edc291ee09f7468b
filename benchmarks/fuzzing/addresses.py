"""Class of inputs: addresses."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import TEXTS, as_json, changed
from benchmarks.fuzzing.worker import Case, LieError


def urls(folder: Path) -> Prepared:
    """Addresses of weights, archives and webhooks; the network is not reachable."""
    from unittest import mock

    import requests

    from simmim_bench.data.prepare.archives import gather
    from simmim_bench.data.prepare.download import download
    from simmim_bench.errors import BenchError
    from simmim_bench.suite.report import check_webhook
    from simmim_bench.weights.address import parse_address
    from simmim_bench.weights.fetch import fetch

    schemes = ["http", "https", "file", "ftp", "data", "javascript", "s3", "", "HTTP", "h ttp", "//", "file:"]  # fmt: skip
    hosts = ["localhost:1", "127.0.0.1:1", "user:s3cret@localhost:1", "[::1", "[::1]:1", "localhost:99999", "localhost:x", "", "a" * 70, "%zz", "é", "..", "a b", "\n", "0"]  # fmt: skip
    paths = ["", "/", "/x.pth", "/%2e%2e/x.pth", "/%00", "/%", "/x.pth?token=s3cret", "/x.pth#sha256=1", "/x#md5=", "/" + "a" * 300, "/cifar-10-python.tar.gz", "/é", "/\ud800", "/cifar-10-python.tar.gz#md5=" + "0" * 32]  # fmt: skip
    address = st.tuples(*map(st.sampled_from, (schemes, ["://", ":", ":///"], hosts, paths))).map(
        "".join
    )
    readers: list[Callable[[str], object]] = [
        lambda url: fetch(parse_address(url)),
        lambda url: download(url, folder / "x", wait=0),
        lambda url: gather("cifar10", [url], folder, lambda _: None),
        check_webhook,
    ]

    def read(url: str) -> None:
        refused: list[Exception] = []
        with mock.patch("time.sleep"), mock.patch.object(requests.sessions.Session, "get_adapter", requests.sessions.Session.get_adapter):  # fmt: skip
            for reader in readers:
                try:
                    reader(url)
                except (BenchError, OSError) as error:
                    refused.append(error)
                    if "s3cret" in str(error):
                        raise LieError(f"a secret is repeated: {error}") from error
        if refused:
            raise refused[0]

    return st.one_of(address, st.text(max_size=20), st.sampled_from(TEXTS)), read


def repositories(folder: Path) -> Prepared:
    """``config.json`` and the index of parts of a repository of the Hugging Face Hub."""
    import timm
    from safetensors.torch import save_file

    from simmim_bench.weights.address import parse_address
    from simmim_bench.weights.fetch import fetch
    from simmim_bench.weights.foreign import convert_weights

    state = timm.create_model(
        "convnext_atto", depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)
    ).state_dict()
    save_file(state, folder / "part.safetensors")
    config = {"architecture": "convnext_atto", "num_classes": 1000, "pretrained_cfg": {"tag": "x"}, "model_args": {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]}}  # fmt: skip
    index = {"metadata": {"total_size": 9}, "weight_map": {"a": "part.safetensors"}}

    def read(content: tuple[object, object]) -> None:
        for name, value in zip(
            ("config.json", "model.safetensors.index.json"), content, strict=True
        ):
            (folder / name).write_bytes(as_json(value))
        address = parse_address(str(folder))
        convert_weights(address, fetch(address))

    return st.one_of(
        st.tuples(changed(config), st.just(index)), st.tuples(st.just(config), changed(index))
    ), read


CASES = (Case("URLs", 1.5, urls), Case("repositories of the Hub", 0.7, repositories))
