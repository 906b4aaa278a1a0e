"""What checkpoints and recorded events cost: ``[mpiexec -n 2] python -m scaling.checkpoints``.

The topographic map runs on while its state is written, copy by copy, as in ``hpcsnn run --checkpoint-every``. A figure
is the median over checkpoints after the first; ``dd`` writes zeros to the same disk for comparison.
"""

from __future__ import annotations

import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from mpi4py import MPI
from rich.console import Console

from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration
from hpcsnn.runs.checkpointing import Checkpointer
from hpcsnn.storage.run_directory import RunDirectory

RESULTS = Path(__file__).parent / "results"
_RECORDED = [
    *(f"projections.{name}.record_events=true" for name in ("ff", "lat")),
    *(f"populations.{name}.record_spikes=true" for name in ("source", "target")),
]


def cost(
    scale: Annotated[int, typer.Option(min=1, help="Size of the checkpoints: 16 * scale neurons per side.")] = 64,
    repeats: Annotated[int, typer.Option(min=2, help="Checkpoints that count.")] = 7,
    events_scale: Annotated[int, typer.Option(min=1, help="Size of the run whose events and spikes are recorded.")] = 4,
    folder: Annotated[Path | None, typer.Option(help="Where to write; default: the system's temporary folder.")] = None,
    save: Annotated[bool, typer.Option(help="Write the figures to scaling/results/.")] = True,
) -> None:
    """Bandwidth, stall and memory of checkpoints, and run time with events and spikes recorded."""
    comm = MPI.COMM_WORLD
    console = Console(quiet=comm.Get_rank() != 0)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        parent = Path(comm.bcast(name))
        figures = {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
            "command": " ".join(["python -m scaling.checkpoints", *sys.argv[1:]]),
            "ranks": comm.Get_size(),
            **checkpoints(scale, repeats, parent, comm),
            "dd_mb_per_s": disk_speed(parent) if comm.Get_rank() == 0 else None,
            "recording": recording(events_scale, parent, comm),
        }
    console.print_json(json.dumps(figures))
    if save and comm.Get_rank() == 0:
        path = RESULTS / f"checkpoints_scale{scale}_ranks{comm.Get_size()}.json"
        path.write_text(json.dumps(figures, indent=1) + "\n")
        console.print(str(path))


def checkpoints(scale: int, repeats: int, parent: Path, comm: Any) -> dict[str, Any]:
    """Write checkpoints of a running map, one after the other."""
    configuration = load_configuration("topomap", [f"scale={scale}", "checkpoint_every=1s"])
    simulation = Simulation(configuration.network(), comm, "cpu", configuration.tile)
    simulation.run(20.0)
    run = RunDirectory(parent / "run")
    run.path.mkdir(exist_ok=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    before = _memory("VmHWM")
    checkpointer = Checkpointer(simulation, run, configuration.resolved(), keep=1)
    stall_s, write_s, written = [], [], []
    for _ in range(repeats + 1):
        said = checkpointer.report() | {"stall_s": checkpointer.stall_s}
        checkpointer.begin()
        while checkpointer.under_way:
            simulation.run(1.0)
            checkpointer.poll()
        stall_s.append(checkpointer.stall_s - said["stall_s"])
        write_s.append(checkpointer.write_s - said["write_s"])
        written.append(checkpointer.n_bytes - said["bytes"])
    alone_s = []
    for _ in range(repeats):
        simulation.run(1.0)
        before_s = checkpointer.write_s
        checkpointer.begin()
        checkpointer.poll(wait=True)
        alone_s.append(checkpointer.write_s - before_s)
    stall, write, alone = (statistics.median(times) for times in (stall_s[1:], write_s[1:], alone_s))
    return {
        "device": simulation.device.name,
        "scale": scale,
        "neurons_a_layer": (16 * scale) ** 2,
        "bytes_a_rank": written[-1],
        "write_s": write,
        "write_s_least_most": [min(write_s[1:]), max(write_s[1:])],
        "write_mb_per_s_a_rank": written[-1] * 1e-6 / write,
        "write_mb_per_s_a_rank_while_nothing_else_runs": written[-1] * 1e-6 / alone,
        "stall_s": stall,
        "stall_of_write": stall / write,
        "memory_of_state_bytes": simulation.state.n_bytes(),
        "memory_overhead_bytes": _memory("VmHWM") - before,
        "files": sum(1 for path in run.checkpoints.rglob("*") if path.is_file()),
    }


def _memory(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


def disk_speed(parent: Path) -> float:
    """MB/s that dd reaches with one large synchronised file."""
    command = ["dd", "if=/dev/zero", f"of={parent / 'zeros'}", "bs=1M", "count=512", "conv=fsync"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return 512 * 1.048576 / (time.perf_counter() - start)


def recording(scale: int, parent: Path, comm: Any, repeats: int = 5, duration_ms: float = 50_000) -> dict[str, Any]:
    """Wall seconds of whole runs with checkpoints, plain and with every event and spike recorded, in turn."""
    if comm.Get_size() > 1:  # each run is a process of its own
        return {}
    common = ["run", "topomap", "--device", "cpu", "--no-figures", "--overwrite", "--checkpoint-every", "10s"]
    common += ["--set", f"scale={scale}", "--set", f"duration_ms={duration_ms}", "--out", str(parent / "recorded")]
    extra = [word for setting in _RECORDED for word in ("--set", setting)]
    seconds: dict[str, list[float]] = {"plain": [], "recorded": []}
    for _ in range(repeats + 1):
        for kind, words in (("plain", []), ("recorded", extra)):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "hpcsnn.cli.app", *common, *words], check=True, capture_output=True)
            seconds[kind].append(time.perf_counter() - start)
    ratios = [b / a for a, b in zip(seconds["plain"][1:], seconds["recorded"][1:], strict=True)]
    return {
        "scale": scale,
        "model_s": duration_ms * 1e-3,
        "plain_s": statistics.median(seconds["plain"][1:]),
        "recorded_s": statistics.median(seconds["recorded"][1:]),
        "ratio": statistics.median(ratios),
        "ratio_least_most": [min(ratios), max(ratios)],
    }


if __name__ == "__main__":
    typer.run(cost)
