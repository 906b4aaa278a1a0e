"""Homeostatic structural plasticity in NEST, for comparison: ``python -m scaling.peers.nest_homeostatic --help``.

Runs in an environment of its own with NEST and NumPy (``pip install nest-simulator numpy``) and imports nothing of
hpcsnn. The model is that of NEST's example ``structural_plasticity.py`` (Butz & van Ooyen 2013, PLoS Comput Biol
9:e1003259), made quicker; scaling/peers/README.md says what differs and what NEST does exactly.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import time
from pathlib import Path
from typing import Any

import nest
import numpy as np

RESULT = Path(__file__).parents[1] / "results" / "nest_homeostatic.json"
DT_MS = 0.1
PARAMETERS: dict[str, Any] = {
    "excitatory_neurons": 400,
    "inhibitory_neurons": 100,
    "neuron": {
        "tau_m": 10.0,  # ms
        "tau_syn_ex": 0.5,  # ms
        "tau_syn_in": 0.5,  # ms
        "t_ref": 2.0,  # ms
        "E_L": -65.0,  # mV
        "V_m": -65.0,  # mV; without it neurons start at -70 mV, which is E_L where none is given
        "V_th": -50.0,  # mV
        "V_reset": -65.0,  # mV
        "C_m": 250.0,  # pF
        "tau_Ca": 2000.0,  # ms
        "beta_Ca": 0.005,  # so that calcium is 0.01 a Hz, as with NEST's 10,000 ms and 0.001
    },
    "poisson_rate_hz": 10_000.0,
    "weight_poisson_pA": 64.0,  # 0.11 mV at the peak of the potential
    "weight_excitatory_pA": 585.0,  # 1 mV
    "weight_inhibitory_pA": -585.0,
    "delay_ms": 1.0,
    "eta": 0.0,
    "eps_excitatory": 0.05,  # 5 Hz
    "eps_inhibitory": 0.1,  # 10 Hz
    "growth_rate_per_ms": 0.001,
    "growth_rate_den_ex_of_inhibitory_per_ms": 0.002,
    "tau_vacant": 0.1,
    "update_interval_ms": 500.0,
    "autapses": True,
    "multapses": True,
    "dt_ms": DT_MS,
}
# In-degrees by kind of connection: the population, and its element whose bound ones they are.
IN_DEGREES = {
    "e_to_e": ("e", "Den_ex"),
    "i_to_e": ("e", "Den_in"),
    "e_to_i": ("i", "Den_ex"),
    "i_to_i": ("i", "Den_in"),
}
ELEMENTS = {"e": ("Den_ex", "Den_in", "Axon_ex"), "i": ("Den_ex", "Den_in", "Axon_in")}


def build(seed: int) -> dict[str, Any]:
    """The network before its first step, without any recurrent synapse; populations (NodeCollection) by name."""
    p = PARAMETERS
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT_MS
    nest.rng_seed = seed
    plastic_synapses({"ex": p["weight_excitatory_pA"], "in": p["weight_inhibitory_pA"]}, p["update_interval_ms"])
    rate, eps_e, eps_i = p["growth_rate_per_ms"], p["eps_excitatory"], p["eps_inhibitory"]
    elements = {
        "e": {name: element(rate, eps_e) for name in ELEMENTS["e"]},
        "i": {name: element(rate, eps_i) for name in ELEMENTS["i"]},
    }
    elements["i"]["Den_ex"] = element(p["growth_rate_den_ex_of_inhibitory_per_ms"], eps_i)
    sizes = {"e": p["excitatory_neurons"], "i": p["inhibitory_neurons"]}
    populations = {
        name: nest.Create("iaf_psc_exp", n, {**p["neuron"], "synaptic_elements": elements[name]})
        for name, n in sizes.items()
    }
    drive = nest.Create("poisson_generator", params={"rate": p["poisson_rate_hz"]})  # a train of its own to each target
    every = populations["e"] + populations["i"]
    nest.Connect(drive, every, "all_to_all", {"weight": p["weight_poisson_pA"], "delay": p["delay_ms"]})
    return populations


def plastic_synapses(weights_pA: dict[str, float], update_interval_ms: float, **rule: Any) -> None:
    """Synapses that structural plasticity makes, `Axon_x` to `Den_x` for each x of `weights_pA`; turns it on."""
    for kind, weight_pA in weights_pA.items():
        nest.CopyModel("static_synapse", f"plastic_{kind}", {"weight": weight_pA, "delay": PARAMETERS["delay_ms"]})
    nest.structural_plasticity_update_interval = update_interval_ms
    nest.structural_plasticity_synapses = {
        f"plastic_{kind}": {
            "synapse_model": f"plastic_{kind}",
            "pre_synaptic_element": f"Axon_{kind}",
            "post_synaptic_element": f"Den_{kind}",
            **rule,
        }
        for kind in weights_pA
    }
    nest.EnableStructuralPlasticity()


def element(growth_rate_per_ms: float, eps: float, **others: Any) -> dict[str, Any]:
    """A synaptic element with a Gaussian growth curve, as NEST reads it."""
    p = PARAMETERS
    curve = {"growth_curve": "gaussian", "growth_rate": growth_rate_per_ms, "eta": p["eta"], "eps": eps}
    return {**curve, "continuous": False, "tau_vacant": p["tau_vacant"], **others}


def state(populations: dict[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Means over neurons, and standard deviations of some, now: before the structural update that is due now."""
    means, deviations = {}, {}
    elements = {name: neurons.synaptic_elements for name, neurons in populations.items()}
    for name, neurons in populations.items():
        calcium = np.array(neurons.Ca)
        means[f"calcium_{name}"], deviations[f"calcium_{name}"] = calcium.mean(), calcium.std()
    for kind, (name, den) in IN_DEGREES.items():
        degree = np.array([of_neuron[den]["z_connected"] for of_neuron in elements[name]])
        means[f"in_degree_{kind}"], deviations[f"in_degree_{kind}"] = degree.mean(), degree.std()
    for name, kinds in ELEMENTS.items():
        for kind in kinds:
            means[f"z_{kind}_of_{name}"] = np.mean([of_neuron[kind]["z"] for of_neuron in elements[name]])
    return means, deviations


def pairs_twice() -> dict[str, float]:
    """Shares of the plastic synapses that are autapses, and that repeat another one's pair of neurons."""
    pairs = np.concatenate([endpoints(kind) for kind in ("ex", "in")])
    return {
        "autapses": float(np.mean(pairs[:, 0] == pairs[:, 1])),
        "repeated_pairs": 1 - len(np.unique(pairs, axis=0)) / len(pairs),
    }


def endpoints(kind: str) -> np.ndarray:
    """(synapses, 2) int64: source and target of the plastic synapses of a kind, now."""
    found = nest.GetConnections(synapse_model=f"plastic_{kind}")
    if not len(found):
        return np.empty((0, 2), np.int64)
    return np.array([np.ravel(found.source), np.ravel(found.target)], np.int64).T


def run(seed: int, model_s: float, every_s: float) -> dict[str, Any]:
    """One run: series of means and deviations over neurons, and what it took."""
    populations = build(seed)
    series: list[dict[str, float]] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(round(model_s / every_s)):
        nest.Simulate(1000 * every_s)
        means, deviations = state(populations)
        series.append({**means, **{f"sd_{name}": value for name, value in deviations.items()}})
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    by_name = {name: [at[name] for at in series] for name in series[0]}
    return {"seed": seed, "wall_s": wall_s, "cpu_s": cpu_s, "series": by_name, **pairs_twice()}


def compact(value: Any) -> Any:
    """The same with every float rounded to five digits."""
    if isinstance(value, dict):
        return {name: compact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [compact(inner) for inner in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def kept(runs: list[dict[str, Any]], model_s: float, every_s: float) -> dict[str, Any]:
    """What the JSON file holds."""
    names = list(runs[0]["series"])
    of_seeds = {name: np.array([one["series"][name] for one in runs]) for name in names}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "python -m scaling.peers.nest_homeostatic",
        "nest": nest.__version__,
        "python": platform.python_version(),
        "threads": 1,
        "model_s": model_s,
        "parameters": PARAMETERS,
        "seeds": [one["seed"] for one in runs],
        "wall_s": [one["wall_s"] for one in runs],
        "cpu_s": [one["cpu_s"] for one in runs],
        "autapses_share_at_end": [one["autapses"] for one in runs],
        "repeated_pairs_share_at_end": [one["repeated_pairs"] for one in runs],
        "times_s": [every_s * (k + 1) for k in range(round(model_s / every_s))],
        "mean_over_seeds": {name: array.mean(0).tolist() for name, array in of_seeds.items()},
        "sd_over_seeds": {name: a.std(0, ddof=1).tolist() for name, a in of_seeds.items() if len(runs) > 1},
        "by_seed": {name: a.tolist() for name, a in of_seeds.items() if not name.startswith("sd_")},
    }


def written(result: dict[str, Any], path: Path) -> None:
    """JSON with one series per line."""
    lines = []
    for name, value in compact(result).items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(key)}: {json.dumps(of)}" for key, of in value.items())
            lines.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scaling.peers.nest_homeostatic",
        description="Two populations that wire themselves until their calcium is at its set point, in NEST. "
        "400 excitatory and 100 inhibitory neurons under Poisson input start unconnected at 2 Hz. Elements (axonal, "
        "dendritic excitatory, dendritic inhibitory) grow where calcium is below its set point and pair at random "
        "every half second; calcium reaches 0.05 (5 Hz) and 0.1 (10 Hz) after about 30 s and stays near from 40 s.",
        epilog="Needs NEST 3.10 and NumPy alone. A seed takes about 20 s on one core. What NEST does, line by line: "
        "scaling/peers/README.md; proof of it: python -m scaling.peers.nest_semantics.",
    )
    parser.add_argument("--seeds", type=int, default=8, help="seeds 1 to this (default 8)")
    parser.add_argument("--model-s", type=float, default=60.0, help="model seconds of each (default 60)")
    parser.add_argument("--every-s", type=float, default=2.0, help="model seconds between two looks (default 2)")
    parser.add_argument("--to", type=Path, default=RESULT, help="JSON file to write (default scaling/results/)")
    options = parser.parse_args()
    runs = []
    for seed in range(1, options.seeds + 1):
        runs.append(run(seed, options.model_s, options.every_s))
        last = [f"{name} {of[-1]:.4g}" for name, of in runs[-1]["series"].items() if name.startswith(("calc", "in_"))]
        print(f"seed {seed}: {runs[-1]['wall_s']:.1f} s wall;", ", ".join(last), flush=True)
    written(kept(runs, options.model_s, options.every_s), options.to)
    print(options.to)


if __name__ == "__main__":
    main()
