"""Class of inputs: addresses."""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import TEXTS
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


CASES = (Case("URLs", 1.5, urls),)
