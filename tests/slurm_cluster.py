"""A real Slurm of one node on this machine, on loopback, for tests marked ``slurm``.

Needs Debian's packages munge, slurmctld, slurmd and slurm-client, and root. Nothing of the system
is touched but /etc/slurm/slurm.conf, which points at the cluster while it runs: launchers drop
SLURM_* variables from a job's environment and find the cluster only there.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from simmim_bench.suite.processes import die_with_parent
from simmim_bench.suite.profile import PLUGIN

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "sinfo", "scancel")
SYSTEM_CONFIG = Path("/etc/slurm/slurm.conf")
PREFIX = "slurm-test-"
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
CONFIG = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket,cred_expire=10
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=10
InactiveLimit=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
NodeName=localhost NodeAddr=127.0.0.1 Port={node} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Sentence that says why no cluster can be started here; empty if one can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=SEARCH_PATH) is None]
    if missing:
        return f"{missing[0]} is not installed"
    if os.geteuid() != 0:
        return "starting a Slurm takes root"
    _remove_left_over()
    if SYSTEM_CONFIG.exists():
        return f"{SYSTEM_CONFIG} is there: this machine has a Slurm of its own"
    return ""


def _remove_left_over():
    """Take away the link of a cluster whose tests were killed; its daemons died with them."""
    if SYSTEM_CONFIG.is_symlink() and SYSTEM_CONFIG.readlink().parent.name.startswith(PREFIX):
        folder = SYSTEM_CONFIG.readlink().parent
        owner = folder / "owner"
        if not (owner.is_file() and Path("/proc", owner.read_text()).exists()):
            SYSTEM_CONFIG.unlink()
            shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """Starts with ``start``; ``stop`` ends every process and removes every file of it."""

    def __init__(self, cpus=2):
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.config = self.folder / "slurm.conf"
        self.cpus = cpus
        self.processes = []

    def start(self):
        self._write_config()
        munge = self.folder / "munge"
        self._spawn(
            "munged", "--foreground", f"--key-file={munge}/key",
            f"--socket={munge}/munge.socket", f"--pid-file={munge}/pid",
            f"--seed-file={munge}/seed", f"--log-file={munge}/log", "--num-threads=2",
        )  # fmt: skip
        self._wait("munged", ["munge", "-n", "-S", f"{munge}/munge.socket"])
        self._spawn("slurmctld", "-D", "-f", str(self.config))
        self._spawn("slurmd", "-D", "-f", str(self.config))
        self._wait("an idle node", ["sinfo", "-h", "-N", "-o", "%T"], "idle")

    def stop(self):
        if len(self.processes) == 3:
            jobs = self.ask("squeue", "-h", "-o", "%A").split()
            if jobs:
                self.ask("scancel", *jobs)
                time.sleep(1)
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if SYSTEM_CONFIG.is_symlink() and SYSTEM_CONFIG.readlink() == self.config:
            SYSTEM_CONFIG.unlink()
        shutil.rmtree(self.folder)

    def ask(self, *command):
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout

    def environment(self):
        """This process's environment, with this cluster and no trace of another."""
        outer = ("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_", "SINFO_", "SALLOC_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        return {**kept, "SLURM_CONF": str(self.config), "PATH": SEARCH_PATH}

    def _write_config(self):
        self.folder.chmod(0o755)
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o755)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        controller, node = free_ports(2)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        self.config.write_text(
            CONFIG.format(
                folder=self.folder, controller=controller, node=node, cpus=self.cpus, memory=memory
            )
        )
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        (self.folder / "owner").write_text(str(os.getpid()))
        SYSTEM_CONFIG.parent.mkdir(exist_ok=True)
        SYSTEM_CONFIG.symlink_to(self.config)

    def _spawn(self, *command):
        with (self.folder / f"{command[0]}.out").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    env=self.environment(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509  # no thread has started
                )
            )

    def _wait(self, what, command, wanted=""):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = subprocess.run(
                command, env=self.environment(), capture_output=True, text=True, check=False
            )
            if done.returncode == 0 and wanted in done.stdout:
                return
            time.sleep(0.2)
        logs = "\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.[lo][ou][gt]"))
        raise TimeoutError(f"no {what} after 60 s; {done.stdout} {done.stderr}\n{logs}")


def free_ports(count):
    """Ports of loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def skip_without_jobs():
    """Skip a test of ``--launcher slurm`` where suites refuse it."""
    pytest.importorskip(PLUGIN)
    if " " in sys.executable:
        pytest.skip("Snakemake's job scripts do not quote the path of Python")
