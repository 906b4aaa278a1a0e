"""The whole simulator once more, slow and plain: NumPy arrays of neurons, a dictionary of synapses, lists of spikes.

It shares the description of a network with the product and nothing else: no kernels, tables, rows, rings, ranks or
tiles. What it does in a step is the reference's order of operations; what it draws, and with which counters, is the
product's documented convention. Every number is float32, every operation in the documented order, so that agreement
is to the bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom

from hpcsnn import Network
from hpcsnn.models import Normal, Uniform
from support.draws import (
    ATTEMPTS,
    CONNECT,
    INITIAL,
    MASK,
    PURPOSES,
    SPIKES,
    F,
    gaussian_threshold,
    philox,
    sampled,
    threshold,
    two_choices,
    waiting,
)
from support.places import folded, moved, spans, squared_apart
from support.spike_traces import Trace

NEVER = 2**31 - 1


class Oracle:
    """A network, step by step."""

    def __init__(self, network: Network) -> None:
        self.network, self.step, self.seed, self.dt = network, 0, network.seed, network.dt_ms
        self.state: dict[str, dict[str, np.ndarray]] = {}
        self.parameters: dict[str, dict[str, np.ndarray]] = {}
        self.emitted: dict[str, list[list[int]]] = {name: [] for name in network.populations}
        self.next_spike: dict[str, np.ndarray] = {}
        self.weights: dict[str, dict[tuple[int, int], F]] = {}
        self.receptor: dict[str, np.ndarray] = {}
        self.input: dict[str, dict[int, list[int]]] = {}  # by the step in which it arrives
        self.pre: dict[str, Trace] = {}
        self.post: dict[str, Trace] = {}
        for index, population in enumerate(network.populations.values()):
            self.state[population.name] = self._initial(index, population)
            if not population.is_source:
                n_state, values = len(population.model.model.state), population.model.values
                self.parameters[population.name] = {
                    name: self._of_neurons(index, population, n_state + place, values[name])
                    for place, name in enumerate(population.model.model.parameters)
                }
            self.next_spike[population.name] = np.full(population.size, NEVER)
        for index, projection in enumerate(network.projections.values()):
            name = projection.name
            self.weights[name] = {}
            for post in range(projection.target.size):
                for pre, weight in self._sources(index, projection, post):
                    assert (pre, post) not in self.weights[name]
                    self.weights[name][pre, post] = F(weight)
            self.receptor[name] = np.zeros(projection.target.size, F)
            self.input[name] = {}
            if projection.synapse.model.name == "additive_stdp":
                values = projection.synapse.values
                self.pre[name] = Trace(projection.source.size, self.dt, values["tau_plus_ms"])
                self.post[name] = Trace(projection.target.size, self.dt, values["tau_minus_ms"])

    # -- the start -----------------------------------------------------------------------------------------------------

    def _initial(self, index: int, population: Any) -> dict[str, np.ndarray]:
        state = {}
        for draw, variable in enumerate(population.model.model.state):
            value = population.initial.get(variable.name, variable.initial)
            dtype = np.int32 if variable.ctype == "int" else F
            state[variable.name] = self._of_neurons(index, population, draw, value).astype(dtype)
        return state

    def _of_neurons(self, index: int, population: Any, draw: int, value: Any) -> np.ndarray:
        """A number, a list or a distribution as one float64 a neuron."""
        if isinstance(value, (Normal, Uniform)):
            words = [philox(i, 0, index * PURPOSES + INITIAL, draw, self.seed)[0] for i in range(population.size)]
            if isinstance(value, Normal):
                drawn = value.mean + value.std * ndtri((np.array(words, dtype=float) + 0.5) / 2.0**32)
                low = -np.inf if value.low is None else value.low
                return np.minimum(np.maximum(drawn, low), np.inf if value.high is None else value.high)
            value = value.low + (value.high - value.low) * (np.array(words, dtype=float) / 2.0**32)
        return np.array(np.broadcast_to(np.asarray(value, float), population.size))

    def _sources(self, index: int, projection: Any, post: int) -> list[tuple[int, float]]:
        kind, values = projection.connector.model.name, projection.connector.values
        n, grid = projection.source.size, projection.source.grid
        weight = projection.weight

        def words() -> Any:
            for block in range(2**30):
                yield from philox(post, 0, index * PURPOSES + CONNECT, block, self.seed)

        random = words()
        if kind == "one_to_one":
            return [(post, weight)] if post < n else []
        if kind == "all_to_all":
            return [(pre, weight) for pre in range(n)]
        if kind == "explicit_list":
            listed = zip(values["pre"], values["post"], values["weight"], strict=True)
            return [(a, w) for a, b, w in listed if b == post]
        if kind == "fixed_probability":
            found, pre, p = [], -1, min(values["p"], 1 - 2**-32)
            while pre < n:
                steps = waiting(p, 256, next(random))
                pre += min(steps, 256)
                if steps <= 256 and pre < n:
                    found.append((pre, weight))
            return found
        if kind == "fixed_in_degree":
            others = [pre for pre in range(n) if values["self_connections"] or pre != post]
            return [(pre, weight) for pre in sampled(others, values["in_degree"], random)]
        assert kind == "gaussian"
        # Displacements in order of distance, then dy, then dx: the documented order of the draws.
        across, along = spans(grid)
        ordered = sorted((dx * dx + dy * dy, dy, dx) for dx in across for dy in along)
        within = [place for place in ordered if place[0] <= self.reach_squared(values)]
        chosen = [(dx, dy) for d2, dy, dx in within if next(random) < gaussian_threshold(values, d2)]
        sources = [moved(grid, post, dx, dy) for dx, dy in chosen]
        return [(pre, weight) for pre in sources if pre is not None]

    def delay_steps(self, index: int, projection: Any, pre: int, post: int) -> int:
        """The delay of a synapse: one number for all, or the distribution's whole steps, inverted for the pair."""
        spread = projection.delay_ms
        if not isinstance(spread, (Normal, Uniform)):
            return round(spread / self.dt)
        high, low, *_ = philox(post, 1 + pre, index * PURPOSES + CONNECT, 0, self.seed)
        steps = round(spread.low / self.dt)
        while steps < round(spread.high / self.dt) and (high << 32 | low) >= self._at_most(spread, steps) * 2**64:
            steps += 1
        return steps

    def dendritic_steps(self, projection: Any) -> int:
        return round(projection.dendritic_delay_ms / self.dt)

    def _at_most(self, spread: Normal | Uniform, steps: int) -> float:
        """The chance of what rounds to at most so many steps."""
        middle = (steps + 0.5) * self.dt
        if isinstance(spread, Normal):
            return 0.5 * math.erfc((spread.mean - middle) / (spread.std * math.sqrt(2)))
        return (middle - spread.low) / (spread.high - spread.low)

    @staticmethod
    def reach_squared(values: Any) -> int:
        """The largest squared distance at which the chance is at least 2^-32; -1 if it nowhere is."""
        if values["p_max"] < 2.0**-32:
            return -1
        return math.floor(2 * values["sigma"] ** 2 * math.log(values["p_max"] * 2.0**32))

    # -- a step --------------------------------------------------------------------------------------------------------

    def run(self, n_steps: int) -> None:
        for _ in range(n_steps):
            self.step_once()

    def step_once(self) -> None:
        populations, projections = self.network.populations, self.network.projections
        for index, population in enumerate(populations.values()):
            if population.is_source:
                self._window(index, population)
        for index, projection in enumerate(projections.values()):
            self._deliver(index, projection)
        for projection in projections.values():
            self._potentiate(projection)
        for name in populations:
            self.emitted[name].append([])
        for population in populations.values():
            if not population.is_source:
                self._update(population)
        for index, population in enumerate(populations.values()):
            if population.is_source:
                self._source_spikes(index, population)
        for projection in projections.values():
            if projection.name in self.post:  # a spike comes back to the synapse after the dendritic delay
                for post in self._spiked(projection.target.name, self.step - self.dendritic_steps(projection)):
                    self.post[projection.name].spike(post, self.step)
        for index, projection in enumerate(projections.values()):
            if projection.rewiring is not None:
                self._rewire(index, projection)
        self.step += 1

    def _spiked(self, population: str, step: int) -> list[int]:
        return self.emitted[population][step] if 0 <= step < len(self.emitted[population]) else []

    def _deliver(self, index: int, projection: Any) -> None:
        name, weights = projection.name, self.weights[projection.name]
        scale, seen = F(projection.input_scale()[1]), self.step - 1
        for pre in self._spiked(projection.source.name, self.step - projection.delay_steps):
            for post in range(projection.target.size):
                if (pre, post) not in weights:
                    continue
                scaled = weights[pre, post] * scale
                arrival = self.step - projection.delay_steps + self.delay_steps(index, projection, pre, post)
                arrival += self.dendritic_steps(projection)
                amounts = self.input[name].setdefault(arrival, [0] * projection.target.size)
                amounts[post] += int(math.copysign(math.floor(abs(float(scaled)) + 0.5), scaled))
                if name in self.post:
                    a_minus = F(projection.synapse.values["a_minus"])
                    earlier = self.post[name].before(post, seen, projection.synapse.values["drop_older_pairs"])
                    weights[pre, post] = max(weights[pre, post] - a_minus * earlier, F(0))
            if name in self.pre:
                self.pre[name].spike(pre, seen)

    def _potentiate(self, projection: Any) -> None:
        name, weights, seen = projection.name, self.weights[projection.name], self.step - 1
        if name not in self.pre:
            return
        a_plus, w_max = F(projection.synapse.values["a_plus"]), F(projection.synapse.values["w_max"])
        for post in self._spiked(projection.target.name, seen - self.dendritic_steps(projection)):
            for pre, its_post in list(weights):
                if its_post == post:
                    earlier = self.pre[name].before(pre, seen, projection.synapse.values["drop_older_pairs"])
                    weights[pre, post] = min(weights[pre, post] + a_plus * earlier, w_max)

    def _update(self, population: Any) -> None:
        state, drawn = self.state[population.name], self.parameters[population.name]
        values = {name: parameter.astype(F) for name, parameter in drawn.items()}
        v = state["V_mV"]
        current = np.zeros(population.size, F)
        for projection in self.network.incoming(population):
            name, receptor = projection.name, projection.receptor
            decay = F(math.exp(-self.dt / receptor.values["tau_ms"]))
            totals = self.input[name].pop(self.step, [0] * population.size)
            arrived = np.array([F(total) for total in totals], F) * F(1.0 / projection.input_scale()[1])
            level = self.receptor[name] + arrived
            if receptor.model.name == "exponential_conductance":
                current = current + level * (F(receptor.values["reversal_mV"]) - v)
            else:
                tau_ms = receptor.values["tau_ms"]
                current = current + level * F(-math.expm1(-self.dt / tau_ms) * tau_ms / self.dt)
            level = level * decay
            self.receptor[name] = np.where(np.abs(level) < F(1e-30), F(0), level)
        frozen = state["frozen_steps"] > 0
        towards = (current + values["offset_current"]) * values["resistance"] + values["V_rest_mV"]
        decay = np.array([math.exp(-self.dt / tau_ms) for tau_ms in drawn["tau_m_ms"]], F)
        moved = towards - decay * (towards - v)
        v = np.where(frozen, v, moved)
        waits = np.where(frozen, state["frozen_steps"] - 1, 0)
        fires = ~frozen & (v >= values["V_threshold_mV"])
        period = [round(span / self.dt) for span in drawn["refractory_ms"]]
        state["V_mV"] = np.where(fires, values["V_reset_mV"], v)
        state["frozen_steps"] = np.where(fires, period, waits).astype(np.int32)
        for neuron in np.flatnonzero(fires).tolist():
            self.emitted[population.name][-1].append(neuron)

    # -- sources -------------------------------------------------------------------------------------------------------

    def _window_steps(self, population: Any) -> int:
        kind, values = population.model.model.name, population.model.values
        return {"poisson": 200, "spike_array": 2**31 - 1}.get(kind) or round(values["dwell_ms"] / self.dt)

    def _chance(self, population: Any, neuron: int) -> float:
        values = population.model.values
        if population.model.model.name == "poisson":
            return values["rate_hz"] * self.dt * 1e-3
        squared = int(self.state[population.name]["rate_class"][neuron])
        rate = values["base_hz"] + values["peak_hz"] * np.exp(-squared / (2 * values["sigma"] ** 2))
        return float(rate) * self.dt * 1e-3

    def _window(self, index: int, population: Any) -> None:
        kind, values, step = population.model.model.name, population.model.values, self.step
        length = self._window_steps(population)
        if step % length:
            return
        stream, name = index * PURPOSES + SPIKES, population.name
        if kind == "spike_array":
            for neuron, time in zip(values["neurons"], values["times_ms"], strict=True):
                self.next_spike[name][neuron] = min(self.next_spike[name][neuron], round(time / self.dt))
            return
        if kind == "moving_gaussian_poisson":
            place = philox(MASK, step, stream, 2, self.seed)
            side, nx = values["field_side"], population.grid.nx
            at_x, at_y = ((word * values["positions"]) >> 32 for word in place[:2])
            for neuron in range(population.size):
                dx, dy = folded(neuron % nx % side - at_x, side), folded(neuron // nx % side - at_y, side)
                self.state[name]["rate_class"][neuron] = dx * dx + dy * dy
        for neuron in range(population.size):
            steps = waiting(self._chance(population, neuron), length, philox(neuron, step, stream, 1, self.seed)[0])
            silent = steps > length or (kind == "moving_gaussian_poisson" and step == 0)
            self.next_spike[name][neuron] = NEVER if silent else step + steps - 1

    def _source_spikes(self, index: int, population: Any) -> None:
        name, step = population.name, self.step
        length = self._window_steps(population)
        for neuron in np.flatnonzero(self.next_spike[name] == step).tolist():
            self.emitted[name][-1].append(neuron)
            if population.model.model.name == "spike_array":
                values = population.model.values
                listed = zip(values["neurons"], values["times_ms"], strict=True)
                mine = sorted(round(time / self.dt) for its, time in listed if its == neuron)
                later = [its_step for its_step in mine if its_step > step]
                self.next_spike[name][neuron] = later[0] if later else NEVER
                self.state[name]["n_past"][neuron] = len(mine) - len(later)
                continue
            left = (step // length + 1) * length - 1 - step
            random = philox(neuron, step, index * PURPOSES + SPIKES, 0, self.seed)[0]
            steps = waiting(self._chance(population, neuron), left, random)
            self.next_spike[name][neuron] = NEVER if steps > left else step + steps

    # -- rewiring ------------------------------------------------------------------------------------------------------

    @staticmethod
    def within_reach(projection: Any) -> list[tuple[int, int, int]]:
        """Displacements (length squared, dy, dx) within reach of wiring and rule; none if at least half of all are."""
        if projection.connector.model.name != "gaussian":  # others may wire anything
            return []
        reach = max(Oracle.reach_squared(part.values) for part in (projection.connector, projection.rewiring))
        across, along = spans(projection.source.grid)
        places = sorted((dx * dx + dy * dy, dy, dx) for dx in across for dy in along)
        inside = [place for place in places if place[0] <= reach]
        return inside if 2 * len(inside) < projection.source.size else []

    def _rewire(self, index: int, projection: Any) -> None:
        values, now, weights = projection.rewiring.values, self.step + 1, self.weights[projection.name]
        if now % round(values["every_ms"] / self.dt):
            return
        nx, ny, side = projection.target.grid.nx, projection.target.grid.ny, values["block_side"]
        tried, stream = set(), index * PURPOSES + ATTEMPTS
        within = self.within_reach(projection)
        for block in range((nx // side) * (ny // side)):
            corner_y, corner_x = divmod(block, nx // side)
            count = values["attempts"]
            if within:  # few slots are: their number first, then they alone
                chances = binom.cdf(np.arange(count), count, len(within) / projection.source.size)
                word = philox(block, now, stream | 10 << 24, 0, self.seed)[0]
                count = sum(word >= round(chance * 2.0**32) for chance in chances)
            for attempt in range(count):
                entity = block * values["attempts"] + attempt
                random = philox(entity, now, stream, 0, self.seed)
                x, y = two_choices(random[0], side, side)
                x, y = corner_x * side + x, corner_y * side + y
                source_x, source_y = two_choices(random[1], nx, ny)
                pre, post = source_y * nx + source_x, y * nx + x
                if within:
                    _, dy, dx = within[random[1] * len(within) >> 32]
                    pre = moved(projection.source.grid, post, dx, dy)
                pair = pre, post
                if pre is None or pair in tried:
                    continue
                tried.add(pair)
                if pair in weights:
                    weak = weights[pair] < F(values["weak_below"])
                    if random[2] < threshold(values["p_eliminate_weak" if weak else "p_eliminate"]):
                        del weights[pair]
                else:
                    squared = squared_apart(projection.source.grid, pre, post)
                    if random[2] < gaussian_threshold(values, squared):
                        weights[pair] = F(projection.weight)

    # -- as the product shows it ---------------------------------------------------------------------------------------

    def neurons(self, population: str) -> dict[str, np.ndarray]:
        columns = {"id": np.arange(self.network.populations[population].size), **self.state[population]}
        for projection in self.network.incoming(self.network.populations[population]):
            (variable,) = projection.receptor.model.state
            columns[f"{projection.name}.{variable.name}"] = self.receptor[projection.name]
        return columns

    def synapses(self, projection: str) -> dict[str, np.ndarray]:
        ordered = sorted((post, pre, weight) for (pre, post), weight in self.weights[projection].items())
        post, pre, weight = (np.array(column) for column in zip(*ordered, strict=True)) if ordered else ([], [], [])
        columns = {"pre": np.asarray(pre, int), "post": np.asarray(post, int), "weight": np.asarray(weight, F)}
        index, declared = list(self.network.projections).index(projection), self.network.projections[projection]
        if isinstance(declared.delay_ms, (Normal, Uniform)):
            pairs = zip(columns["pre"].tolist(), columns["post"].tolist(), strict=True)
            columns["delay_steps"] = np.array([self.delay_steps(index, declared, *pair) for pair in pairs], int)
        return columns

    def spikes(self, population: str) -> list[tuple[int, int]]:
        return [(step, i) for step, spiked in enumerate(self.emitted[population]) for i in sorted(spiked)]
