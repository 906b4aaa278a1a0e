"""Vogels and Abbott's current-based network here and in NEST, side by side: ``python -m scaling.peers.cuba``.

The network is benchmark 2 of Brette et al. 2007 (doi 10.1007/s10827-007-0038-6): 80 % excitatory neurons, 2 % of 4,000
as sources of each, no drive but a resting potential above threshold. Larger networks keep 80 inputs a neuron. Where the
two differ by default, they are given the same. Each measurement is a process of its own, one simulator after
the other in every round, so that whatever else the machine does meets both; the table has medians.

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

from scaling.peers.own_processes import measured

RESULT = Path(__file__).parents[1] / "results" / "cuba.md"
# Neurons, and how many times faster than NEST a model second on one core is to be.
TARGETS = {4_000: 10.0, 20_000: 12.0, 100_000: 15.0}
DT_MS, SETTLING_MS, SEED = 0.1, 200.0, 1
EXCITATORY_SHARE, INPUTS_E, INPUTS_I = 0.8, 64, 16
TAU_M_MS, V_REST_MV, V_RESET_MV, V_THRESHOLD_MV, REFRACTORY_MS = 20.0, -49.0, -60.0, -50.0, 5.0
TAU_E_MS, TAU_I_MS, WEIGHT_E_MV, WEIGHT_I_MV, C_PF = 5.0, 10.0, 1.62, -9.0, 250.0
COLUMNS = ("neurons", "cores", "hpcsnn", "NEST", "NEST / hpcsnn", "wanted", "rate hpcsnn", "rate NEST", "build (s)")


def in_hpcsnn(neurons: int, duration_ms: float, delay_ms: float) -> dict[str, Any]:
    """Wall seconds per model second and the mean rate, over all ranks of this job."""
    from mpi4py import MPI

    from hpcsnn import Network, Simulation, __version__, models

    network = Network(SEED, DT_MS)
    n_e = round(neurons * EXCITATORY_SHARE)
    # Steps at rest are the whole steps within the time and one more; NEST's are those within it.
    lif = models.LIF(
        tau_m_ms=TAU_M_MS,
        V_rest_mV=V_REST_MV,
        V_reset_mV=V_RESET_MV,
        V_threshold_mV=V_THRESHOLD_MV,
        refractory_ms=REFRACTORY_MS,
    )
    for name, size in (("e", n_e), ("i", neurons - n_e)):
        network.add_population(name, size, lif, {"V_mV": models.Uniform(V_RESET_MV, V_THRESHOLD_MV)})
    for source, tau_ms, weight_mv, inputs in (
        ("e", TAU_E_MS, WEIGHT_E_MV, INPUTS_E),
        ("i", TAU_I_MS, WEIGHT_I_MV, INPUTS_I),
    ):
        chance = models.FixedProbability(p=inputs / network.populations[source].size)
        for target in ("e", "i"):
            network.add_projection(
                f"{source}_to_{target}",
                source,
                target,
                chance,
                models.ExponentialCurrent(tau_ms=tau_ms),
                weight_mv,
                delay_ms=delay_ms,
            )
    comm = MPI.COMM_WORLD
    simulation = Simulation(network, comm, "cpu")
    simulation.run(SETTLING_MS)

    def spikes() -> int:
        return int(comm.allreduce(sum(simulation.state.total_spikes(name) for name in network.populations)))

    before = spikes()
    comm.Barrier()
    start = time.perf_counter()
    simulation.run(duration_ms)
    comm.Barrier()
    wall_s = time.perf_counter() - start
    return {
        "wall_per_model_s": wall_s / (duration_ms * 1e-3),
        "rate_hz": (spikes() - before) / neurons / (duration_ms * 1e-3),
        "build_s": simulation.startup_s,
        "version": __version__,
        "rank": comm.Get_rank(),
        "device": simulation.device.name,
    }


def in_nest(neurons: int, duration_ms: float, delay_ms: float, threads: int) -> dict[str, Any]:
    """The same in NEST, on threads."""
    import nest

    start = time.perf_counter()
    nest.ResetKernel()
    nest.set(resolution=DT_MS, local_num_threads=threads, rng_seed=SEED, print_time=False)
    n_e = round(neurons * EXCITATORY_SHARE)
    parameters = {
        "tau_m": TAU_M_MS,
        "E_L": V_REST_MV,
        "V_reset": V_RESET_MV,
        "V_th": V_THRESHOLD_MV,
        "t_ref": REFRACTORY_MS,
        "tau_syn_ex": TAU_E_MS,
        "tau_syn_in": TAU_I_MS,
        "C_m": C_PF,
        "V_m": nest.random.uniform(V_RESET_MV, V_THRESHOLD_MV),
    }
    everyone = nest.Create("iaf_psc_exp", neurons, parameters)
    # A current of C / tau_m lifts the potential by 1 mV. As many synapses as all pairs by chance would give, drawn in
    # one go: NEST's own drawing of pairs takes time with the square of the neurons.
    for sources, weight_mv, inputs in (
        (everyone[:n_e], WEIGHT_E_MV, INPUTS_E),
        (everyone[n_e:], WEIGHT_I_MV, INPUTS_I),
    ):
        rule = {"rule": "fixed_total_number", "N": inputs * neurons}
        synapse = {"synapse_model": "static_synapse", "weight": weight_mv * C_PF / TAU_M_MS, "delay": delay_ms}
        nest.Connect(sources, everyone, rule, synapse)
    build_s = time.perf_counter() - start
    nest.Prepare()
    nest.Run(SETTLING_MS)
    start = time.perf_counter()
    nest.Run(duration_ms)
    wall_s = time.perf_counter() - start
    spikes = nest.local_spike_counter  # of the last Run
    nest.Cleanup()
    return {
        "wall_per_model_s": wall_s / (duration_ms * 1e-3),
        "rate_hz": spikes / neurons / (duration_ms * 1e-3),
        "build_s": build_s,
        "version": nest.__version__,
        "rank": 0,
    }


def _measured(simulator: str, neurons: int, cores: int, options: argparse.Namespace) -> dict[str, Any]:
    words = ["--neurons", str(neurons), "--duration-ms", str(options.duration_ms), "--delay-ms", str(options.delay_ms)]
    python = options.nest_python if simulator == "nest" else sys.executable
    return measured("scaling.peers.cuba", python, simulator, words, cores)


def _row(neurons: int, cores: int, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> tuple[str, ...]:
    """A line of the table: medians, and in brackets the least and the most."""

    def of(measured: list[dict[str, Any]], name: str) -> float:
        return statistics.median(one[name] for one in measured)

    def seconds(measured: list[dict[str, Any]]) -> str:
        values = [one["wall_per_model_s"] for one in measured]
        return f"{statistics.median(values):.3g} ({min(values):.3g} .. {max(values):.3g})"

    ratio = of(theirs, "wall_per_model_s") / of(ours, "wall_per_model_s")
    wanted = f"{TARGETS[neurons]:g}" if cores == 1 and neurons in TARGETS else ""
    rates = (f"{of(ours, 'rate_hz'):.2f} Hz", f"{of(theirs, 'rate_hz'):.2f} Hz")
    build = f"{of(ours, 'build_s'):.2g}, {of(theirs, 'build_s'):.2g}"
    return (f"{neurons:,}", str(cores), seconds(ours), seconds(theirs), f"{ratio:.1f}", wanted, *rates, build)


def _markdown(rows: list[tuple[str, ...]], facts: dict[str, str]) -> str:
    lines = ["# Vogels and Abbott's CUBA, here and in NEST: wall seconds per model second", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, nargs="+", default=list(TARGETS))
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration-ms", type=float, default=2000.0, help="model time that is measured")
    parser.add_argument(
        "--delay-ms", type=float, default=DT_MS, help="of every synapse; the published network has none"
    )
    parser.add_argument("--nest-python", default=sys.executable)
    parser.add_argument("--no-save", action="store_true", help="write nothing to scaling/results")
    parser.add_argument("--only", choices=["hpcsnn", "nest"], help="one measurement in this process, as JSON")
    options = parser.parse_args()
    if options.only is not None:
        (neurons,), (cores,) = options.neurons, options.cores
        found = (
            in_hpcsnn(neurons, options.duration_ms, options.delay_ms)
            if options.only == "hpcsnn"
            else in_nest(neurons, options.duration_ms, options.delay_ms, cores)
        )
        if found["rank"] == 0:
            print(json.dumps(found), flush=True)
        return
    rows, versions = [], {}
    for neurons in options.neurons:
        for cores in options.cores:
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(_measured("hpcsnn", neurons, cores, options))
                theirs.append(_measured("nest", neurons, cores, options))
            rows.append(_row(neurons, cores, ours, theirs))
            versions = {"hpcsnn": ours[0]["version"], "NEST": theirs[0]["version"], "device": ours[0]["device"]}
            print(" | ".join(rows[-1]), flush=True)
    text = _markdown(
        rows,
        {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
            "command": shlex.join(["python", "-m", "scaling.peers.cuba", *sys.argv[1:]]),
            "device": f"{versions['device']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
            "versions": f"hpcsnn {versions['hpcsnn']}, NEST {versions['NEST']}, Python {platform.python_version()}",
            "measured": f"{options.duration_ms:g} ms of model time after {SETTLING_MS:g} ms, delays of "
            f"{options.delay_ms:g} ms, steps of {DT_MS:g} ms; medians of {options.rounds} rounds (least .. most)",
        },
    )
    print(text)
    if not options.no_save:
        RESULT.write_text(text)


if __name__ == "__main__":
    main()
