"""Brunel's network here and in NEST, in its four states: ``python -m scaling.peers.brunel``.

The network is that of ``configs/brunel.yaml``: 10,000 excitatory and 2,500 inhibitory neurons, 1,000 and 250 inputs of
each, no pair twice; model A of Brunel 2000, J. Comput. Neurosci. 8:183. For each state and seed both simulators run it,
in processes of their own and in turn: mean rate and mean CV of intervals of the excitatory neurons, and wall seconds of
a model second. Both are behind what they do at first (``SETTLING_MS``).

``--nest-python`` is the Python of an environment with NEST (``pip install nest-simulator``), by default this one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from scaling.peers.own_processes import measured

RESULT = Path(__file__).parents[1] / "results" / "brunel.md"
# g and eta of his figure 8, A to D.
STATES = {
    "synchronous regular": (3.0, 2.0),
    "synchronous irregular, fast": (6.0, 4.0),
    "asynchronous irregular": (5.0, 2.0),
    "synchronous irregular, slow": (4.5, 0.9),
}
SETTLING_MS, DT_MS = 200.0, 0.1
N_E, N_I, INPUTS_E, INPUTS_I, WEIGHT_MV, DELAY_MS = 10_000, 2_500, 1_000, 250, 0.1, 1.5
TAU_M_MS, V_RESET_MV, V_THRESHOLD_MV, REFRACTORY_MS = 20.0, 10.0, 20.0, 2.0
# What brings a neuron to its threshold by itself, in Hz, of all its inputs together.
THRESHOLD_HZ = V_THRESHOLD_MV / (WEIGHT_MV * TAU_M_MS * 1e-3)
COLUMNS = (
    *("state", "g", "eta", "rate here", "rate in NEST", "CV here", "CV in NEST", "one core here", "NEST", "times"),
    *("two cores here", "NEST", "times"),
)


def said(steps: Any, neurons: Any, duration_ms: float, wall_s: float, **more: Any) -> dict[str, Any]:
    """Rate and CV of spikes of the excitatory neurons after settling: a step and a neuron each, of one process."""
    order = np.lexsort((steps, neurons))
    steps, neurons = np.asarray(steps, np.int64)[order], np.asarray(neurons)[order]
    intervals, of = np.diff(steps)[np.diff(neurons) == 0], neurons[1:][np.diff(neurons) == 0]
    _, of, n = np.unique(of, return_inverse=True, return_counts=True)
    mean = np.bincount(of, intervals) / n
    cv = (np.sqrt(np.bincount(of, (intervals - mean[of]) ** 2) / n) / mean)[n > 1]
    return {
        "rate_hz": len(steps) / N_E / (duration_ms * 1e-3),
        "cv": float(cv.mean()) if len(cv) else float("nan"),
        "wall_per_model_s": wall_s / (duration_ms * 1e-3),
        **more,
    }


def in_hpcsnn(g: float, eta: float, seed: int, duration_ms: float) -> dict[str, Any] | None:
    """Measured over all ranks of this job; None on those that have nothing to say."""
    from hpcsnn import Simulation, __version__
    from hpcsnn.configuration.files import load_configuration
    from hpcsnn.ranks.world import find_world

    overrides = [f"seed={seed}"]
    for name in "EI":
        overrides.append(f"populations.{name}.stimulate.0.rate_hz={eta * THRESHOLD_HZ}")
        overrides.append(f"projections.inhibition_of_{name.lower()}.weight={-g * WEIGHT_MV}")
    ranks = find_world()
    simulation = Simulation(load_configuration("brunel", overrides).network(), ranks, "cpu")
    simulation.run(SETTLING_MS)
    simulation.take_recorded()
    ranks.barrier()
    start = time.perf_counter()
    simulation.run(duration_ms)
    ranks.barrier()
    wall_s = time.perf_counter() - start
    every = ranks.gather(simulation.take_recorded().spikes["E"])
    if ranks.rank:
        return None
    steps, neurons = np.concatenate(every).T
    about = {"build_s": simulation.startup_s, "version": __version__, "device": simulation.device.name}
    return said(steps, neurons, duration_ms, wall_s, **about)


def in_nest(g: float, eta: float, seed: int, duration_ms: float, threads: int) -> dict[str, Any]:
    """The same in NEST, on threads."""
    import nest

    start = time.perf_counter()
    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.set(resolution=DT_MS, local_num_threads=threads, rng_seed=seed, print_time=False)
    rest = {"C_m": 1.0, "tau_m": TAU_M_MS, "E_L": 0.0, "V_m": 0.0}
    parameters = {**rest, "t_ref": REFRACTORY_MS, "V_reset": V_RESET_MV, "V_th": V_THRESHOLD_MV}
    everyone = nest.Create("iaf_psc_delta", N_E + N_I, parameters)
    excitatory, inhibitory = everyone[:N_E], everyone[N_E:]
    drive = nest.Create("poisson_generator", params={"rate": eta * THRESHOLD_HZ})
    recorder = nest.Create("spike_recorder", params={"start": SETTLING_MS})
    nest.Connect(drive, everyone, syn_spec={"weight": WEIGHT_MV, "delay": DELAY_MS})
    for sources, inputs, weight in ((excitatory, INPUTS_E, WEIGHT_MV), (inhibitory, INPUTS_I, -g * WEIGHT_MV)):
        rule = {"rule": "fixed_indegree", "indegree": inputs, "allow_multapses": False}
        nest.Connect(sources, everyone, rule, {"weight": weight, "delay": DELAY_MS})
    nest.Connect(excitatory, recorder)
    build_s = time.perf_counter() - start
    nest.Prepare()
    nest.Run(SETTLING_MS)
    start = time.perf_counter()
    nest.Run(duration_ms)
    wall_s = time.perf_counter() - start
    nest.Cleanup()
    events = recorder.events
    steps = np.rint(np.asarray(events["times"]) / DT_MS)
    return said(steps, events["senders"], duration_ms, wall_s, build_s=build_s, version=nest.__version__)


def _measured(simulator: str, state: str, seed: int, cores: int, options: argparse.Namespace) -> dict[str, Any]:
    words = ["--states", state, "--seeds", str(seed), "--duration-ms", str(options.duration_ms)]
    python = options.nest_python if simulator == "nest" else sys.executable
    return measured("scaling.peers.brunel", python, simulator, words, cores)


def _row(state: str, ours: dict[int, list[dict[str, Any]]], theirs: dict[int, list[dict[str, Any]]]) -> tuple[str, ...]:
    """A line of the table: means and standard deviations over seeds, medians of wall seconds."""

    def spread(of: dict[int, list[dict[str, Any]]], name: str, digits: int) -> str:
        values = [one[name] for one in of[min(of)]]
        deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{deviation}"

    cells = [state, *(f"{value:g}" for value in STATES[state])]
    cells += [spread(of, "rate_hz", 2) for of in (ours, theirs)] + [spread(of, "cv", 3) for of in (ours, theirs)]
    for cores in (1, 2):
        if cores in ours:
            here, there = (statistics.median(one["wall_per_model_s"] for one in of[cores]) for of in (ours, theirs))
            cells += [f"{here:.3g} s", f"{there:.3g} s", f"{there / here:.1f}"]
        else:
            cells += ["", "", ""]
    return tuple(cells)


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", nargs="+", default=list(STATES), choices=STATES, metavar="STATE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], choices=[1, 2])
    parser.add_argument("--duration-ms", type=float, default=1000.0, help="model time that is measured")
    parser.add_argument("--nest-python", default=sys.executable)
    parser.add_argument("--no-save", action="store_true", help="write nothing to scaling/results")
    parser.add_argument("--only", choices=["hpcsnn", "nest"], help="one measurement in this process, as JSON")
    options = parser.parse_args()
    if options.only is not None:
        (state,), (seed,), (cores,) = options.states, options.seeds, options.cores
        if options.only == "hpcsnn":
            found = in_hpcsnn(*STATES[state], seed, options.duration_ms)
        else:
            found = in_nest(*STATES[state], seed, options.duration_ms, cores)
        if found is not None:
            print(json.dumps(found), flush=True)
        return
    rows, last = [], {}
    for state in options.states:
        every: dict[str, dict[int, list[dict[str, Any]]]] = {
            simulator: {cores: [] for cores in options.cores} for simulator in ("hpcsnn", "nest")
        }
        for seed in options.seeds:
            # Rates are of all seeds; two cores are timed with the first.
            for cores in options.cores if seed == options.seeds[0] else [min(options.cores)]:
                for simulator, by_cores in every.items():
                    by_cores[cores].append(_measured(simulator, state, seed, cores, options))
        rows.append(_row(state, every["hpcsnn"], every["nest"]))
        last = {simulator: by_cores[min(options.cores)][-1] for simulator, by_cores in every.items()}
        print(" | ".join(rows[-1]), flush=True)
    facts = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", "-m", "scaling.peers.brunel", *sys.argv[1:]]),
        "device": f"{last['hpcsnn']['device']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "versions": f"hpcsnn {last['hpcsnn']['version']}, NEST {last['nest']['version']}, "
        f"Python {platform.python_version()}",
        "measured": f"{options.duration_ms:g} ms of model time after {SETTLING_MS:g} ms, excitatory neurons; rates "
        f"(Hz) and CV, mean ± standard deviation over seeds {', '.join(map(str, options.seeds))}; wall seconds of a "
        "model second: median over seeds on one core, of one on two",
        "built in": f"{last['hpcsnn']['build_s']:.1f} s here, {last['nest']['build_s']:.1f} s in NEST, on one core",
    }
    lines = ["# Brunel's network, here and in NEST", "", *(f"- {name}: {value}" for name, value in facts.items())]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    text = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])
    print(text)
    if not options.no_save:
        RESULT.write_text(text)


if __name__ == "__main__":
    main()
