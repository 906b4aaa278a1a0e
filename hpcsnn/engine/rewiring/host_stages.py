"""What the ranks do together in an update of a rewiring rule: the schedule halts, the hosts meet, the schedule goes on.

What travels: counts, vacant elements, and those variables of sources that snippets name. See `hpcsnn.models.rewiring`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.constants import FULL, HaltReason, MeetingPlace
from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.learning.feedback import share_errors
from hpcsnn.engine.rewiring.candidates import MOST_CANDIDATES, best, draw, n_guided, update_of
from hpcsnn.engine.rewiring.pairing import elements, paired, sent_to_ranks
from hpcsnn.engine.rewiring.retraction import of_least_key, weakest
from hpcsnn.engine.state import RankState
from hpcsnn.models.rewiring import RewiringRule, Turnover
from hpcsnn.network import Population, Projection
from hpcsnn.ranks.exchange.source_values import SourceValues

# Rounds of placing what is to be replaced anywhere; a round that finds every place taken leaves the rest to the next.
_MOST_ROUNDS = 64


class HostStages:
    """The stages of one simulation's updates that the hosts carry out; every rank attends each one."""

    def __init__(self, state: RankState, executable: Executable) -> None:
        self._state, self._executable = state, executable
        self._ranks = state.communicator
        self._values: dict[str, SourceValues] = {}

    def attend(self) -> None:
        """Do what the kernel that has just halted the schedule asks for; the schedule then goes on behind it."""
        state = self._state
        stage, place = state.control("stage"), MeetingPlace(state.control("place"))
        projection = list(state.network.projections.values())[state.control("owner")]
        state.set_control("halt", HaltReason.RUNNING)
        match place:
            case MeetingPlace.SHARE:
                self._share(projection)
            case MeetingPlace.TALLY:
                self._count_out_degree(projection)
            case MeetingPlace.MEET:
                self._meet(projection)
            case MeetingPlace.ERRORS:
                share_errors(state)
        state.set_control("stage", stage)

    def _of_sources(self, projection: Projection) -> SourceValues:
        name = projection.source.name
        if name not in self._values:
            self._values[name] = SourceValues(self._ranks, self._state.placements[name])
        return self._values[name]

    def _share(self, projection: Projection) -> None:
        """Variables of sources to the ranks that know them."""
        states = {variable.name for variable in projection.source.state}
        for variable in projection.shared_variables:
            mine = variable.name in states
            own = (
                f"{projection.source.name}.state_{variable.name}"
                if mine
                else f"{projection.name}.source_{variable.name}"
            )
            n_own = self._state.placements[projection.source.name].n_own
            values = self._of_sources(projection).shared(self._state.read(own)[:n_own])
            self._state.write(f"{projection.name}.shared_{variable.name}", values)

    def _meet(self, projection: Projection) -> None:
        rule = projection.rule
        assert rule is not None
        if rule.turnover is not None:
            self._turn_over(projection, rule.turnover)
        if rule.replace == "projection":
            self._replace([projection])
        if rule.arrivals:
            self._arrive(projection, rule.arrivals)
        if rule.pairing is not None and self._pairs_now(projection, rule):
            self._pair(projection)
        for number, name in enumerate(rule.sums):
            partial = f"{projection.name}.partial_{name}"
            self._state.write(partial, np.zeros(1, dtype=np.int64))
            self._run(f"sum_{number}", projection)
            total = self._total(int(self._state.read(partial)[0]))
            self._state.write(f"{projection.name}.sum_{name}", np.array([total], dtype=np.int64))

    def _pairs_now(self, projection: Projection, rule: RewiringRule) -> bool:
        assert rule.pairing is not None and projection.rewiring is not None
        if rule.trigger == "call":
            return True
        update = self._now(rule) // int(self._part(projection).rewiring_every_steps)
        return update % int(projection.rewiring.values[rule.pairing.every]) == 0

    def _now(self, rule: RewiringRule) -> int:
        """The first step after the update, as kernels/rewiring/names.cu has it."""
        return self._state.control("step") + (0 if rule.trigger == "call" else 1)

    def _total(self, value: int) -> int:
        return sum(self._ranks.gather(value))

    def _run(self, kernel: str, projection: Projection) -> None:
        placements = self._state.placements
        items = max(placements[projection.target.name].n_own, placements[projection.source.name].n_own)
        self._executable.run(f"{kernel}_{projection.name}", items)

    def _part(self, projection: Projection) -> Any:
        return self._state.projection_part(projection.name)

    # -- forming -------------------------------------------------------------------------------------------------------

    def _put_lists(self, projection: Projection, pairs: NDArray[np.int64]) -> None:
        """Lists of sources (by their local numbers) by target, from pairs of target and source, in their order."""
        state, n_own = self._state, self._state.placements[projection.target.name].n_own
        order = np.argsort(pairs[:, 0], kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(pairs[:, 0], minlength=n_own))]).astype(np.int32)
        for name, values in (
            ("proposed_start", start),
            ("proposed_done", start[:-1]),
            ("proposed", pairs[order, 1].astype(np.int32)),
        ):
            state.bind(self._part(projection), projection.name, name, state.device.upload(values))

    def _form(self, kernel: str, projection: Projection) -> None:
        """Form synapses from lists, but none where there is one."""
        self._run(kernel, projection)
        while (reason := self._state.control("halt")) in FULL:
            self._state.make_room(HaltReason(reason))
            self._run(kernel, projection)

    def share_budget(self, names: Iterable[str]) -> None:
        """What went from these projections, where their rules share a budget, comes back anywhere in them."""
        updated = [self._state.network.projections[name] for name in names]
        sharing = [one for one in updated if one.rule is not None and one.rule.replace == "projections"]
        if sharing:
            self._replace(sharing)

    def _replace(self, projections: Sequence[Projection]) -> None:
        """As many synapses as have gone from projections, at pairs drawn from all of theirs: the total stays."""
        accounts = [self._state.arrays[f"{one.name}.target_owed"] for one in projections]
        owed = self._total(sum(int(account.sum()) for account in accounts))
        first = [n_guided(self._state, one) for one in projections]
        if max(first):
            owed -= self._place_best(projections, owed)
        for turn in range(self._rounds(projections)):
            if owed == 0 or max(first) + owed > MOST_CANDIDATES:
                break
            for at, n in enumerate(self._shares(projections, owed, turn)):
                owed -= self._place(projections[at], first[at], n) if n else 0
                first[at] += n
        for account in accounts:
            account[...] = 0
        # What found no place is owed still; it is written to the account of the first projection's first neuron.
        if owed:
            ids = self._state.placements[projections[0].target.name].global_id
            for first_neuron in np.flatnonzero(ids == 0):
                accounts[0][int(first_neuron)] = owed

    def _shares(self, projections: Sequence[Projection], n: int, turn: int) -> list[int]:
        """Of n pairs drawn from all that projections have, how many are of each; `turn` tells the draws apart."""
        if len(projections) == 1:
            return [n]
        possible = np.cumsum([one.source.size * one.target.size for one in projections]).tolist()
        ends = np.array([(end << 32) // possible[-1] for end in possible[:-1]], dtype=np.uint64)
        words = self._words(projections[0], Tag.BUDGET, np.arange(n, dtype=np.int32), np.full(n, turn, dtype=np.int32))
        return np.bincount(np.searchsorted(ends, words, side="right"), minlength=len(projections)).tolist()

    def _place(self, projection: Projection, first: int, n: int) -> int:
        """Form synapses at n pairs, of which `first` is the number of the first one, where none is; how many."""
        draw(self._state, self._executable, projection, first, n)
        return self._formed("form_candidates", projection)

    def _place_best(self, projections: Sequence[Projection], n: int) -> int:
        """Form n synapses, or as many as there are candidates of this batch, where its gradients say; how many."""
        formed = 0
        for projection, pairs in zip(projections, best(self._state, self._executable, projections, n), strict=True):
            self._put_lists(projection, pairs)
            formed += self._formed("form_proposed", projection)
        return formed

    def _formed(self, kernel: str, projection: Projection) -> int:
        """Form synapses; how many, on all ranks."""
        store = self._state.stores[projection.name]
        before = store.counter("formed")
        self._form(kernel, projection)
        return self._total(store.counter("formed") - before)

    def _rounds(self, projections: Sequence[Projection]) -> int:
        """In how many rounds what comes finds its places; more where numbers are to be met and most pairs are taken."""
        if not any(one.rule is not None and one.rule.turnover for one in projections):
            return _MOST_ROUNDS
        updates = [update_of(self._state, one, 0) for one in projections]
        n_pairs = sum(one.n_pairs for one in updates)
        free = n_pairs - sum(one.n_synapses for one in updates)
        return _MOST_ROUNDS * min(n_pairs // max(free, 1) + 1, _MOST_ROUNDS)

    def _turn_over(self, projection: Projection, turnover: Turnover) -> None:
        """Let the weakest synapses go, and be owed as many as are to come."""
        rule, state, name = projection.rewiring, self._state, projection.name
        assert rule is not None
        update = update_of(state, projection, self._now(rule.model))
        goes, comes = turnover.numbers(rule.values, update)
        goes = min(goes, update.n_synapses)
        comes = min(comes, update.n_pairs - update.n_synapses + goes)
        account = state.arrays[f"{name}.target_owed"]
        owed = self._total(int(account.sum()))
        if goes:
            self._remove_weakest(projection, goes)
        account[...] = 0
        for first_neuron in np.flatnonzero(state.placements[projection.target.name].global_id == 0):
            account[int(first_neuron)] = owed + comes

    def _remove_weakest(self, projection: Projection, n: int) -> None:
        state, name = self._state, projection.name
        store, target = state.stores[name], state.placements[projection.target.name]
        slots, pre, post = store.pairs()
        if len(state.arrays.get(f"{name}.weakness", ())) < store.n_rows * store.capacity:
            room = state.device.zeros(store.n_rows * store.capacity, np.float32)
            state.bind(self._part(projection), name, "weakness", room)
        self._run("weaknesses", projection)
        found, pairs = state.read(f"{name}.weakness")[slots], np.column_stack([post, pre]).astype(np.int64)
        own = weakest(found, pairs, n)  # of what this rank has, no more than might go
        everyone = self._ranks.gather((found[own], pairs[own]))
        of_all, all_pairs = (np.concatenate(columns) for columns in zip(*everyone, strict=True))
        going = all_pairs[weakest(of_all, all_pairs, n)]
        row = target.local_of_own(going[:, 0])
        mine = row >= 0
        local = state.placements[projection.source.name].local(going[mine, 1])
        self._put_lists(projection, np.column_stack([row[mine], local]))
        self._run("retract", projection)

    def _arrive(self, projection: Projection, arrivals: str) -> None:
        """Form synapses at pairs that have none, each with the chance that the constant `arrivals` is."""
        rule = projection.rewiring
        assert rule is not None
        p = float({**rule.constants(self._state.network.dt_ms), **rule.values}[arrivals])
        n_sources, n_pairs = projection.source.size, projection.source.size * projection.target.size
        # Pairs stand in one line; from one that is chosen a waiting time, drawn as geometric, leads to the next.
        chosen: list[NDArray[np.int64]] = []
        last, turn = -1, 0
        while 0.0 < p < 1.0 and last < n_pairs:
            n = int(p * (n_pairs - last) * 1.1) + 16
            entities = np.arange(n, dtype=np.int32)
            words = self._words(projection, Tag.ARRIVAL, entities, np.full(n, turn, dtype=np.int32))
            waits = np.floor(np.log((words + 0.5) * 2.0**-32) / math.log1p(-p)).astype(np.int64) + 1
            chosen.append(last + np.cumsum(waits))
            last, turn = int(chosen[-1][-1]), turn + 1
        pairs = np.concatenate(chosen) if chosen else np.arange(n_pairs if p >= 1.0 else 0)
        target_id, source_id = np.divmod(pairs[pairs < n_pairs], n_sources)
        source, target = (self._state.placements[end.name] for end in (projection.source, projection.target))
        row = target.local_of_own(target_id)
        own = row >= 0
        self._put_lists(projection, np.column_stack([row[own], source.local(source_id[own])]))
        self._form("form_proposed", projection)

    # -- pairing -------------------------------------------------------------------------------------------------------

    def _pair(self, projection: Projection) -> None:
        """Where there are too many, synapses go, by source and then by target; then vacant elements of both meet."""
        state, name = self._state, projection.name
        self._count_out_degree(projection)
        self._run("offers", projection)
        self._retract(projection)
        self._run("demands", projection)
        self._run("drop_surplus", projection)
        self._count_out_degree(projection)
        self._run("offers", projection)
        self._run("demands", projection)
        source, target = (state.placements[end.name] for end in (projection.source, projection.target))
        offered, offer = elements(source.global_id, self._vacant(f"{name}.offers", projection.source))
        demanded, demand = elements(
            np.arange(target.n_own, dtype=np.int32), self._vacant(f"{name}.demands", projection.target)
        )
        demand_ids = target.global_id[demanded]
        offers = np.column_stack([self._words(projection, Tag.OFFER, offered, offer), offered])
        demands = np.column_stack(
            [
                self._words(projection, Tag.DEMAND, demand_ids, demand),
                demand_ids,
                np.full(len(demanded), self._ranks.rank),
                demanded,
            ]
        )
        pairs = paired(self._ranks, offers.astype(np.int64), demands.astype(np.int64))
        pairs[:, 1] = self._state.placements[projection.source.name].local(pairs[:, 1])
        self._put_lists(projection, pairs)
        self._form("form_proposed", projection)
        self._count_out_degree(projection)
        self._run("offers", projection)
        self._run("demands", projection)
        self._run("settle", projection)

    def _vacant(self, counts: str, population: Population) -> NDArray[np.int32]:
        """What own neurons offer or demand to be paired: those that are removed, nothing."""
        ids = self._state.placements[population.name].global_id
        vacant = self._state.read(counts)[: len(ids)]
        return vacant if population.removed is None else np.where(np.isin(ids, population.removed), 0, vacant)

    def _words(
        self, projection: Projection, tag: Tag, entities: NDArray[np.int32], draws: NDArray[np.int32]
    ) -> NDArray[np.uint32]:
        index = list(self._state.network.projections).index(projection.name)
        number = stream(Purpose.ATTEMPTS, index) | tag << 24
        rule = projection.rule
        assert rule is not None
        return self._state.words(self._executable, entities, number, draws, self._now(rule))

    def _count_out_degree(self, projection: Projection) -> None:
        state, name = self._state, projection.name
        n_known = state.placements[projection.source.name].n_known
        state.write(f"{name}.local_out_degree", np.zeros(n_known, dtype=np.int32))
        self._run("count_out_degree", projection)
        out_degree = self._of_sources(projection).added_up(state.read(f"{name}.local_out_degree")[:n_known])
        state.write(f"{name}.out_degree", out_degree)

    def _retract(self, projection: Projection) -> None:
        """Of each source with too many synapses, those with the least keys go, wherever their targets are: each rank
        asks its sources' owners, who answer; nobody holds more than what is of its own neurons.
        """
        state, name = self._state, projection.name
        source, target = (state.placements[end.name] for end in (projection.source, projection.target))
        too_many = np.maximum(-state.read(f"{name}.offers")[: source.n_own], 0)
        if self._total(int(np.count_nonzero(too_many))) == 0:
            return
        of_sources = self._of_sources(projection)
        known = of_sources.shared(too_many)
        rows = state.stores[name].packed(self._executable, np.arange(target.n_own))
        index = source.local(rows.columns["source"])
        chosen = known[index] > 0
        index, row = index[chosen], rows.row[chosen]
        pre, post = source.known_id[index], target.global_id[row]
        keys = self._words(projection, Tag.RETRACT, post, pre)
        found = np.column_stack([pre, keys, post, np.full(len(pre), self._ranks.rank), row]).astype(
            np.int64, copy=False
        )
        del rows, index, chosen, pre, post, row, keys  # what is found is at times most of what a rank has
        # Of what this rank has, no more than might go; then, at the source's owner, of what all ranks have.
        found = of_least_key(found, _surplus(source.known_id, known))
        found = sent_to_ranks(self._ranks, found, of_sources.owner[source.local(found[:, 0])])
        found = of_least_key(found, _surplus(source.global_id, too_many))
        mine = sent_to_ranks(self._ranks, found, found[:, 3])
        mine = mine[np.lexsort((mine[:, 2], mine[:, 1], mine[:, 0]))]
        self._put_lists(projection, np.column_stack([mine[:, 4], source.local(mine[:, 0])]))
        self._run("retract", projection)


def _surplus(ids: NDArray[np.int32], too_many: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sources that have too many synapses, and how many, shape (n, 2)."""
    return np.column_stack([ids, too_many])[too_many > 0].astype(np.int64)
