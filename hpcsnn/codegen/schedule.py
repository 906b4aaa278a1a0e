"""The schedule: the stages of a step, in order, each a kernel with its trigger; and those of an update of a rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Network, Projection
from hpcsnn.network.recording.recorders import recorders

Phase = Literal["neurons", "delivery", "plasticity", "exchange", "rewiring", "recording"]
PHASES: tuple[Phase, ...] = ("neurons", "delivery", "plasticity", "exchange", "rewiring", "recording")
# The stages that are no kernels: ranks send their spikes, and accept those of others later.
SEND, ACCEPT = "send_spikes", "accept_spikes"
EXCHANGE = (SEND, ACCEPT)


@dataclass(frozen=True)
class Trigger:
    """When a stage runs: every n steps; `every` is where in the struct n is, `behind` how many steps later, if any."""

    name: str
    every: str
    at_start: bool
    behind: str = ""


@dataclass(frozen=True)
class Stage:
    """One kernel of a step, or one of the two stages of the exchange between ranks.

    `items` is where in the struct the number of items is that the kernel loops over (None: one item), `team` whether
    LANES threads share an item, `meets` whether the kernel halts for the ranks' hosts to meet. Stages that follow each
    other with the same `repeats`, which is where in the struct a number is, run in turn so many times; none of them
    meets, or halts for the host to go on.

    Stages of one `level` that follow each other may run at the same time, but for those `of` one projection or
    population, which keep their order. What they write belongs to that projection or population, or whole numbers are
    added to it; and none of them halts for the host to mend something and go on, as those behind it may have run.
    """

    kernel: str
    phase: Phase
    items: str | None = None
    team: bool = False
    trigger: Trigger | None = None
    meets: bool = False
    repeats: str = ""
    level: str = ""
    of: str = ""


def side_by_side(stages: Iterable[Stage]) -> Iterator[list[list[Stage]]]:
    """The stages in order, in groups that wait for each other: lists that may run at the same time, each in order."""
    for level, group in itertools.groupby(stages, key=lambda stage: stage.level):
        if not level:
            yield from ([[stage]] for stage in group)
            continue
        lists: dict[str, list[Stage]] = {}
        for stage in group:
            lists.setdefault(stage.of, []).append(stage)
        yield list(lists.values())


def schedule(network: Network, n_ranks: int) -> tuple[Stage, ...]:
    """The stages of one step, in order (the reference's order of operations; see ARCHITECTURE.md)."""
    sources = [population.name for population in network.populations.values() if population.is_source]
    neurons = [population.name for population in network.populations.values() if not population.is_source]
    stages = [Stage("begin_step", "neurons")]
    for name in sources:
        trigger = Trigger(f"window_{name}", f"population_{name}.model_window_steps", True)
        stages.append(Stage(f"window_{name}", "neurons", f"population_{name}.n_own", trigger=trigger))
    projections = network.projections.values()
    stages += [_of_sources("deliver", one, team=True) for one in projections]
    if n_ranks > 1:
        # As late as the shortest delay allows: what others sent meanwhile, nobody has waited for.
        stages.append(Stage(ACCEPT, "exchange", trigger=Trigger("accept", "exchange.interval", True, "exchange.lag")))
        stages += [_of_sources("relay", one, team=True) for one in projections]
    stages += [_of_sources("trace", one) for one in projections if one.synapse.model.own_pre_traces]
    stages += [_of_targets("postsynaptic", one, team=True) for one in projections if one.synapse.model.on_post_spike]
    stages += [
        _of_targets("change_synapses", one, team=True) for one in projections if one.synapse.model.on_step.strip()
    ]
    stages += [_of_targets("backpropagate", one) for one in projections if one.late_post_traces]
    for name in neurons:
        stages.append(Stage(f"update_{name}", "neurons", f"population_{name}.n_simulated", level="neurons", of=name))
        if network.populations[name].group_size:
            stages.append(Stage(f"groups_{name}", "neurons", f"population_{name}.n_groups", level="neurons", of=name))
    stages += [
        Stage(f"spikes_{name}", "neurons", f"population_{name}.n_own", level="neurons", of=name) for name in sources
    ]
    stages += [
        _of_targets("follow", one, level="followed") for one in projections if one.synapse.model.update_target.strip()
    ]
    if n_ranks > 1:
        stages.append(Stage(SEND, "exchange", trigger=Trigger("send", "exchange.interval", False)))
    for projection in projections:
        rule = projection.rule
        if rule is not None and rule.trigger != "call":
            stages += rewiring_stages(projection, rule)
    for recorder in recorders(network):
        trigger = Trigger(recorder.name, f"{recorder.name}.every_steps", False)
        number, items = str(recorder.number), f"{recorder.name}.n_items"
        stages.append(Stage(f"record_{number}", "recording", items, trigger=trigger, level="recording", of=number))
    stages.append(Stage("end_step", stages[-1].phase))
    return tuple(stages)


def _of_sources(kernel: str, projection: Projection, team: bool = False) -> Stage:
    """What the spikes of a step bring that arrive at a projection, spike by spike."""
    name, items = projection.name, f"population_{projection.source.name}.slot_size"
    return Stage(f"{kernel}_{name}", "delivery", items, team=team, level="synapses", of=name)


def _of_targets(kernel: str, projection: Projection, team: bool = False, level: str = "synapses") -> Stage:
    """What the synapses of a projection do, target by target."""
    name, items = projection.name, f"population_{projection.target.name}.n_own"
    return Stage(f"{kernel}_{name}", "plasticity", items, team=team, level=level, of=name)


def rewiring_stages(projection: Projection, rule: RewiringRule) -> list[Stage]:
    """The stages of one update of a rule, in order."""
    name = projection.name
    trigger = Trigger(f"rewiring_{name}", f"projection_{name}.rewiring_every_steps", False)
    sources = f"population_{projection.source.name}.n_own"
    targets, blocks = f"population_{projection.target.name}.n_own", f"projection_{name}.n_blocks"
    parts = [
        ("tally", None, rule.tallies),
        ("sources", sources, bool(rule.update_source)),
        ("share", None, rule.shares),
        ("targets", targets, bool(rule.update_target)),
        ("visit_synapses", targets, rule.visits_synapses),
        ("draw_attempts", f"projection_{name}.n_attempts", rule.attempts),
        ("rewire", blocks, rule.attempts),
        ("per_target", targets, bool(rule.per_target)),
        ("form_hooked", targets, bool(rule.per_target)),
        ("clear_tries", targets, rule.replace == "target"),
        ("replace", targets, rule.replace == "target"),
        ("meet", None, rule.meets),
    ]
    return [
        Stage(f"{kernel}_{name}", "rewiring", items, trigger=trigger, meets=items is None)
        for kernel, items, wanted in parts
        if wanted
    ]


def host_stage_kernels(rule: RewiringRule) -> list[str]:
    """Kernels that the hosts run where ranks meet."""
    pairing = ("offers", "demands", "drop_surplus", "retract", "count_out_degree", "settle")
    kernels = [
        *(f"sum_{number}" for number in range(len(rule.sums))),
        *(("draw_candidates", "form_candidates") if rule.replaces_anywhere else ()),
        *(("form_proposed",) if rule.lists else ()),
        *(("weaknesses", "retract") if rule.turnover else ()),
        *(pairing if rule.pairing else ()),
    ]
    return list(dict.fromkeys(kernels))  # some are of two parts of a rule
