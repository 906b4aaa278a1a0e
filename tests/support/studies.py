"""Studies of scaling that nobody ran: runs whose times follow from costs that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hpcsnn.jobs.studies.results import StudyRun
from hpcsnn.jobs.studies.study import Study, StudyFile
from hpcsnn.planning.cost_model import TERMS
from hpcsnn.planning.costs.waiting import largest_of
from hpcsnn.planning.measured import PHASES
from hpcsnn.planning.network_work import Exchange, NetworkShape, NetworkWork, Pathway, rank_work

# What everything costs in these studies, in s; the rest costs nothing.
COSTS: dict[str, dict[str, float]] = {
    "neurons": {"step": 4e-7, "neuron": 2e-9},
    "delivery": {"step": 1e-7, "delivered": 5e-9},
    "plasticity": {"step": 0.0, "post": 3e-9},
    "rewiring": {"step": 2e-8, "attempt": 4e-8},
    "recording": {"step": 0.0},
    "host": {"step": 1e-7},
    "exchange_accept": {"exchange": 3e-7, "foreign": 6e-9},
}
LATENCY_S, BYTE_S, CHANCE_S = 1.5e-6, 2e-10, 4e-7
PING_BYTES = (64, 1024, 16384, 262144)
RATES_HZ = {"source": 20.0, "target": 10.0}


def a_shape(side: int = 256, reach: float | None = 16.0, exchange: Exchange = "allgather") -> NetworkShape:
    """A map of side x side neurons a layer, with a synapse model that learns."""
    return NetworkShape(
        dt_ms=0.1,
        sizes={"source": side * side, "target": side * side},
        sides={"source": (side, side), "target": (side, side)},
        projections={
            "ff": Pathway(source="source", target="target", in_degree=6.5, plastic=True),
            "lat": Pathway(source="target", target="target", in_degree=6.5, plastic=True),
        },
        attempts=side * side / 256,
        tiles=side * side // 64,
        reach=reach,
        exchange_steps=1,
        exchange=exchange,
    )


def a_rank(rank: int = 0, **changes: Any) -> dict[str, Any]:
    """What ``per_rank`` of a summary says of one rank."""
    return {
        "rank": rank,
        "host": "node1",
        "device": "cpu",
        "neurons": 512,
        "known_sources": 700,
        "synapses": 3328,
        "construction_s": {"place": 0.01, "create": 0.02, "connect": 0.05, "compile": 0.5},
        "propagation_s": 1.0,
        "phases_s": dict.fromkeys(PHASES, 0.1),
        "cycle_us": {"edges": [0.0, 10.0, 20.0], "counts": [900, 100]},
        "sent": {"messages": 1000, "bytes": 64000, "spikes": 1500},
        "exchange_rounds": 1000,
        "memory_bytes": 150_000_000,
        **changes,
    }


def a_run(
    ranks: int,
    shape: NetworkShape,
    *,
    seed: int = 1,
    kind: str = "strong",
    steps: int = 10_000,
    noise: float = 0.0,
    costs: Mapping[str, Mapping[str, float]] = COSTS,
    **changes: Any,
) -> StudyRun:
    """A run whose ranks all have as much work, and take for it what it costs, up to some noise (a part of it)."""
    work = shape.work(RATES_HZ)
    random = np.random.default_rng([seed, ranks])
    seconds = {
        phase: sum(costs[phase][term] * amount for term, amount in _amounts(work, ranks, phase).items())
        for phase in TERMS
    }
    seconds["exchange_transfer"] = message_s(work, ranks)
    seconds["exchange_wait"] = CHANCE_S * largest_of(ranks)
    per_rank = []
    for rank in range(ranks):
        factors = np.exp(noise * random.standard_normal(len(seconds)))
        phases = {
            phase: value * steps * factor for (phase, value), factor in zip(seconds.items(), factors, strict=True)
        }
        own = {"neurons": work.neurons // ranks, "synapses": round(work.synapses / ranks)}
        per_rank.append(a_rank(rank, phases_s=phases, propagation_s=sum(phases.values()), **own))
    pings = [
        {"kind": kind, "ranks": ranks, "bytes": n_bytes, "seconds": _ping_s(kind, ranks, n_bytes)}
        for n_bytes in (PING_BYTES if ranks > 1 else ())
        for kind in ("allgather", "shift")
    ]
    run = {
        "run": f"ranks={ranks},seed={seed}",
        "kind": kind,
        "config": "topomap",
        "ranks": ranks,
        "seed": seed,
        "nodes": 1,
        "steps": steps,
        "dt_ms": shape.dt_ms,
        "model_s": steps * shape.dt_ms * 1e-3,
        "digest": f"{seed:064x}",
        "sides": shape.sides,
        "rates_hz": RATES_HZ,
        "synapses": round(work.synapses),
        "wall_s": 1.1,
        "imbalance": 1.0,
        "machine": {"nodes": [{"host": "node1", "cpu": "CPU", "cores": 64}], "versions": {}, "binding": "none"},
        "work": work,
        "per_rank": per_rank,
        "ping": pings,
    }
    return StudyRun.model_validate({**run, **changes})


def message_s(work: NetworkWork, ranks: int) -> float:
    """An all-gather of the blocks that ranks send in a step, or messages to neighbours, by latency and bytes."""
    if ranks == 1:
        return 0.0
    partners = work.neighbours(ranks)
    latencies = float(np.log2(ranks)) if work.exchange == "allgather" else partners
    return LATENCY_S * latencies + BYTE_S * partners * work.block_bytes(ranks)


def _ping_s(kind: str, ranks: int, n_bytes: int) -> float:
    if kind == "shift":
        return LATENCY_S + BYTE_S * n_bytes
    return LATENCY_S * float(np.log2(ranks)) + BYTE_S * (ranks - 1) * n_bytes


def _amounts(work: NetworkWork, ranks: int, phase: str) -> dict[str, float]:
    of = rank_work(work, ranks, 1 / ranks)
    all_of_them = {"step": 1.0, "neuron": of.neurons, "delivered": of.delivered, "post": of.posts,
                   "attempt": of.attempts, "exchange": of.exchanges, "foreign": of.foreign}  # fmt: skip
    return {term: all_of_them[term] for term in TERMS[phase]}


def a_study(
    folder: Path, ranks: Sequence[int], seeds: Sequence[int] = (1, 2, 3), kind: str = "strong", noise: float = 0.02
) -> tuple[Study, list[StudyRun]]:
    """A study with its ``study.json`` and ``results.jsonl``, and no run directories; of one scale, or a growing one."""
    shapes = dict.fromkeys(ranks, a_shape()) if kind == "strong" else {n: _grown(n) for n in ranks}
    file = StudyFile(
        kind=kind, config="topomap", overrides=[], configuration="0" * 64, duration_ms=1000.0,
        per_rank=None if kind == "strong" else 4096, device="cpu", ranks=list(ranks), seeds=list(seeds), shapes=shapes,
    )  # fmt: skip
    study = Study(folder, file).write()
    runs = [a_run(n, shapes[n], seed=seed, kind=kind, noise=noise) for seed in seeds for n in ranks]
    (folder / "results.jsonl").write_text("".join(run.model_dump_json() + "\n" for run in runs))
    return study, runs


def _grown(ranks: int) -> NetworkShape:
    one = a_shape(64)
    return one.model_copy(
        update={
            "sizes": {name: size * ranks for name, size in one.sizes.items()},
            "sides": {name: (x * ranks, y) for name, (x, y) in one.sides.items()},
            "attempts": one.attempts * ranks,
            "tiles": one.tiles * ranks,
        }
    )
