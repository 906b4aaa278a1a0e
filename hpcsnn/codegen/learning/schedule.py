"""The stages of a step while a network learns: those of a run, what a sample begins and ends with, and its score."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hpcsnn.codegen.schedule import EXCHANGE, Stage, Trigger
from hpcsnn.network import Network
from hpcsnn.network.learning import (
    feedback_projection,
    gradient_of,
    guided_projections,
    hidden_populations,
    onto_hidden,
    trained_projections,
)

BEGINS = Trigger("sample_begins", "learning.sample_steps", True)
ENDS = Trigger("sample_ends", "learning.sample_steps", False)


def with_learning(network: Network, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The stages of a step of `network`, which learns; `stages` are those of a run.

    Where ranks share the network, they send and accept all spikes of the step before these are remembered. What a
    trained projection's spikes bring is then one kernel's work, whoever's they are.
    """
    learning = network.learning
    assert learning is not None
    readout, hidden = learning.readout, [one.name for one in hidden_populations(network)]
    sources = [one.name for one in network.populations.values() if one.is_source]
    begin, end = stages[0], stages[-1]
    by_themselves = {f"{kernel}_{name}" for kernel in ("window", "spikes") for name in sources}
    by_themselves |= {f"relay_{one.name}" for one in trained_projections(network)}
    exchange = [stage for kernel in EXCHANGE for stage in stages if stage.kernel == kernel]
    middle = [stage for stage in stages[1:-1] if stage.kernel not in by_themselves and stage not in exchange]
    return (
        begin,
        *(
            Stage(
                f"begin_sample_{name}",
                "neurons",
                f"population_{name}.n_simulated",
                trigger=BEGINS,
                level="sample",
                of=name,
            )
            for name in network.populations
        ),
        *middle,
        *(
            Stage(f"play_{name}", "neurons", "learning.replicas", team=True, level="neurons", of=name)
            for name in sources
        ),
        *exchange,
        *(
            Stage(f"remember_{name}", "plasticity", f"population_{name}.n_simulated", level="answers", of=name)
            for name in [*sources, *hidden]
        ),
        *(
            Stage(f"local_{name}", "plasticity", "learning.replicas", level="answers", of=name)
            for name in (hidden if learning.rule.model.mentions("local_error") else [])
        ),
        Stage(f"score_{readout}", "plasticity", "learning.replicas", level="answers", of=readout),
        *(
            ()
            if learning.windowed
            else _online(network)
            if learning.online
            else _behind_a_sample(network, bool(exchange))
        ),
        end,
    )


def _behind_a_sample(network: Network, shared: bool) -> list[Stage]:
    """Back in time, neuron by neuron, then an addition for each spike and synapse; of a network that ranks share, the
    readout's errors go to all of them in between."""
    assert network.learning is not None
    readout, *hidden = (
        Stage(f"backward_{name}", "plasticity", f"population_{name}.n_simulated", trigger=ENDS)
        for name in (network.learning.readout, *(one.name for one in hidden_populations(network)))
    )
    if network.learning.rule.model.goes_through:
        hidden = _step_by_step(network, hidden)
    meeting = Stage(f"bring_{network.learning.readout}", "exchange", trigger=ENDS, meets=True)
    return [
        readout,
        *([meeting] if shared else []),
        *hidden,
        *(
            Stage(
                f"gradient_{one.name}",
                "plasticity",
                f"population_{one.target.name}.n_simulated",
                team=True,
                trigger=ENDS,
            )
            for one in trained_projections(network)
        ),
        *(
            Stage(f"guide_{one.name}", "plasticity", f"population_{one.target.name}.n_own", trigger=ENDS)
            for one in guided_projections(network)
        ),
    ]


def _step_by_step(network: Network, hidden: list[Stage]) -> list[Stage]:
    """Back through each step in all hidden populations, before the step before it."""
    through = [
        Stage(f"through_{one.name}", "plasticity", f"population_{one.name}.n_simulated", team=True, trigger=ENDS)
        for one in hidden_populations(network)
        if onto_hidden(network, one)
    ]
    # What is side by side in a step: all sums, then all populations.
    levels = {"go_back": [Stage("go_back", "plasticity", trigger=ENDS)], "through": through, "backward": hidden}
    return [
        replace(stage, level=level, of=stage.kernel, repeats="learning.steps_back")
        for level, stages in levels.items()
        for stage in stages
    ]


@dataclass(frozen=True)
class WindowStages:
    """What the host runs where a window of a sample begins, to set the state aside or to put it back, and ends."""

    set_aside: tuple[Stage, ...] = ()
    put_back: tuple[Stage, ...] = ()
    gradients: tuple[Stage, ...] = ()


def window_stages(network: Network) -> WindowStages:
    """Those of `network`, which learns; none where samples are recorded whole."""
    assert network.learning is not None
    if not network.learning.windowed:
        return WindowStages()
    aside, back = (
        tuple(Stage(f"{kernel}_{name}", "neurons", f"population_{name}.n_simulated") for name in network.populations)
        for kernel in ("set_aside", "put_back")
    )
    return WindowStages(aside, back, tuple(_behind_a_sample(network, shared=False)))


def _online(network: Network) -> list[Stage]:
    """In every step, of every synapse; and of what is trained of the readout's neurons."""
    assert network.learning is not None
    stages = [
        Stage(f"online_{one.name}", "plasticity", f"population_{one.target.name}.n_own", team=True)
        for one in trained_projections(network)
    ]
    readout = network.populations[network.learning.readout]
    if gradient_of(readout).trained:
        stages.append(Stage(f"online_{readout.name}", "plasticity", f"population_{readout.name}.n_own"))
    return stages


def batch_kernels(network: Network) -> list[str]:
    """Kernels that the host runs before and after a batch, and between windows of a sample."""
    learning = network.learning
    assert learning is not None
    hidden = [one.name for one in hidden_populations(network)]
    hearing = [one.name for one in hidden_populations(network) if feedback_projection(network, one) is not None]
    feedback = [f"feedback_{name}" for name in hearing] if learning.symmetric else []
    adapt = [f"adapt_{name}" for name in hidden] if learning.adaptive else []
    windows = window_stages(network)
    return [
        *(one.kernel for one in (*windows.set_aside, *windows.put_back, *windows.gradients)),
        *(f"freeze_{one.name}" for one in trained_projections(network)),
        *(f"{kernel}_{one.name}" for one in guided_projections(network) for kernel in ("keep_free", "rank_candidates")),
        *feedback,
        *adapt,
        *(f"optimise_{one.name}" for one in trained_projections(network)),
        f"optimise_{learning.readout}",
    ]
