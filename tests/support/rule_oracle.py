"""Updates of rewiring rules once more, slow and plain: for each attempt, synapse and neuron what the documents say.

It knows the shipped rules and those of `rules`, shares the counters of random numbers and the hash with the product,
and nothing else: synapses are dictionaries by pair, neurons' numbers are global, nothing is a row, a rank or a kernel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from support.draws import (
    ATTEMPTS,
    PURPOSES,
    Draws,
    F,
    alias_table,
    gaussian_threshold,
    philox,
    spike_hash,
    threshold,
    two_choices,
    uniform,
)
from support.formulas import exponential
from support.oracle import Oracle
from support.places import moved, spans, squared_apart
from support.spike_traces import Trace

PAIR, SYNAPSE, TARGET, SOURCE, HOOK, CANDIDATE, SURPLUS, OFFER, DEMAND = (tag << 24 for tag in range(1, 10))
CERTAIN = 2**32
SHIPPED_PLACES = ("bamford_2010", "last_to_fire", "local_proposals")


class RuleOracle(Oracle):
    """An `Oracle` that knows more rules; ``variables[projection][name]`` are those of synapses beside the weight."""

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self.variables: dict[str, dict[str, dict[tuple[int, int], Any]]] = {}
        self.rule_state: dict[str, dict[str, np.ndarray]] = {}
        self.rule_traces: dict[str, list[Trace]] = {}
        self.sums: dict[str, int] = {}
        self.events: dict[str, list[tuple[int, int, int, int]]] = {name: [] for name in network.projections}
        for name, projection in network.projections.items():
            if projection.rewiring is None:
                continue
            rule, values = projection.rewiring.model, projection.rewiring.values
            self.variables[name] = {
                v.name: dict.fromkeys(self.weights[name], v.initial) for v in rule.synapse_variables
            }
            state = {}
            for side, owned, n in (
                ("source", rule.source_variables, projection.source.size),
                ("target", rule.target_variables, projection.target.size),
            ):
                for v in owned:
                    state[f"{side}.{v.name}"] = np.full(n, v.initial, np.int32 if v.ctype == "int" else F)
            if rule.replace:
                state["target.owed"] = np.zeros(projection.target.size, np.int32)
            self.rule_state[name] = state
            self.sums |= dict.fromkeys(rule.sums, 0)
            if rule.name == "homeostatic":
                tau = values["tau_calcium_ms"]
                ends = (projection.source, projection.target)
                self.rule_traces[name] = [Trace(end.size, self.dt, tau) for end in ends]

    # -- traces --------------------------------------------------------------------------------------------------------

    def _deliver(self, index: int, projection: Any) -> None:
        super()._deliver(index, projection)
        if projection.name in self.rule_traces:
            for pre in self._spiked(projection.source.name, self.step - projection.delay_steps):
                self.rule_traces[projection.name][0].spike(pre, self.step - 1)

    def _update(self, population: Any) -> None:
        super()._update(population)
        for projection in self.network.incoming(population):
            if projection.name in self.rule_traces:
                for post in self.emitted[population.name][-1]:
                    self.rule_traces[projection.name][1].spike(post, self.step)

    # -- an update -----------------------------------------------------------------------------------------------------

    def _rewire(self, index: int, projection: Any) -> None:
        rule, values = projection.rewiring.model, projection.rewiring.values
        if rule.trigger == "every_ms" and (self.step + 1) % round(values["every_ms"] / self.dt) == 0:
            self.rewire(projection.name, self.step + 1)

    def rewire(self, name: str, now: int) -> None:
        """One update; `now` is the first step after it."""
        self.projection = projection = self.network.projections[name]
        self.rule, self.values = projection.rewiring.model, projection.rewiring.values
        self.now, self.stream = now, list(self.network.projections).index(name) * PURPOSES + ATTEMPTS
        self.wired, self.own, self.neuron = self.weights[name], self.variables[name], self.rule_state[name]
        self.n_sources, self.n_targets = projection.source.size, projection.target.size
        kind = self.rule.name
        if kind == "homeostatic":
            self._homeostatic()
        if kind == "tended":
            self._tended()
        if kind in ("deep_r", "wanderer"):
            self._visit()
        if "block_side" in self.values:
            self._attempts()
        if self.rule.replace == "target":
            self._replace_at_targets()
        if self.rule.replace == "projection":
            self._replace_anywhere()

    def _draws(self, tag: int, entity: int, first: int = 0, pre: int | None = None) -> Draws:
        return Draws(self.seed, entity, self.now, self.stream | tag, first, pre)

    def _word(self, tag: int, entity: int, draw: int) -> int:
        return philox(entity, self.now, self.stream | tag, draw, self.seed)[0]

    def _of(self, post: int) -> list[int]:
        return sorted(pre for pre, its in self.wired if its == post)

    def _remove(self, pair: tuple[int, int], reason: int = 0) -> None:
        for column in (self.wired, *self.own.values()):
            del column[pair]
        if self.rule.replace:
            self.neuron["target.owed"][pair[1]] += 1
        self.events[self.projection.name].append((self._logged, *pair, 1 + reason))

    @property
    def _logged(self) -> int:
        return self.now if self.rule.trigger == "call" else self.now - 1

    def _form(self, pre: int, post: int) -> None:
        assert (pre, post) not in self.wired
        random, kind = self._draws(SYNAPSE, post, 256, pre), self.rule.name
        weight, age = F(self.projection.weight), 0
        if kind == "swap":
            weight = F(0.0625) + F(0.03125) * uniform(random())
        elif kind == "wanderer":
            weight = F(0.125) + F(0.0625) * uniform(random())
            age = -(random() >> 31)
        elif kind == "tended":
            weight = F(0.125) * self.neuron["source.drive"][pre] + F(0.0625) * F(self.sums["total"] & 3)
            age = int(self.neuron["target.want"][post]) & 1
        elif kind == "deep_r":
            weight = F(0)
        self.wired[pre, post] = weight
        if "age" in self.own:
            self.own["age"][pre, post] = age
        self.events[self.projection.name].append((self._logged, pre, post, 0))

    def _squared(self, a: int, b: int) -> int:
        return squared_apart(self.projection.target.grid, a, b)

    def _any(self, post: int, word: int) -> int:
        return min(self._of(post), key=lambda pre: spike_hash(word, pre))

    # -- attempts ------------------------------------------------------------------------------------------------------

    def _attempts(self) -> None:
        grid, side, attempts = self.projection.target.grid, self.values["block_side"], self.values["attempts"]
        tried: set[tuple[int, int]] = set()
        for block in range((grid.nx // side) * (grid.ny // side)):
            corner_y, corner_x = divmod(block, grid.nx // side)
            for attempt in range(attempts):
                random = philox(block * attempts + attempt, self.now, self.stream, 0, self.seed)
                x, y = two_choices(random[0], side, side)
                post = (corner_y * side + y) * grid.nx + corner_x * side + x
                pre = self._drawn(post, random)
                if self.rule.name == "bamford":
                    if (pre, post) not in tried:
                        tried.add((pre, post))
                        self._try_slot(pre, post, random[2])
                else:
                    self._try_target(pre, post, random[2])

    def _drawn(self, post: int, random: tuple[int, int, int, int]) -> int | None:
        grid, name = self.projection.target.grid, self.rule.name
        if name == "last_to_fire":
            until = self.now - self.projection.delay_steps
            first = max(0, until - round(self.values["recent_ms"] / self.dt))
            recent = {pre for step in range(first, until) for pre in self._spiked(self.projection.source.name, step)}
            near = [pre for pre in recent if self._squared(pre, post) <= self.reach_squared(self.values)]
            return min(near, key=lambda pre: spike_hash(random[1], pre), default=None)
        if name == "local_proposals":
            places, other, keep = self._neighbourhood()
            k, rest = divmod(random[1] * len(places), 2**32)
            dx, dy = places[k if rest < keep[k] else other[k]]
            return moved(grid, post, dx, dy)
        x, y = two_choices(random[1], grid.nx, grid.ny)
        return y * grid.nx + x

    def _neighbourhood(self) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        grid, sigma = self.projection.source.grid, self.values["sigma"]
        across, along = spans(grid)
        most = self.reach_squared({"p_max": 1.0, "sigma": sigma})
        nearest = sorted((dx * dx + dy * dy, dy, dx) for dy in along for dx in across)
        places = [(dx, dy) for squared, dy, dx in nearest if squared <= most]
        return places, *alias_table([float(np.exp(-(dx * dx + dy * dy) / (2 * sigma**2))) for dx, dy in places])

    def _goes_chance(self, pre: int, post: int) -> int:
        kind, values = self.rule.name, self.values
        if kind == "swap":
            return CERTAIN if self._squared(pre, post) > 4 else threshold(values["p_swap"])
        weak = self.wired[pre, post] < F(values["weak_below"])
        return threshold(values["p_eliminate_weak" if weak else "p_eliminate"])

    def _reason(self, pre: int, post: int) -> int:
        far, weak_below = self._squared(pre, post) > 4, self.values.get("weak_below", 0)
        return int(far if self.rule.name == "swap" else self.wired[pre, post] >= F(weak_below))

    def _form_chance(self, pre: int, post: int) -> int:
        p_form = self.values.get("p_form")
        return threshold(p_form) if p_form else gaussian_threshold(self.values, self._squared(pre, post))

    def _try_slot(self, pre: int, post: int, word: int) -> None:
        if (pre, post) in self.wired:
            if word < self._goes_chance(pre, post):
                self._remove((pre, post), self._reason(pre, post))
        elif word < self._form_chance(pre, post):
            self._form(pre, post)

    def _try_target(self, pre: int | None, post: int, word: int) -> None:
        random, there = Draws(self.seed, word, self.now, self.stream, 4), self._of(post)
        goes, tried = None, None
        if self.rule.name in SHIPPED_PLACES:
            if taken := (random() * self.values["max_in_degree"]) >> 32 < len(there):
                tried = self._any(post, random())
            forming = not taken and pre not in there
        else:
            tried = min(there, key=lambda one: (self.wired[one, post], one), default=None)
            forming = pre not in there
        if tried is not None and word < self._goes_chance(tried, post):
            goes = self._reason(tried, post)
        if forming and pre is not None and (word if tried is None else random()) < self._form_chance(pre, post):
            self._form(pre, post)
        if goes is not None:
            self._remove((tried, post), goes)

    # -- each synapse --------------------------------------------------------------------------------------------------

    def _visit(self) -> None:
        constants = {k: F(v) for k, v in self.projection.rewiring.constants(self.dt).items() if k in ("noise", "fall")}
        for pair in list(self.wired):
            pre, post = pair
            random = self._draws(SYNAPSE, post, 0, pre)
            weight = self.wired[pair]
            if self.rule.name == "deep_r":
                positive = philox(post, 0, self.stream | PAIR, pre, self.seed)[0] < threshold(self.values["p_positive"])
                sign, w_max = F(1 if positive else -1), F(self.values["w_max"])
                strength = sign * weight - constants["fall"] + constants["noise"] * (F(2) * uniform(random()) - F(1))
                self.wired[pair] = sign * min(strength, w_max)
                random()
                if sign * self.wired[pair] < 0:
                    self._remove(pair)
                continue
            self.own["age"][pair] += 1
            slow = philox(post, 3, self.stream | PAIR, pre, self.seed)[0] & 1
            weight = weight * F(0.5 if slow else 0.75) + F(0.015625) * uniform(random())
            self.wired[pair], old = weight, self.own["age"][pair] > self.values["most_age"]
            if random() < (threshold(0.5) if old else CERTAIN * int(weight < F(0.03125))):
                self._remove(pair, int(old))

    def _tended(self) -> None:
        drive, want, age = self.neuron["source.drive"], self.neuron["target.want"], self.own["age"]
        drive[:] = [F(0.5) * drive[pre] + F(0.25) * uniform(self._draws(SOURCE, pre)()) for pre in range(len(drive))]
        for post in range(self.n_targets):
            want[post] = 1 + (self._draws(TARGET, post)() >> 29) + (len(self._of(post)) < 2)
        for pair in self.wired:
            age[pair] += 1
            self.wired[pair] = F(0.5) * self.wired[pair] + F(0.25) * drive[pair[0]]
        for post in range(self.n_targets):
            for pre in self._of(post):
                old = age[pre, post] > self.values["most_age"]
                if old or pre == self.now % self.n_sources:
                    self._remove((pre, post), 0 if old else 1)
            random, there = self._draws(HOOK, post), self._of(post)
            proposed: list[int] = []
            for _ in range(len(there), want[post]):
                pre = (random() * self.n_sources) >> 32
                if len(proposed) < self.rule.proposals and pre not in (*there, *proposed):
                    proposed.append(pre)
            for pre in proposed:
                self._form(pre, post)
        self.sums["total"] = len(self.wired) + int(want.sum())

    # -- what is replaced ----------------------------------------------------------------------------------------------

    def _replace_at_targets(self) -> None:
        for post in range(self.n_targets):
            tries = 0
            while self.neuron["target.owed"][post] > 0 and tries < 1024:
                pre, tries = (self._word(CANDIDATE, post, tries) * self.n_sources) >> 32, tries + 1
                if (pre, post) not in self.wired:
                    self._form(pre, post)
                    self.neuron["target.owed"][post] -= 1

    def _replace_anywhere(self) -> None:
        account = self.neuron["target.owed"]
        owed, first = int(account.sum()), 0
        for _ in range(64):
            pairs = []
            for n in range(first, first + owed):
                random = philox(n, self.now, self.stream | CANDIDATE, 0, self.seed)
                pairs.append(((random[1] * self.n_sources) >> 32, (random[0] * self.n_targets) >> 32))
            first += owed
            for pair in pairs:
                if pair not in self.wired:
                    self._form(*pair)
                    owed -= 1
        account[:] = 0
        account[0] = owed

    # -- growth --------------------------------------------------------------------------------------------------------

    def _homeostatic(self) -> None:
        values, axon, dendrite = (
            self.values,
            self.neuron["source.axon_elements"],
            self.neuron["target.dendrite_elements"],
        )
        for side, elements, trace in zip(
            ("axon", "dendrite"), (axon, dendrite), self.rule_traces[self.projection.name], strict=True
        ):
            eta, set_point = values[f"{side}_eta"], values[f"{side}_set_point"]
            middle, width = F((eta + set_point) / 2), F((set_point - eta) / (2 * math.sqrt(math.log(2))))
            step = F(values[f"{side}_growth_per_s"] * values["every_ms"] * 1e-3)
            for neuron in range(len(elements)):
                away = (F(values["beta_calcium"]) * trace.at(neuron, self.now - 1) - middle) / width
                grown = elements[neuron] + step * (F(2) * exponential(np.array([-away * away], F))[0] - F(1))
                elements[neuron] = max(grown, F(0))
        due = self.now // round(values["every_ms"] / self.dt) % values["updates_a_pairing"] == 0
        if self.rule.trigger != "call" and not due:
            return
        for pre in range(self.n_sources):
            posts = [post for its, post in self.wired if its == pre]
            keys = sorted((self._word(SURPLUS, post, pre), post) for post in posts)
            for _, post in keys[: max(len(posts) - int(axon[pre]), 0)]:
                self._remove((pre, post), 1)
        for post in range(self.n_targets):
            for n in range(max(len(self._of(post)) - int(dendrite[post]), 0)):
                self._remove((self._any(post, self._word(SURPLUS, post, n)), post), 0)
        offers = self._vacant(OFFER, axon, 0)
        demands = self._vacant(DEMAND, dendrite, 1)
        for (_, pre), (_, post) in zip(offers, demands, strict=False):
            if (pre, post) not in self.wired:
                self._form(pre, post)
        for elements, end in ((axon, 0), (dendrite, 1)):
            degree = np.bincount([pair[end] for pair in self.wired], minlength=len(elements))
            vacant = np.maximum(elements.astype(int) - degree, 0)
            elements -= F(values["vacant_loss"]) * vacant.astype(F)

    def _vacant(self, tag: int, elements: np.ndarray, end: int) -> list[tuple[int, int]]:
        degree = np.bincount([pair[end] for pair in self.wired], minlength=len(elements))
        return sorted(
            (self._word(tag, neuron, n), neuron)
            for neuron in range(len(elements))
            for n in range(int(elements[neuron]) - int(degree[neuron]))
        )

    # -- as the product shows it ---------------------------------------------------------------------------------------

    def neurons(self, population: str) -> dict[str, np.ndarray]:
        columns = super().neurons(population)
        for name, state in self.rule_state.items():
            projection = self.network.projections[name]
            mine = [key for key in state if getattr(projection, key.split(".")[0]).name == population]
            columns |= {f"{name}.{key}": state[key] for key in mine}
        return columns

    def synapses(self, projection: str) -> dict[str, np.ndarray]:
        columns = super().synapses(projection)
        for name, values in self.variables.get(projection, {}).items():
            pairs = zip(columns["pre"].tolist(), columns["post"].tolist(), strict=True)
            columns[name] = np.array([values[pair] for pair in pairs], int)
        return columns
