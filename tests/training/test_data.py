"""The first process lists the data; the others get its answer, or its error."""

import subprocess
import sys
from argparse import Namespace

from mmengine.config import Config

from simmim_bench.data.own import Images, Overlap, OwnDataset, write_dataset
from simmim_bench.training import data as identity

SCRIPT = """
import sys
from argparse import Namespace
from pathlib import Path
from mmengine.config import Config
from simmim_bench.errors import BenchError
from simmim_bench.training import data
from simmim_bench.training.process import leave, start_distributed
import torch.distributed as dist

start_distributed("pytorch")
rank, calls = dist.get_rank(), []
found = data.DataIdentity(name="Flowers", sha256="a" * 64, images=3)

def identify(*_):
    calls.append(rank)
    if sys.argv[1] == "bad":
        raise BenchError("no name")
    return found

data.identify = identify
args = Namespace(launcher="pytorch", config="x.py", dataset_name=None, data=None)
try:
    assert data.data_of(args, Config({})) == found and sys.argv[1] == "good"
except BenchError as error:
    assert str(error) == "no name" and sys.argv[1] == "bad"
assert calls == [0] * (rank == 0)
Path(f"{sys.argv[2]}/{sys.argv[1]}{rank}").touch()
leave()
"""


def test_one_of_two_processes_lists_the_data_and_its_error_ends_both(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    for word in ("good", "bad"):
        command = [sys.executable, *launch, word, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
    made = {path.name for path in tmp_path.iterdir()} - {script.name}
    assert made == {"good0", "good1", "bad0", "bad1"}


def test_own_data_say_what_they_share(tmp_path, monkeypatch):
    shared = {
        "fingerprint": "b" * 64, "method": "pHash", "threshold": 6, "part": "train", "of": "val",
        "images": 5, "share": 0.5, "back": 5, "share_back": 0.25,
    }  # fmt: skip
    own = OwnDataset(
        name="photos",
        task="unlabelled",
        mean=(0.0,),
        std=(1.0,),
        channels=1,
        images=Images(train=10, val=0),
        fingerprint="c" * 64,
        origin="images",
        overlaps=tuple(Overlap(**{"with": name}, **shared) for name in ("birds", "a/b")),
    )
    write_dataset(own, tmp_path)
    found = identity.DataIdentity(name="photos", sha256="a" * 64)
    monkeypatch.setattr(identity, "identify", lambda *_: found)
    args = Namespace(launcher="none", config="x.py", dataset_name=None, data=str(tmp_path))
    made = identity.data_of(args, Config({}))
    (overlap,) = made.overlaps
    assert (made.content, overlap.name, overlap.sha256) == ("c" * 64, "birds", "b" * 64)
    assert (overlap.images, overlap.share, overlap.share_back) == (5, 0.5, 0.25)
    args.data = None
    assert identity.data_of(args, Config({})) == found
