"""NEST's structural update written once more in NumPy, and the check that both do the same: of ``nest_semantics``."""

from __future__ import annotations

import numpy as np

from scaling.peers.nest_probes import fresh, got, put, still, update

TRIALS = 400
TAU_VACANT = 0.1


class Elements:
    """One side's elements, an entry per neuron: z (float64) and bound (int64)."""

    def __init__(self, z: np.ndarray) -> None:
        self.z = np.array(z, float)
        self.bound = np.zeros(len(self.z), np.int64)

    def vacant(self) -> np.ndarray:
        """(neurons,) int64: whole elements without a synapse, below 0 where synapses are to go."""
        return np.floor(self.z).astype(np.int64) - self.bound

    def lose(self, neuron: int, lifts: bool) -> None:
        """One synapse less; `lifts` False leaves z alone, which NEST does not."""
        self.bound[neuron] -= 1
        if lifts and self.bound[neuron] > np.floor(self.z[neuron]):
            self.z[neuron] = self.bound[neuron] + self.z[neuron] % 1


def updated(
    axons: Elements, dens: Elements, synapses: list[tuple[int, int]], random: np.random.Generator, lifts: bool = True
) -> list[tuple[int, int]]:
    """The (axon, den) neurons of the synapses after one update; elements change in place. README.md, (c)."""
    left = list(synapses)
    spared = np.floor(dens.z) == 0
    for side, mine in ((0, axons), (1, dens)):
        vacant = mine.vacant()
        for neuron in np.flatnonzero(vacant < 0):
            choice = [k for k, pair in enumerate(left) if pair[side] == neuron and (side == 1 or not spared[pair[1]])]
            lost = random.permutation(choice)[: -vacant[neuron]].astype(int)
            for k in lost:
                axons.lose(left[k][0], lifts)
                dens.lose(left[k][1], lifts)
            left = [pair for k, pair in enumerate(left) if k not in set(lost.tolist())]
    free = [np.repeat(np.arange(len(mine.z)), np.maximum(mine.vacant(), 0)) for mine in (axons, dens)]
    n = min(len(free[0]), len(free[1]))
    for axon, den in zip(random.permutation(free[0])[:n], random.permutation(free[1])[:n], strict=True):
        left.append((int(axon), int(den)))
        axons.bound[axon] += 1
        dens.bound[den] += 1
    for mine in (axons, dens):
        mine.z -= TAU_VACANT * np.maximum(mine.vacant(), 0)
    return left


def c_whole_updates_do_what_the_reference_does() -> str:
    """Three updates from nothing, z set anew before each, many times in both: equal means of z and bound everywhere."""
    n = 10
    states = [np.random.default_rng(7).uniform(low, high, (2, n)) for low, high in ((3, 9), (0, 9), (0, 9))]
    states[2] = np.random.default_rng(8).uniform(0, 6, (2, n))
    in_nest = np.array([of_nest(seed, states) for seed in range(1, TRIALS + 1)])
    random = np.random.default_rng(1)
    deviations = {}
    for lifts in (True, False):
        here = np.array([of_reference(random, states, lifts) for _ in range(TRIALS)])
        error = np.sqrt((in_nest.var(0) + here.var(0)) / TRIALS) + 1e-9
        deviations[lifts] = float(np.abs((in_nest.mean(0) - here.mean(0)) / error).max())
    assert deviations[True] < 4.5 and deviations[False] > 10, deviations
    apart = f"{deviations[True]:.1f} standard errors apart at most"
    return f"{in_nest[0].size} means of z and bound over {TRIALS} runs: {apart}; far more if z were not lifted"


def of_nest(seed: int, states: list[np.ndarray]) -> np.ndarray:
    """(updates, 4, neurons): z and bound of axons and dens after each update."""
    fresh(seed)
    sides = [still(name, states[0][side], TAU_VACANT) for side, name in enumerate(("Axon_ex", "Den_ex"))]
    seen = []
    for state in states:
        for side, name in enumerate(("Axon_ex", "Den_ex")):
            put(sides[side], name, state[side])
        update()
        names = ("Axon_ex", sides[0]), ("Den_ex", sides[1])
        seen.append([got(side, name, what) for name, side in names for what in ("z", "z_connected")])
    return np.array(seen)


def of_reference(random: np.random.Generator, states: list[np.ndarray], lifts: bool) -> np.ndarray:
    """The same from `updated`."""
    axons, dens = Elements(states[0][0]), Elements(states[0][1])
    synapses: list[tuple[int, int]] = []
    seen = []
    for state in states:
        axons.z, dens.z = state[0].copy(), state[1].copy()
        synapses = updated(axons, dens, synapses, random, lifts)
        seen.append([axons.z.copy(), axons.bound.copy(), dens.z.copy(), dens.bound.copy()])
    return np.array(seen)
