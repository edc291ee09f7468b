import subprocess
import sys

# Two processes that exchange many messages and end at once, as an evaluation does.
TALK = """
import sys
import torch.distributed as dist
from simmim_bench.training.process import leave, start_distributed

assert start_distributed("pytorch") == 2
for _ in range(300):
    heard = [None, None]
    dist.all_gather_object(heard, {"rank": dist.get_rank()})
leave()
assert not dist.is_initialized()
"""


def test_a_run_of_two_processes_ends_without_an_abort(tmp_path):
    script = tmp_path / "talk.py"
    script.write_text(TALK)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for _ in range(3):  # left to Python's shutdown, three of four end in SIGABRT
        done = subprocess.run([sys.executable, *launch, script], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_leaving_without_a_process_group_does_nothing():
    from simmim_bench.training.process import leave

    leave()
