"""Jobs that tests submit and wait for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hpcsnn.jobs.job_files import JobFiles, State
from hpcsnn.jobs.run_index import RunEntry, read_run
from support.processes import Found, until
from support.runs import newest_step

# Long enough to be interrupted twice on a fast machine, with checkpoints that follow each other closely; spikes are
# exchanged seldom, since ranks may share a core, and each exchange may then wait for a turn there.
LONG = [
    word
    for setting in (
        *("scale=4", "duration_ms=20000", "checkpoint_every=1s"),
        *("projections.ff.delay_ms=2", "projections.lat.delay_ms=2"),
    )
    for word in ("--set", setting)
]
# Longer than anybody waits: of runs that are stopped, however slow the commands beside them are. Two ranks that talk in
# each step are slow for their size, so that one is quick to do what they did.
ENDLESS = ["--set", "duration_ms=4e6", "--set", "checkpoint_every=5s"]
SHORT = ["--set", "duration_ms=2000"]


def waits_for(condition: Callable[[], Found], run: Path) -> Found:
    """Wait for a condition of a run's job; what it gave. A job that does not come to it shows its logs."""

    def otherwise() -> str:
        logs = [path.read_text()[-3000:] for path in Path(JobFiles(run).plan().logs).glob("*_log.*")]
        return "\n".join([f"{run}: {read_run(run).status}", *logs])

    return until(condition, otherwise=otherwise)


def ends(run: Path, state: State = State.COMPLETED) -> RunEntry:
    """Wait until a run's job is over; how it then stands."""
    entry = waits_for(lambda: (entry := read_run(run)).status.state.over and entry, run)
    assert entry.status.state is state, entry.status.reason
    return entry


def has_checkpoint(run: Path) -> None:
    """Wait for the first checkpoint after the start."""
    waits_for(lambda: newest_step(run) > 0, run)


def rank_processes(run: Path) -> list[int]:
    """The ranks of a run: processes that were started for it and are no launcher, and not what a rank starts, which has
    the rank's own name until it is another program."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if str(run) in words and "-c" in words[:2] and Path(words[0]).name.startswith("python"):
            found[int(folder.name)] = parent
    return [process for process, parent in found.items() if parent not in found]
