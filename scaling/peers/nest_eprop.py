"""E-prop in NEST on a network and samples from a file, which `scaling.training` writes.

``python -m scaling.peers.nest_eprop FILE --model eprop_iaf_bsshslm_2020`` prints JSON: CPU and wall seconds a sample of
``Simulate`` alone, on one thread; with ``--gradient FILE`` it writes the gradient of the first sample
instead. Needs NEST 3.10 and NumPy alone; what differs from hpcsnn: `scaling/peers/README.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import nest
import numpy as np

# hpcsnn's constants: `lif_subtractive`, `leaky_readout`, `EProp` and `Adam`.
TAU_MS, V_THRESHOLD, REFRACTORY_MS, DAMPENING = 20.0, 0.61, 5.0, 0.3
LEARNING_RATE = 1e-7  # so slow that it stays the network that hpcsnn trains
KAPPA = float(np.exp(-1.0 / TAU_MS))
OFFSET = 2  # steps from a spike of the generator to the hidden neurons' first
PROJECTIONS = {
    "input_hidden": ("input", "hidden"),
    "recurrent": ("hidden", "hidden"),
    "hidden_output": ("hidden", "output"),
}
PUBLISHED = "eprop_iaf_bsshslm_2020"


def build(file: Any, model: str, batch: int) -> dict[str, Any]:
    """The network of a file, its populations by name; 0 for `batch` is plain descent, a sample at a time."""
    n_steps, n_inputs = float(file["n_steps"]), int(file["n_channels"])
    of_2020 = model == PUBLISHED
    suffix = "_bsshslm_2020" if of_2020 else ""
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
    if of_2020:
        nest.set(eprop_update_interval=n_steps, eprop_learning_window=n_steps, eprop_reset_neurons_on_update=True)
    common = {"C_m": 1.0, "E_L": 0.0, "V_m": 0.0, "tau_m": TAU_MS}
    hidden = {
        **common,
        "V_th": V_THRESHOLD,
        "t_ref": REFRACTORY_MS,
        "surrogate_gradient_height": DAMPENING / V_THRESHOLD,
        "surrogate_gradient_width": V_THRESHOLD,
    }
    readout: dict[str, Any] = {**common, "loss": "cross_entropy"} if of_2020 else dict(common)
    if not of_2020:
        hidden |= {"eprop_isi_trace_cutoff": 100, "kappa": KAPPA}
        readout |= {"eprop_isi_trace_cutoff": 100}
    else:
        readout["regular_spike_arrival"] = False
    populations = {
        "generator": nest.Create("spike_generator", n_inputs),
        "input": nest.Create("parrot_neuron", n_inputs),
        "hidden": nest.Create(model, int(file["n_hidden"]), hidden),
        "output": nest.Create(f"eprop_readout{suffix}", int(file["n_classes"]), readout),
        "target": nest.Create("step_rate_generator", int(file["n_classes"])),
    }
    plastic = f"eprop_synapse{suffix}"
    optimiser: dict[str, Any] = {"type": "gradient_descent", "eta": LEARNING_RATE, "batch_size": 1}
    if not of_2020:
        nest.SetDefaults(plastic, {"optimizer": {**optimiser, "optimize_each_step": False}})
    else:
        optimiser |= {"type": "adam", "batch_size": batch} if batch else {}
        nest.SetDefaults(plastic, {"optimizer": optimiser, "tau_m_readout": TAU_MS})
    nest.Connect(populations["generator"], populations["input"], "one_to_one")
    for name, (source, target) in PROJECTIONS.items():
        sources, targets = (np.array(populations[end].tolist()) for end in (source, target))
        pre, post, weight = (file[f"{name}_{column}"] for column in ("pre", "post", "weight"))
        # The readout of 2020 takes in 1 - kappa of its input.
        scaled = np.asarray(weight, float) / ((1.0 - KAPPA) if of_2020 and target == "output" else 1.0)
        synapse = {"synapse_model": plastic, "weight": scaled, "delay": np.ones(len(scaled))}
        nest.Connect(sources[pre], targets[post], "one_to_one", synapse)
        if target == "output":  # errors come back by the weights that the readout starts with
            back = {**synapse, "synapse_model": f"eprop_learning_signal_connection{suffix}"}
            nest.Connect(targets[post], sources[pre], "one_to_one", back)
    rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
    nest.Connect(populations["target"], populations["output"], "one_to_one", {**rate, "receptor_type": 2})
    if of_2020:
        every_other = {"rule": "all_to_all", "allow_autapses": False}
        nest.Connect(populations["output"], populations["output"], every_other, {**rate, "receptor_type": 1})
    else:
        always = nest.Create("step_rate_generator", params={"amplitude_times": [1.0], "amplitude_values": [1.0]})
        nest.Connect(always, populations["output"], "all_to_all", {**rate, "receptor_type": 1})
    return populations


def play(populations: dict[str, Any], file: Any) -> None:
    """All samples of the file, one after the other, in generators."""
    n_steps = int(file["n_steps"])
    sample = np.repeat(np.arange(len(file["labels"])), np.diff(file["first_event"]))
    times = sample * n_steps + file["event_steps"] + 1.0
    channels = file["event_channels"]
    order = np.lexsort((times, channels))
    ends = np.searchsorted(channels[order], np.arange(int(file["n_channels"]) + 1))
    populations["generator"].set([{"spike_times": times[order[a:b]]} for a, b in pairwise(ends)])
    starts = np.arange(len(file["labels"])) * n_steps + 4.0
    populations["target"].set(
        [
            {"amplitude_times": starts, "amplitude_values": np.where(file["labels"] == k, 1.0, 0.0)}
            for k in range(int(file["n_classes"]))
        ]
    )


def measure(path: Path, model: str, batch: int) -> dict[str, Any]:
    """Seconds a sample of all but the first two samples of the file, and the rate of the hidden neurons."""
    with np.load(path) as file:
        populations = build(file, model, batch)
        play(populations, file)
        n_steps, n = int(file["n_steps"]), len(file["labels"])
    nest.Simulate(2.0 * n_steps + OFFSET)
    recorder = nest.Create("spike_recorder")
    nest.Connect(populations["hidden"], recorder)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    nest.Simulate((n - 2.0) * n_steps)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    seconds = (n - 2) * n_steps * 1e-3
    return {
        "cpu_s": cpu_s / (n - 2),
        "wall_s": wall_s / (n - 2),
        "hidden_hz": recorder.n_events / len(populations["hidden"]) / seconds,
        "synapses": nest.num_connections,
        "version": nest.__version__,
    }


def gradient(path: Path, to: Path) -> None:
    """Write, by projection, ``pre``, ``post`` and the gradient of the first sample's loss, of synapses that know it.

    A synapse learns of it with its source's first spike in the second sample; 0 is written where there was none.
    """
    with np.load(path) as file:
        populations = build(file, PUBLISHED, 0)
        play(populations, file)
        n_steps = int(file["n_steps"])

    def weights(source: str, target: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ends = populations[source], populations[target]
        found = nest.GetConnections(*ends, synapse_model="eprop_synapse_bsshslm_2020").get()
        pre, post = (np.array(found[end]) - of[0].global_id for end, of in zip(("source", "target"), ends, strict=True))
        return pre, post, np.array(found["weight"])

    before = {name: weights(*ends) for name, ends in PROJECTIONS.items()}
    nest.Simulate(2.0 * n_steps)
    columns: dict[str, np.ndarray] = {}
    for name, ends in PROJECTIONS.items():
        pre, post, weight = weights(*ends)
        scale = (1.0 - KAPPA) if ends[1] == "output" else 1.0
        found = (before[name][2] - weight) / LEARNING_RATE / scale
        columns |= {f"{name}_pre": pre, f"{name}_post": post, f"{name}_gradient": found}
    np.savez(to, **columns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", choices=[PUBLISHED, "eprop_iaf"], default=PUBLISHED)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--gradient", type=Path, metavar="FILE")
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    if options.gradient is not None:
        gradient(options.file, options.gradient)
    else:
        print(json.dumps(measure(options.file, options.model, options.batch)))
