"""After a kill the next run continues, and no process is left behind."""

import os
import signal
import time

import psutil
import pytest

SLOW = "pretrain/simmim__net/seed0"


@pytest.fixture
def slow(project):
    """A suite whose pretraining takes seconds in twenty steps."""
    project.config("simmim_net", "steps = 20\nseconds = 0.1\n")
    project.write_suite(tasks={"detection": "configs/det_net.py"})
    return project


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def steps_done(project):
    checkpoint = project.folder / SLOW / "last.pth"
    return int(checkpoint.read_text("utf-8").split()[0]) if checkpoint.exists() else 0


def find(project, word):
    """Processes of this project whose command line has ``word``."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = process.info["cmdline"] or []
        if word in " ".join(line) and str(project.root) in f"{process.info['cwd']} {line}":
            found.append(process)
    return found


def test_after_sigkill_of_the_suite_all_ends_and_the_next_run_continues(slow):
    suite = slow.start("--only", "pretrain")
    wait_for(lambda: steps_done(slow) >= 3)
    os.kill(suite.pid, signal.SIGKILL)
    suite.communicate()
    reached = steps_done(slow)
    # At once: no lock is stale, and the old worker is waited for.
    code, printed = slow.run(only=("pretrain",))
    assert code == 0, printed
    assert "interrupted" not in printed  # the old worker's last word
    pretraining = [call for call in slow.take_calls() if call.startswith(SLOW)]
    assert len(pretraining) == 2
    assert reached <= int(pretraining[1].rsplit(maxsplit=1)[-1]) < 20
    assert find(slow, "snakemake") == find(slow, "fake_tool.py") == []


def test_after_sigkill_of_everything_the_next_run_continues(slow):
    suite = slow.start("--only", "pretrain")
    wait_for(lambda: steps_done(slow) >= 3)
    for process in [suite.pid, *(one.pid for one in psutil.Process(suite.pid).children(True))]:
        os.kill(process, signal.SIGKILL)
    suite.communicate()
    reached = steps_done(slow)
    _, printed = slow.run(dry_run=True)
    assert "was interrupted" in printed
    code, printed = slow.run(only=("pretrain",))
    assert code == 0, printed
    assert f"{SLOW} from {reached}" in slow.take_calls()


def test_a_killed_worker_fails_its_stage_and_the_next_run_continues(slow):
    suite = slow.start()
    wait_for(lambda: steps_done(slow) >= 3)
    (worker,) = find(slow, "tools/fake_tool.py train configs/simmim")
    worker.kill()
    printed, _ = suite.communicate()
    assert suite.returncode == 1
    assert "killed by SIGKILL, possibly out of memory" in printed
    assert "finetune/detection/scratch__net/seed0 from 0" in slow.take_calls()
    code, printed = slow.run()
    assert code == 0, printed
    calls = slow.take_calls()
    assert f"{SLOW} from 0" not in calls
    assert sum(call.startswith(SLOW) for call in calls) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_signals_end_the_suite_and_its_stages(slow, number):
    slow.config("simmim_net", "steps = 1000\nseconds = 0.1\n")
    suite = slow.start("--only", "pretrain")
    wait_for(lambda: steps_done(slow) >= 2)
    suite.send_signal(number)
    printed, _ = suite.communicate(timeout=60)
    assert suite.returncode == 130, printed
    assert "waiting at most 300 s until the running stages have saved" in printed
    assert find(slow, "snakemake") == find(slow, "fake_tool.py") == []
    assert steps_done(slow) < 1000


def test_a_second_suite_on_the_folder_is_refused(slow):
    slow.config("simmim_net", "steps = 1000\nseconds = 0.1\n")
    first = slow.start("--only", "pretrain")
    wait_for(lambda: steps_done(slow) >= 1)
    second = slow.start()
    printed, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert printed.startswith(f"error: process {first.pid} on ")
    assert "Traceback" not in printed
    assert first.poll() is None
    first.terminate()
    first.communicate(timeout=60)
