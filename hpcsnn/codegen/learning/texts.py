"""The kernels of training, as the templates under ``kernels/learning`` give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace

from hpcsnn.codegen.learning.backward import receptor_back, receptor_prefix, step_back
from hpcsnn.codegen.learning.forward import ReceptorForward, StepForward
from hpcsnn.codegen.learning.rule import rule_view
from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.codegen.views import model_view, seen
from hpcsnn.models.base import Configured, Variable
from hpcsnn.models.learning import Loss, Optimiser
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.learning import (
    FILTERED_RATE,
    PSEUDO_DERIVATIVE,
    feedback_projection,
    filtering_projections,
    goes_back,
    gradient_of,
    guided_projections,
    hidden_populations,
    kept_variables,
    onto_hidden,
    recorded_name,
    trained_projections,
)
from hpcsnn.network.learning_fields import kept_online, set_aside

Render = Callable[..., str]


def learning_texts(
    network: Network, views: dict[str, SimpleNamespace], stage_of: Mapping[str, int], render: Render
) -> list[str]:
    """The kernels of `network`, which learns.

    Args:
        views: of all projections, by name.
        stage_of: the number of each kernel's stage in the schedule.
        render: a template with its context.
    """
    learning = network.learning
    assert learning is not None
    populations = [_learner(network, index, one, views) for index, one in enumerate(network.populations.values())]
    readout = next(one for one in populations if one.is_readout)
    trained = [views[one.name] for one in trained_projections(network)]
    optimiser = model_view(learning.optimiser)
    optimiser.constants = [*optimiser.constants, *((name, "float") for name in learning.optimiser.model.of_batch)]
    owners = [
        *(
            SimpleNamespace(
                name=one.name,
                is_population=False,
                projection=one,
                function=_optimise(f"projection_{one.index}_optimise", learning.optimiser),
            )
            for one in trained
        ),
        SimpleNamespace(
            name=readout.name,
            is_population=True,
            trained=[one.name for one in readout.trained],
            function=_optimise(f"population_{readout.index}_optimise", learning.optimiser),
        ),
    ]
    optimiser.functions = {"update": owners[-1].function}
    optimiser.sees_in = seen(optimiser)
    back = [
        _way_back(network, one)
        for one in hidden_populations(network)
        if (learning.symmetric or learning.adaptive) and feedback_projection(network, one) is not None
    ]
    return [
        render("learning/layout.cuh"),
        render("learning/samples.cu", populations=populations),
        render(
            "learning/score.cu",
            readout=readout,
            loss=_loss(learning.loss),
            stream=stream(Purpose.SPIKES, readout.index),
            brought=stage_of.get(f"bring_{learning.readout}"),
        ),
        *(
            render("learning/local_readout.cu", population=one, loss=_loss(learning.loss))
            for one in populations
            if one.rule is not None and one.rule.wants.local_error
        ),
        *(render("learning/delivery.cu", projection=one) for one in trained),
        *(
            _online(network, populations, readout, trained, render)
            if learning.online
            else _behind_a_sample(network, populations, trained, render)
        ),
        *([render("learning/windows.cu", populations=populations)] if network.windowed else []),
        render(
            "learning/optimise.cu",
            owners=owners,
            optimiser=optimiser,
            fed_back=back if learning.symmetric else [],
            adapted=back if learning.adaptive else [],
        ),
    ]


def _way_back(network: Network, hidden: Population) -> SimpleNamespace:
    """The weights by which errors come back to a population: of its projection onto the readout, or like these."""
    projection = feedback_projection(network, hidden)
    assert projection is not None and network.learning is not None
    name = f"population_{list(network.populations).index(hidden.name)}_adapt"
    return SimpleNamespace(
        name=hidden.name,
        projection=projection.name,
        delays=projection.delays is not None,
        function=_optimise(name, network.learning.optimiser),
    )


def _behind_a_sample(
    network: Network, populations: list[SimpleNamespace], trained: list[SimpleNamespace], render: Render
) -> Iterator[str]:
    """Back through the sample's steps, and what its spikes then add."""
    hidden = [one for one in populations if one.rule is not None]
    if any(one.rule.goes_through for one in hidden):
        yield render("learning/through.cu", populations=[one for one in hidden if one.onto_hidden])
    yield from (render("learning/backward.cu", population=one) for one in populations if not one.is_source)
    guided = [one.name for one in guided_projections(network)]
    for one in trained:
        back_of = _back_of(network, network.projections[one.name])
        yield render("learning/gradients.cu", projection=one, back_of=back_of, windowed=network.windowed)
        if one.name in guided:
            yield render("learning/candidates.cu", projection=one, back_of=back_of, windowed=network.windowed)


def _back_of(network: Network, projection: Projection) -> str:
    """Whose ``back`` is the gradient of what arrives by a projection: its own, behind a receptor that keeps it."""
    own = projection in filtering_projections(network, projection.target)
    return f"net->learning.{f'projection_{projection.name}' if own else f'population_{projection.target.name}'}"


def _online(
    network: Network,
    populations: list[SimpleNamespace],
    readout: SimpleNamespace,
    trained: list[SimpleNamespace],
    render: Render,
) -> Iterator[str]:
    """Forward with the sample, synapse by synapse."""
    assert network.learning is not None
    by_name = {one.name: one for one in populations}
    receptors = {name: ReceptorForward(index, one) for index, (name, one) in enumerate(network.projections.items())}
    projections = []
    for projection in trained:
        target = by_name[projection.target]
        psi, own = "1.0f" if target.is_readout else "psi", receptors[projection.name]
        back = None if target.is_readout else feedback_projection(network, network.populations[target.name])
        onto_readout = None if back is None else receptors[back.name]
        view = SimpleNamespace(
            name=projection.name,
            source=projection.source,
            delays=projection.delays,
            of_target=target,
            of_readout=readout,
            kept=kept_online(network, network.projections[projection.name]),
            receptors=[_receptor(one) for one in (own, onto_readout) if one is not None],
            received=own.call("spikes", "received_{}[at]"),
            forward=target.forward.call(psi, "arriving", "carried_{}[at]"),
            sent=onto_readout.call("eligibility", "sent_{}[at]") if onto_readout else "eligibility",
            heard=readout.forward.call("1.0f", "sent", "heard_{}[at]", "output_"),
        )
        projections.append(view)
    used = [receptor.projection for view in projections for receptor in view.receptors]
    for one in readout.trained:
        one.forward = readout.forward.call("1.0f", "0.0f", "*carried_{}")
    yield render(
        "learning/online.cu",
        populations=[one for one in populations if not one.is_source],
        receptors=[receptors[one] for one in dict.fromkeys(used)],
        trained=projections,
        readout=readout,
        holds_rates=network.learning.sums_eligibilities,
    )


def _receptor(forward: ReceptorForward) -> SimpleNamespace:
    projection = forward.projection
    local = receptor_prefix(forward.index)
    return SimpleNamespace(projection=projection.name, model=model_view(projection.receptor), local=local)


def _filter(network: Network, number: int, projection: Projection) -> SimpleNamespace:
    """A receptor that gradients go back through; `number` counts those of the target."""
    index, gradient = list(network.projections).index(projection.name), projection.receptor.model.gradient
    assert gradient is not None
    return SimpleNamespace(
        number=number,
        projection=projection.name,
        model=model_view(projection.receptor),
        local=receptor_prefix(index),
        adjoints=gradient.variables,
        back=receptor_back(index, projection),
        trained=projection in trained_projections(network),
        heard_by=projection.source.name if goes_back(network, projection) else "",
    )


def _learner(
    network: Network, index: int, population: Population, views: dict[str, SimpleNamespace]
) -> SimpleNamespace:
    assert network.learning is not None
    view = SimpleNamespace(
        name=population.name,
        index=index,
        is_source=population.is_source,
        is_readout=population.name == network.learning.readout,
        model=model_view(population.model),
        incoming=[_incoming(views[one.name]) for one in network.incoming(population)],
        begins=(),
        records=(),
        trained=(),
        records_rate=False,
        rule=None,
        onto_hidden=[],
        pairs="pairing" in network.learning.rule.model.parameters,
        recorded=(),
        filters=(),
        own_errors=False,
        hears_late=False,
        windowed=network.windowed,
        carried=network.learning.carries_state,
        aside=set_aside(network, population) if network.windowed else (),
    )
    view.remembers, view.counts = not view.is_readout, network.learning.online
    if population.is_source:
        return view
    gradient = gradient_of(population)
    kept = kept_variables(network, population)
    view.begins = [one for one in population.state if one.name not in kept]
    view.back, view.adjoints = step_back(index, population), gradient.variables
    view.forward = StepForward(index, population)
    filtering = filtering_projections(network, population)
    view.filters = [_filter(network, number, one) for number, one in enumerate(filtering)]
    back_way = None if view.is_readout else feedback_projection(network, population)
    view.hears_late = back_way is not None and back_way.delays is not None
    view.own_errors = back_way is not None and back_way in filtering_projections(network, back_way.target)
    view.output = gradient.output
    view.trained = [SimpleNamespace(name=name, onto=onto) for name, onto in gradient.trained.items()]
    if not view.is_readout:
        view.records_rate = network.learning.follows_rates
        view.records = [
            SimpleNamespace(variable=PSEUDO_DERIVATIVE.name, array="psi"),
            *([SimpleNamespace(variable=FILTERED_RATE.name, array="rate")] if view.records_rate else []),
            *(SimpleNamespace(variable=recorded_name(name), array=recorded_name(name)) for name in gradient.recorded),
        ]
        view.recorded = [recorded_name(name) for name in gradient.recorded]
        view.rule = rule_view(network, index, population)
        view.onto_hidden = [
            SimpleNamespace(
                name=one.name,
                target=one.target.name,
                delays=one.delays is not None,
                back_of=_back_of(network, one),
            )
            for one in onto_hidden(network, population)
        ]
        view.records += [SimpleNamespace(variable=name, array=name) for name in view.rule.kept]
    return view


def _incoming(view: SimpleNamespace) -> SimpleNamespace:
    state = [
        SimpleNamespace(name=one.name, begins=f"{float(one.initial)!r}f" if one.ctype == "float" else one.initial)
        for one in view.receptor.state
    ]
    return SimpleNamespace(name=view.name, input_ring=view.input_ring, receptor=SimpleNamespace(state=state))


def _loss(configured: Configured[Loss]) -> SimpleNamespace:
    view = model_view(configured)
    # A GPU's thread has a sample to itself: what cannot overlap may be read ahead of what is written.
    read, changed = "const float* __restrict__", "float* __restrict__"
    common = [
        Argument("const int", "label", "label"),
        Argument("const int", "n_outputs", "n_outputs"),
        Argument(changed, "error", "error"),
        Argument(changed, "score", "score"),
    ]
    step = [Argument(read, "output", "output"), Argument(read, "target", "target")]
    behind = [Argument("const int", "n_scored", "n_scored")]
    if configured.model.draws:
        behind.append(Argument("Sequence<EntityBlocks>&", "random", "random"))
    constants = constant_arguments(configured)
    view.functions = {
        "step": SnippetFunction("loss_of_step", "float", (*common, *step, *constants)),
        "sample": SnippetFunction("loss_of_sample", "float", (*common, *behind, *constants)),
    }
    view.sees_in, view.draws = seen(view), configured.model.draws
    return view


def _optimise(name: str, optimiser: Configured[Optimiser]) -> SnippetFunction:
    """``update`` of an optimiser, for the weight numbered ``at``."""

    def changed(variable: Variable) -> Argument:
        return Argument("float&", variable.name, f"hpcsnn_all_{variable.name}[at]")

    arguments = (
        Argument("float&", "weight", "weight_of[at]"),
        Argument("const float", "gradient", "gradient"),
        *(changed(one) for one in optimiser.model.variables),
        *constant_arguments(optimiser),
        *(Argument("const float", one, f"constant_{one}") for one in optimiser.model.of_batch),
    )
    return SnippetFunction(name, "void", arguments)
