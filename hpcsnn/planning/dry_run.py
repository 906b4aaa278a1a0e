"""What one rank of any number does, found by doing it: its own part as ever, the spikes of its neighbours made up."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcsnn.checked_numbers import Limits, real_number
from hpcsnn.codegen.schedule import schedule
from hpcsnn.configuration.schema import Configuration
from hpcsnn.devices.base import Device
from hpcsnn.devices.host import HostDevice, HostExecutable
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.timing import propagated
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.planning.measuring import measurable
from hpcsnn.ranks.exchange.made_up import Spikes, mirrored_routes, roomy_boxes, sent_spikes
from hpcsnn.ranks.exchange.made_up_blocks import MadeUpBlocks, Spent
from hpcsnn.ranks.exchange.neighbours import has_neighbours
from hpcsnn.ranks.one_of_many import OneOfMany
from hpcsnn.ranks.partition import Placement, has_bounded_reach, place_network
from hpcsnn.storage.run_directory import RunDirectory

# Ranks that are placed to find the one with the most to do.
_LOOKED_AT = 64
_RATE = Limits("Hz", minimum=0.0, in_kernels=False)


@dataclass(frozen=True)
class DryRun:
    """What a rank did, or would have sent.

    Attributes:
        rank, ranks: which one, of how many.
        steps: that were measured, behind a warm-up.
        cpu_us_per_step: processor time of a step: all but to wait for others and to bring words to them.
        phases_us_per_step: wall time of a step by phase, as in ``summary.json``; nobody is waited for, and what the
            exchange does beside accepting is transfer.
        setup_s: wall seconds until the first step could begin, beside those for kernels (``compile_s``).
        construction_s: the same by part, as in ``summary.json``.
        memory_bytes: largest resident memory of the process.
        neighbours: ranks that it swaps spikes with.
        messages_sent_per_step, bytes_sent_per_step, spikes_sent_per_step: to neighbours; a spike counts for each.
        neurons, known_sources, synapses: that it keeps; sources that others own.
        digest_of_inputs: of all that decides what the rank does.
    """

    rank: int
    ranks: int
    steps: int
    cpu_us_per_step: float
    phases_us_per_step: dict[str, float]
    setup_s: float
    compile_s: float
    construction_s: dict[str, float]
    memory_bytes: int
    neighbours: int
    messages_sent_per_step: float
    bytes_sent_per_step: float
    spikes_sent_per_step: float
    neurons: int
    known_sources: int
    synapses: int
    digest_of_inputs: str


def busiest_rank(network: Network, tile: int, n_ranks: int) -> int:
    """The rank that keeps the most neurons and, among those that are looked at, knows the most of others.

    Of many ranks, those are looked at that are spread evenly along the curve.
    """
    ranks = np.unique(np.linspace(0, n_ranks - 1, min(n_ranks, _LOOKED_AT)).astype(int)).tolist()
    sizes = {}
    for rank in ranks:
        placements = place_network(network, tile, rank, n_ranks).values()
        sizes[rank] = (sum(one.n_own for one in placements), sum(one.n_known for one in placements))
    return max(ranks, key=lambda rank: sizes[rank])


def checked_rank(text: str, n_ranks: int) -> int:
    """A rank's number from what a user wrote.

    Raises:
        ConfigurationError: no number of one of so many ranks.
    """
    if not text.isascii() or not text.isdigit() or int(text) >= n_ranks:
        raise ConfigurationError(f"--rank: {text!r} is not allowed; must be worst or a number from 0 to {n_ranks - 1}")
    return int(text)


def check_dry_run(network: Network, n_ranks: int, told: Collection[str] = ()) -> None:
    """Refuse what a rank cannot do without the others.

    Args:
        network, n_ranks: of the rank.
        told: populations of whose spikes something tells, rates or those of a run.

    Raises:
        ConfigurationError: rules for which ranks meet, a network that learns, or one in which all send to all and not
            all is told.
    """
    if network.learning is not None:
        raise ConfigurationError("dry-run: not allowed for a network that learns; it is for runs")
    meets = {stage.kernel for stage in schedule(network, n_ranks) if stage.meets}
    if meets:
        known = list(network.projections)
        names = sorted({max((name for name in known if kernel.endswith(f"_{name}")), key=len) for kernel in meets})
        raise ConfigurationError(
            f"dry-run: not allowed where ranks meet for rules of rewiring (projections {', '.join(names)}): what one "
            "does there follows from what all others count, have vacant or have lost, and nothing stands in for that; "
            f"run all ranks (hpcsnn scale), or one without rewiring, for all else that it does ("
            f"{' '.join(f'--set projections.{name}.rewiring=null' for name in names)})"
        )

    missing = [name for name in network.populations if name not in told]
    if missing and n_ranks > 1 and not has_neighbours(network):
        unbounded = [name for name, one in network.projections.items() if not has_bounded_reach(one)]
        raise ConfigurationError(
            f"dry-run: no distance bounds what projections {', '.join(unbounded)} can wire, so that all ranks send to "
            f"all: needs to be told how often neurons of {', '.join(missing)} spike; --rates RUN takes it from a run "
            "of this network, of any scale"
        )


def made_up_simulation(
    network: Network,
    rank: int,
    n_ranks: int,
    tile: int,
    device: Device,
    exchange_block: int | None = None,
    replayed: Mapping[str, Spikes] | None = None,
    n_steps: int = 0,
) -> Simulation:
    """A rank of many, ready to run without the others.

    Neighbours' neurons spike when own ones at like places do, or, of populations in ``replayed``, when these say (steps
    from 0, shape (n,), and global ids, shape (n,)), in the first `n_steps`: with the spikes of a real run, the rank's
    state is what it was there, to the bit. Where no distance bounds the wiring, all ranks send to all: then
    ``replayed`` must have all populations.

    Raises:
        ConfigurationError: as `check_dry_run`, and as `Simulation`.
    """
    replayed = replayed or {}
    check_dry_run(network, n_ranks, replayed)
    bounded = has_neighbours(network)
    way = "neighbours" if bounded else "allgather"
    alone = OneOfMany(rank, n_ranks)
    simulation = Simulation(network, alone, device, tile, exchange_block, exchange=way)
    state, plan = simulation.state, simulation.state.exchange
    if plan is None:  # one rank of one
        return simulation
    if not bounded:
        alone.in_place_of_mpi = blocks = MadeUpBlocks(state.placements, plan, rank, n_ranks, replayed, n_steps)
        blocks.bind(state.struct.exchange)
        return simulation
    boxes = roomy_boxes(plan)
    words = state.device.upload(boxes.pop("boxes"))
    state.bind(state.struct.exchange, "exchange", "boxes", words)
    places = {"box_address": state.device.address(words) + words.itemsize * boxes.pop("start")}
    tables = boxes | places | {"box_twin": np.zeros_like(places["box_address"])}
    tables |= mirrored_routes(state.placements, plan, set(network.populations) - set(replayed))
    tables |= sent_spikes(network, state.placements, plan, replayed, n_steps)
    for name, values in tables.items():
        state.bind(state.struct.exchange, "exchange", name, state.device.upload(values))
    state.struct.exchange.made_up_steps = n_steps
    return simulation


def rates_of(run: Path, network: Network) -> dict[str, float]:
    """Mean rates in Hz of the network's populations in a run, from its summary: of those whose spikes nothing else
    tells, which are neurons, and where all ranks send to all sources, too.

    Raises:
        ConfigurationError: no summary of such a run, or one that lacks a population.
        StorageError: a damaged summary.
    """
    populations = RunDirectory(run).read_summary().get("populations", {})
    bounded = has_neighbours(network)
    wanted = [name for name, one in network.populations.items() if not (bounded and one.is_source)]
    missing = [name for name in wanted if name not in populations]
    if missing:
        raise ConfigurationError(
            f"--rates: {str(run)!r} is not allowed; its summary has no population {missing[0]!r}: must be a run of "
            "this network, of any scale"
        )
    return {
        name: real_number(f"{run}: populations.{name}.rate_hz", populations[name].get("rate_hz"), _RATE)
        for name in wanted
    }


def poisson_spikes(
    network: Network, placements: Mapping[str, Placement], rank: int, rates_hz: Mapping[str, float], n_steps: int
) -> dict[str, Spikes]:
    """Spikes at some rates of the neurons of others, as `made_up_simulation` takes them: of those that the rank knows,
    and where all ranks send to all of the rest too.

    Each neuron spikes in each step with the same chance, whatever the others do; seed and rank decide.
    """
    random, bounded = np.random.default_rng([network.seed, rank]), has_neighbours(network)
    spikes = {}
    for name, rate_hz in rates_hz.items():
        own, known = np.split(placements[name].known_id, [placements[name].n_own])
        theirs = known if bounded else np.delete(np.arange(network.populations[name].size), own)
        places = len(theirs) * n_steps
        n = int(random.binomial(places, min(rate_hz * network.dt_ms * 1e-3, 1.0))) if places else 0
        drawn = random.choice(places, n, replace=False, shuffle=False) if places else np.empty(0, np.int64)
        spikes[name] = (drawn // max(len(theirs), 1), theirs[drawn % max(len(theirs), 1)])
    return spikes


def dry_run(
    configuration: Configuration,
    rank: int,
    n_ranks: int,
    warm_up_ms: float,
    duration_ms: float,
    rates_hz: Mapping[str, float] | None = None,
) -> DryRun:
    """Run one rank of `n_ranks` on this processor, and say what it took; as measured runs, it records nothing.

    Args:
        configuration: of the run.
        rank, n_ranks: which one, of how many.
        warm_up_ms, duration_ms: model time in front of what is measured, and of that.
        rates_hz: at which neighbours' neurons of a population spike, each for itself; those of other populations, and
            of all if there is none, do as own ones at like places.

    Raises:
        ConfigurationError: as `made_up_simulation`, a time that is no whole number of steps, or ``exchange: allgather``
            where distance bounds all wiring.
    """
    configuration = measurable(configuration)
    network, tile = configuration.network(), configuration.tile
    if configuration.exchange == "allgather" and has_neighbours(network):
        raise ConfigurationError(
            "exchange: 'allgather' is not allowed in a dry run of a network in which distance bounds all wiring; must "
            "be 'auto' or 'neighbours'"
        )
    n_steps = network.steps(warm_up_ms) + network.steps(duration_ms)
    replayed = {}
    if rates_hz:
        replayed = poisson_spikes(network, place_network(network, tile, rank, n_ranks), rank, rates_hz, n_steps)
    start = time.perf_counter()
    simulation = made_up_simulation(
        network, rank, n_ranks, tile, HostDevice(), configuration.exchange_block, replayed, n_steps
    )
    setup_s = time.perf_counter() - start
    simulation.run(warm_up_ms, progress=False)
    assert isinstance(simulation.executable, HostExecutable)
    simulation.executable.measure_anew()
    made_up = simulation.communicator.in_place_of_mpi if isinstance(simulation.communicator, OneOfMany) else None
    no_ones = made_up.spent if made_up is not None else Spent()
    before, cpu_s = simulation.measured(), time.process_time()
    simulation.run(duration_ms, progress=False)
    cpu_s, after = time.process_time() - cpu_s, simulation.measured()
    steps = network.steps(duration_ms)
    phases_s = propagated(after["phases_s"], after["propagation_s"] - before["propagation_s"])["phases_s"]
    phases_s["exchange_transfer"] += phases_s.pop("exchange_wait")  # nobody is waited for
    plan = simulation.state.exchange
    around = None if plan is None else plan.neighbours
    if made_up is not None:  # making blocks up is nobody's work
        cpu_s -= made_up.spent.cpu_s - no_ones.cpu_s
        making_s = made_up.spent.wall_s - no_ones.wall_s
        phases_s["exchange_transfer"] = max(phases_s["exchange_transfer"] - making_s, 0.0)

    def sent(what: str) -> float:
        return float(after["sent"][what] - before["sent"][what]) / steps

    inputs = {"configuration": configuration.resolved(), "ranks": n_ranks, "rank": rank}
    inputs |= {"warm_up_ms": warm_up_ms, "rates_hz": dict(rates_hz or {})}
    return DryRun(
        rank=rank,
        ranks=n_ranks,
        steps=steps,
        cpu_us_per_step=cpu_s / steps * 1e6,
        phases_us_per_step={phase: 1e6 * seconds / steps for phase, seconds in phases_s.items()},
        setup_s=setup_s - after["construction_s"]["compile"],
        compile_s=after["construction_s"]["compile"],
        construction_s=after["construction_s"],
        memory_bytes=after["memory_bytes"],
        neighbours=n_ranks - 1 if around is None else len(around.ranks),
        messages_sent_per_step=sent("messages"),
        bytes_sent_per_step=sent("bytes"),
        spikes_sent_per_step=sent("spikes"),
        neurons=after["neurons"],
        known_sources=after["known_sources"],
        synapses=after["synapses"],
        digest_of_inputs=hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest(),
    )
