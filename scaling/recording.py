"""What recording costs: ``python -m scaling.recording``.

The topographic map at scale 4 (4,096 neurons a layer), plain and with membrane potentials recorded every ms, of 100
neurons and of all, side by side in one process: CPU seconds of a second of model time, in turn. What is recorded is
taken each time, as checkpoints take it.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hpcsnn import Simulation
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices.processors import processor
from hpcsnn.engine.digest import simulation_digest

RESULTS = Path(__file__).parent / "results" / "recording.json"
_SCALE, _SETTLING_MS, _MODEL_MS = 4, 2000.0, 1000.0
CASES = {"plain": "", "100 neurons": "{V_mV: {every_ms: 1, neurons: 0..99}}", "all 4,096": "{V_mV: 1}"}
_ALLOWED = {"100 neurons": 1.0, "all 4,096": 25.0}


def _simulation(record: str) -> Simulation:
    recorded = [f"populations.target.record={record}"] if record else []
    configuration = load_configuration("topomap", [f"scale={_SCALE}", *recorded])
    simulation = Simulation(configuration.network(), device="cpu")
    simulation.run(_SETTLING_MS)
    return simulation


def table(
    rounds: Annotated[int, typer.Option(min=3, help="Seconds of model time, of each.")] = 25,
    save: Annotated[bool, typer.Option(help="Write the result to scaling/results/.")] = True,
) -> None:
    """CPU time of recording, as a part of the run's."""
    simulations = {name: _simulation(record) for name, record in CASES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for turn in range(rounds):
        for name in list(CASES)[:: 1 if turn % 2 else -1]:
            start = time.process_time()
            simulations[name].run(_MODEL_MS)
            simulations[name].take_recorded()
            seconds[name].append(time.process_time() - start)
    assert len({simulation_digest(simulation) for simulation in simulations.values()}) == 1, "recording changes no bit"
    added = {
        name: [100.0 * (with_it / plain - 1.0) for with_it, plain in zip(seconds[name], seconds["plain"], strict=True)]
        for name in _ALLOWED
    }
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "python -m scaling.recording",
        "device": f"cpu ({processor()}), {os.cpu_count()} cores",
        "load": round(os.getloadavg()[1], 1),
        "versions": {"python": platform.python_version(), "hpcsnn": version("hpcsnn"), "numpy": version("numpy")},
        "cpu_s": {name: statistics.median(taken) for name, taken in seconds.items()},
        "added_percent": {name: [statistics.median(parts), *sorted(parts)] for name, parts in added.items()},
    }
    console = Console()
    for name, parts in added.items():
        quartiles = statistics.quantiles(parts)
        console.print(
            f"{name} every ms: {statistics.median(parts):.2f} % more CPU (quartiles {quartiles[0]:.2f}, "
            f"{quartiles[2]:.2f}); wanted < {_ALLOWED[name]:g} %"
        )
    if save:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(table)
