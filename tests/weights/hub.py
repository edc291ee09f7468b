"""A Hugging Face Hub on this machine: repositories as dictionaries, files by HTTP."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.weights.origin import local_backbone

COMMIT = "c0ffee" + "0" * 34


class FakeHub:
    """Answers of the Hub to ``hf_hub_download``.

    Attributes:
        files: Repository to its files by name.
        gated: Repositories that ask for terms to be accepted.
        asked: Paths that were asked for.
    """

    def __init__(self):
        self.files, self.gated, self.asked = {}, set(), []

    def answer(self, path):
        """Status, headers and body."""
        self.asked.append(path)
        name, found, rest = path.strip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        if not found or name not in self.files:
            return 401, {"X-Error-Code": "RepoNotFound"}, b""
        if name in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        if revision not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if file not in self.files[name]:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        body = self.files[name][file]
        etag = hashlib.sha256(body).hexdigest()
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}, body


@contextmanager
def serve(cache):
    """Serve a hub to huggingface_hub in this process, with its cache in a folder."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._send(body=False)

        def do_GET(self):
            self._send(body=True)

        def _send(self, *, body):
            status, headers, content = hub.answer(self.path)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        constants = "huggingface_hub.constants"
        with (
            mock.patch(f"{constants}.ENDPOINT", address),
            mock.patch(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE",
                       address + "/{repo_id}/resolve/{revision}/{filename}"),
            mock.patch(f"{constants}.HF_HUB_CACHE", str(cache)),
            mock.patch(f"{constants}.HF_HUB_OFFLINE", False),
        ):  # fmt: skip
            yield hub
        server.shutdown()
        thread.join()


def card_of(path):
    return json.loads(path.with_suffix(".json").read_text())


def said(given, **options):
    with pytest.raises(BenchError) as caught:
        local_backbone(given, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
