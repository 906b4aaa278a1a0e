"""A Slurm of our own for tests: munged, slurmctld and slurmd in one folder, on ports of their own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from support.processes import until

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")

CONF = """
ClusterName=hpcsnn
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={port}
SlurmdPort={slurmd_port}
SrunPortRange={first_srun}-{last_srun}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
FirstJobId={first_job}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
JobRequeue=1
KillOnBadExit=1
KillWait=5
MinJobAge=86400
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0,defer_batch=0
PropagateResourceLimits=NONE
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 DefaultTime=5 PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=60 DefaultTime=5 PriorityTier=10 PreemptMode=OFF
"""


def missing() -> str | None:
    """Why there can be no Slurm here; None if there can."""
    absent = [name for name in DAEMONS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"no {', '.join(absent)} (apt-get install slurmctld slurmd slurm-client munge)"
    return None


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_ports(n: int) -> int:
    """The first of n neighbouring ports that nobody listens on."""
    for first in range(20_000 + os.getpid() % 20_000, 60_000, n):
        try:
            for port in (first, first + 1, first + n - 1):
                with closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


@dataclass
class SlurmLab:
    """A running Slurm of `nodes` virtual nodes with `cpus` (claimed) processors each.

    ``environment`` is what commands need to talk to it.
    """

    folder: Path
    nodes: int = 1
    cpus: int = 8
    environment: dict[str, str] = field(default_factory=dict)
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start the daemons and wait until nodes take jobs."""
        self.folder.mkdir(parents=True, exist_ok=True)  # munged wants every folder above it open to all
        self.folder.chmod(0o755)
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host, port = socket.gethostname().split(".")[0], _free_ports(300)
        shape = f"CPUs={self.cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={self.cpus} ThreadsPerCore=1"
        names = [f"n{number}" for number in range(1, self.nodes + 1)]
        lines = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port + number} {shape} RealMemory=64000"
            for number, name in enumerate(names, 1)
        ]
        conf = self.folder / "slurm.conf"
        conf.write_text(
            CONF.format(
                host=host, user=getpass.getuser(), folder=self.folder, port=port, slurmd_port=port + 1,
                first_srun=port + 100, last_srun=port + 299, nodes="\n".join(lines),
                # Not a number that an earlier lab had: shared memory of MPI is named after it.
                first_job=int(time.time()) % 60_000_000 + 1,
            )
        )  # fmt: skip
        self.environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": _path()}
        munge = [f"--{name}={self.folder / file}" for name, file in
                 {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid",
                  "log-file": "munged.log", "seed-file": "munge.seed"}.items()]  # fmt: skip
        self._daemon("munged", "--foreground", *munge)
        self._until(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._daemon("slurmctld", "-D")
        for name in names:
            (self.folder / f"spool.{name}").mkdir()
            self._daemon("slurmd", "-D", "-N", name)
        self._until(lambda: set(self.run("sinfo", "-h", "-N", "-p", "debug", "-o", "%t").split()) == {"idle"}, "nodes")

    def _daemon(self, *command: str) -> None:
        with (self.folder / f"{command[0]}.said").open("ab") as said:
            self._daemons.append(subprocess.Popen(command, env=self.environment, stdout=said, stderr=said))

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        def otherwise() -> str:
            logs = "\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log"))
            return f"Slurm: {what} did not come up\n{logs}"

        until(ready, 30, otherwise, every_s=0.1)

    def run(self, *command: str) -> str:
        """A Slurm command's output; empty if it failed."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def state(self, job: str) -> str:
        """What Slurm says of a job: PENDING, RUNNING, COMPLETED, ..."""
        return self.run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip().split("\n")[0]

    def stop(self) -> None:
        """Cancel every job and end the daemons."""
        jobs = self.run("squeue", "-h", "-o", "%A").split()
        if jobs:
            self.run("scancel", *jobs)
            end = time.monotonic() + 15
            while self.run("squeue", "-h", "-o", "%A").split() and time.monotonic() < end:
                time.sleep(0.2)
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()


if __name__ == "__main__":  # to explore by hand: python -m support.slurm_lab FOLDER, in tests/
    lab = SlurmLab(Path(sys.argv[1]), nodes=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    lab.start()
    print(f"export SLURM_CONF={lab.folder / 'slurm.conf'} PATH=$PATH:/usr/sbin", flush=True)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        lab.stop()
