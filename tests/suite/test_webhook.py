"""A webhook gets a summary at the end; if it fails, the suite does not."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from simmim_bench.errors import BenchError


@pytest.fixture
def server():
    """An address that keeps what is posted, and answers with ``status``."""

    class Handler(BaseHTTPRequestHandler):
        status, posted = 204, []

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            self.posted.append(json.loads(self.rfile.read(length)))
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    Handler.url = f"http://127.0.0.1:{listening.server_port}/secret"
    yield Handler
    listening.shutdown()
    listening.server_close()


def test_a_summary_is_posted_once(project, server):
    project.config("det_net", "crash = 1\n")
    project.write_suite(data=None, tasks={"detection": "configs/det_net.py"})
    code, _ = project.run(webhook=server.url)
    assert code == 1
    [told] = server.posted
    assert told["suite"] == "tiny"
    assert told["stages"]["failed"] == len(told["failed"]) > 0
    assert all(stage.startswith("finetune/detection/") for stage in told["failed"])
    assert "loss is NaN" in next(iter(told["failed"].values()))
    assert told["text"].startswith("suite tiny: ")


def test_a_webhook_that_fails_does_not_fail_the_suite(project, server):
    project.write_suite(data=None, tasks={"detection": "configs/det_net.py"})
    server.status = 500
    code, printed = project.run(webhook=server.url)
    assert code == 0
    assert "the webhook answered 500" in printed
    assert "secret" not in printed


def test_an_unreachable_webhook_does_not_fail_the_suite(project):
    project.write_suite(data=None, tasks={"detection": "configs/det_net.py"})
    code, printed = project.run(webhook="http://127.0.0.1:9/x")
    assert code == 0
    assert "the webhook could not be reached (ConnectionError)" in printed


@pytest.mark.parametrize("url", ["example.org", "file:///etc/passwd", "https://"])
def test_a_bad_webhook_is_refused_before_anything_runs(project, url):
    project.write_suite(data=None, tasks={"detection": "configs/det_net.py"})
    with pytest.raises(BenchError, match="must be an http or https URL"):
        project.run(webhook=url)
    assert project.take_calls() == []
