"""Homeostatic growth in a network of two kinds of neuron, as NEST runs it (scaling/peers/README.md), side by side.

``python -m scaling.homeostatic`` runs the seeds of `scaling/results/nest_homeostatic.json`, writes
`scaling/results/homeostatic.json` and a figure of both; ``mpiexec -n 4 python -m mpi4py -m scaling.homeostatic`` does
it on four ranks.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import math
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hpcsnn import Network, Simulation
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Configured, Derived, ExplicitList, ExponentialCurrent, LIFBackground, Parameter
from hpcsnn.models.rewiring import Homeostatic

RESULTS = Path(__file__).parent / "results"
EXCITATORY, INHIBITORY = 400, 100
# The network is looked at so often, and has settled by this look, as NEST's.
EVERY_S, SETTLED = 2.0, 21
_DT_MS, _TAU_SYNAPSE_MS, _TAU_M_MS, _C_PF = 0.1, 0.5, 10.0, 250.0


def _by_kind(side: str, faster: str) -> str:
    """The growth of `side` with the set-point of the neuron's kind."""
    return f"""
const bool excitatory = id < n_excitatory;
const float {side}_middle = excitatory ? excitatory_middle : inhibitory_middle;
const float {side}_width = excitatory ? excitatory_width : inhibitory_width;
const float growth_step_{side} = growth_step * ({faster});
{getattr(Homeostatic, "update_source" if side == "axon" else "update_target")}
"""


def _two_kinds(name: str, has_axon: str, inhibitory_dendrites: float) -> Configured:
    """Homeostatic growth whose axons are those of one kind of neuron: a pool of elements for targets of both kinds."""
    assert Homeostatic.pairing is not None
    middle, width = "{kind}_set_point / 2", "{kind}_set_point / (2 * sqrt(log(2)))"
    rule = dataclasses.replace(
        Homeostatic,
        name=name,
        parameters={
            **Homeostatic.parameters,
            "n_excitatory": Parameter(EXCITATORY, "", "neurons that are excitatory: the first ones", ctype="int"),
            "excitatory_set_point": Parameter(0.05, "calcium", "set-point of excitatory neurons", above=0.0),
            "inhibitory_set_point": Parameter(0.1, "calcium", "set-point of inhibitory neurons", above=0.0),
            "inhibitory_dendrites": Parameter(1.0, "", "how much faster their dendritic elements grow"),
        },
        derived={
            "growth_step": Homeostatic.derived["growth_step_axon"],
            **{f"{kind}_middle": Derived(middle.format(kind=kind)) for kind in ("excitatory", "inhibitory")},
            **{f"{kind}_width": Derived(width.format(kind=kind)) for kind in ("excitatory", "inhibitory")},
        },
        update_source=_by_kind("axon", "1.0f"),
        update_target=_by_kind("dendrite", "excitatory ? 1.0f : inhibitory_dendrites"),
        pairing=dataclasses.replace(Homeostatic.pairing, offers=f"{has_axon} ? {Homeostatic.pairing.offers} : 0"),
    )
    return rule(
        tau_calcium_ms=2000.0,
        beta_calcium=0.005,
        updates_a_pairing=50,
        axon_growth_per_s=1.0,
        inhibitory_dendrites=inhibitory_dendrites,
    )


def network(seed: int) -> Network:
    """400 excitatory and 100 inhibitory neurons without synapses, as the peers' README describes them."""
    net = Network(seed=seed, dt_ms=_DT_MS)
    per_pA = _TAU_M_MS / _C_PF
    cells = LIFBackground(
        tau_m_ms=_TAU_M_MS, V_rest_mV=-65.0, V_reset_mV=-65.0, V_threshold_mV=-50.0, resistance=per_pA,
        refractory_ms=2.0,
        background_hz=10_000.0, background_weight=64.0, background_tau_ms=_TAU_SYNAPSE_MS,
    )  # fmt: skip
    net.add_population("cells", EXCITATORY + INHIBITORY, cells, {"V_mV": -65.0})
    nobody = ExplicitList(pre=[], post=[], weight=[])
    for name, weight, rule in (
        ("ex", 585.0, _two_kinds("growth_excitatory", "id < n_excitatory", 2.0)),
        ("inh", -585.0, _two_kinds("growth_inhibitory", "id >= n_excitatory", 1.0)),
    ):
        receptor = ExponentialCurrent(tau_ms=_TAU_SYNAPSE_MS)
        net.add_projection(name, "cells", "cells", nobody, receptor, weight, delay_ms=1.0, rewiring=rule)
    return net


def observed(simulation: Simulation) -> dict[str, float]:
    """Mean calcium of both kinds and mean in-degree from each to each, over all ranks; a collective call."""
    ids = simulation.placements["cells"].global_id
    traces = simulation.state.read("ex.post_dendrite_calcium").view(np.dtype([("value", "f4"), ("last", "i4")]))
    age_ms = (simulation.step - 1 - traces["last"].astype(np.int64)) * _DT_MS
    calcium = 0.005 * traces["value"] * np.exp(-age_ms / 2000.0)
    totals = {}
    for kind, chosen, n in (("e", ids < EXCITATORY, EXCITATORY), ("i", ids >= EXCITATORY, INHIBITORY)):
        totals[f"calcium_{kind}"] = calcium[: len(ids)][chosen].sum() / n
        for source, projection in (("e", "ex"), ("i", "inh")):
            in_degree = simulation.state.read(f"{projection}.in_degree")
            totals[f"in_degree_{source}_to_{kind}"] = np.asarray(in_degree)[: len(ids)][chosen].sum() / n
    summed = simulation.sum_over_ranks(np.array(list(totals.values()), dtype=np.float64))
    return dict(zip(totals, summed.tolist(), strict=True))


def run(seed: int, model_s: float, every_s: float, comm: Any = None) -> dict[str, Any]:
    """One seed: the time course, wall seconds, and the digest at the end."""
    simulation = Simulation(network(seed), comm=comm, device="cpu")
    start, courses = time.perf_counter(), []
    for sample in range(1, round(model_s / every_s) + 1):
        simulation.run(sample * every_s * 1e3 - _DT_MS - simulation.time_ms)  # before the update that is due then
        courses.append(observed(simulation))
    wall_s = time.perf_counter() - start
    course = {name: [round(one[name], 5) for one in courses] for name in courses[0]}
    return {"seed": seed, "wall_s": round(wall_s, 3), "digest": simulation_digest(simulation), "over_time": course}


def draw(ours: dict[str, Any], peer: dict[str, Any], path: Path) -> None:
    """Both time courses: mean and twice the spread over seeds."""
    import matplotlib.pyplot as plt

    names = {
        "calcium_e": "calcium, excitatory", "calcium_i": "calcium, inhibitory",
        "in_degree_e_to_e": "in-degree, e to e", "in_degree_e_to_i": "in-degree, e to i",
        "in_degree_i_to_e": "in-degree, i to e", "in_degree_i_to_i": "in-degree, i to i",
    }  # fmt: skip
    figure, axes = plt.subplots(3, 2, figsize=(9, 8), sharex=True, layout="constrained")
    for axis, (name, title) in zip(axes.flat, names.items(), strict=True):
        for label, result, colour in (("hpcsnn", ours, "tab:blue"), ("NEST", peer, "tab:orange")):
            values = np.array(result["by_seed"][name])
            mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
            axis.plot(result["times_s"], mean, color=colour, label=label)
            axis.fill_between(result["times_s"], mean - 2 * sd, mean + 2 * sd, color=colour, alpha=0.25, linewidth=0)
        axis.set_title(title, fontsize=10)
        axis.set_ylim(bottom=0)
    axes[0, 0].legend(frameon=False)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    figure.suptitle("Homeostatic growth: mean over seeds, band of two standard deviations", fontsize=11)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Run all seeds and write the results."""
    from mpi4py import MPI

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="seeds 1 to this number")
    parser.add_argument("--model-s", type=float, default=60.0, help="model time of a seed, in s")
    parser.add_argument("--to", type=Path, default=RESULTS / "homeostatic.json", help="where the results go")
    arguments = parser.parse_args()
    comm = MPI.COMM_WORLD
    runs = [run(seed, arguments.model_s, EVERY_S, comm) for seed in range(1, arguments.seeds + 1)]
    if comm.Get_rank() != 0:
        return
    peer = json.loads((RESULTS / "nest_homeostatic.json").read_text())
    result = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "python -m scaling.homeostatic",
        "hpcsnn": version("hpcsnn"),
        "python": platform.python_version(),
        "ranks": comm.Get_size(),
        "times_s": [EVERY_S * (k + 1) for k in range(len(runs[0]["over_time"]["calcium_e"]))],
        "wall_s": [one["wall_s"] for one in runs],
        "digests": [one["digest"] for one in runs],
        "by_seed": {name: [one["over_time"][name] for one in runs] for name in runs[0]["over_time"]},
    }
    arguments.to.write_text(json.dumps(result, indent=1) + "\n")
    draw(result, peer, arguments.to.with_suffix(".png"))
    print(f"{'from 44 s on':18}{'hpcsnn':>18}{'NEST':>18}{'difference / its standard error':>34}")
    for name in result["by_seed"]:
        ours, theirs = (np.array(r["by_seed"][name])[:, SETTLED:].mean(axis=1) for r in (result, peer))
        error = math.hypot(ours.std(ddof=1) / math.sqrt(len(ours)), theirs.std(ddof=1) / math.sqrt(len(theirs)))
        spread = [f"{one.mean():.4f} ± {one.std(ddof=1):.4f}" for one in (ours, theirs)]
        print(f"{name:18}{spread[0]:>18}{spread[1]:>18}{(ours.mean() - theirs.mean()) / error:>34.2f}")
    print("wall seconds per seed:", *result["wall_s"], "NEST:", *peer["wall_s"])


if __name__ == "__main__":
    main()
