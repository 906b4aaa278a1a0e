"""The functions that a learning rule's snippets become: those of a neuron's step, and those that go back in time."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from hpcsnn.codegen.snippet_functions import Argument, SnippetFunction, constant_arguments
from hpcsnn.codegen.views import model_view
from hpcsnn.models.base import Configured
from hpcsnn.models.learning import LearningRule
from hpcsnn.network import Network, Population
from hpcsnn.network.learning import (
    PSEUDO_DERIVATIVE,
    added_state,
    gradient_of,
    recorded_name,
    rule_recorded,
    rule_variable,
)

# What a kernel's names of the rule's constants begin with.
LOCAL = "rule_"
# Where the kernel has what a rule sees of neuron k, if it asks for it.
_OF_NEURON = {
    "heard": "heard_of[k]",
    "error": "error_of[k]",
    "local_error": "local_error_of[k]",
    "label_weight": "of_label[k]",
    "rate": "rate_of_sample[k]",
    "teacher_rate": "teacher_rate_of[k]",
    "spiked": "spiked_of[k]",
}


def step_view(network: Network, population: Population, neurons: SimpleNamespace) -> SimpleNamespace:
    """What a step of a hidden population, of which `neurons` is the view, does for training behind the model's own
    ``update``."""
    assert network.learning is not None
    configured, gradient = network.learning.rule, gradient_of(population)
    view, constants = model_view(configured), constant_arguments(configured, LOCAL)
    rule = configured.model
    handed = [Argument(one.ctype, f"hpcsnn_{LOCAL}{one.name}", one.value) for one in constants]
    seen = [Argument(one.ctype, one.name, f"hpcsnn_{LOCAL}{one.name}") for one in constants]
    name, step = f"population_{neurons.index}_rule", neurons.model.functions["step"]
    distance = [Argument("const float", "distance", "hpcsnn_distance"), Argument("const float", "away", "hpcsnn_away")]
    functions = {"shape": SnippetFunction(f"{name}_shape", "float", (*distance, *seen))}
    own = [
        distance[0],
        Argument("const float", "surrogate", PSEUDO_DERIVATIVE.name),
        *(Argument("const float", one, one) for one in ("input_current", "dt_ms")),
        *seen,
    ]
    variables = [Argument("float&", one.name, rule_variable(one.name)) for one in rule.variables]
    hidden = {one.name for one in (*own, *variables)} | {one.name for one in added_state(network.learning, gradient)}
    state = [Argument(f"const {one.ctype}", one.name, one.name) for one in population.state if one.name not in hidden]
    for slot in ("update", "on_spike"):
        functions[slot] = SnippetFunction(f"{name}_{slot}", "void", (*own, *variables, *state))
    read = [replace(one, ctype="const float") for one in variables]
    functions |= {
        f"recorded.{one}": SnippetFunction(f"{name}_recorded_{number}", "float", (*own, *read, *state))
        for number, one in enumerate(rule.recorded)
    }
    view.sees_in = {slot: function.sees(rule.SEES) for slot, function in functions.items()}
    return SimpleNamespace(
        rule=view,
        functions=functions,
        step=replace(step, arguments=(*step.arguments, *handed)),
        recorded={rule_recorded(one): f"recorded.{one}" for one in rule.recorded},
        of_gradient={recorded_name(one): one for one in gradient.recorded},
        gradient=gradient,
    )


def rule_view(network: Network, index: int) -> SimpleNamespace:
    """What of a rule runs for hidden population number `index` behind a sample, from its last step to its first."""
    assert network.learning is not None
    configured: Configured[LearningRule] = network.learning.rule
    rule, view = configured.model, model_view(configured)
    view.kept = [rule_recorded(one) for one in rule.recorded]
    wanted = {name: rule.mentions(name) for name in _OF_NEURON}
    common = [
        *(Argument("const float", one, _OF_NEURON[one]) for one, is_wanted in wanted.items() if is_wanted),
        Argument("const float", "surrogate", "psi"),
        Argument("const int", "step", "sample_step"),
        Argument("const int", "n_steps", "sample_steps"),
        Argument("const float", "dt_ms", "dt_ms"),
        *(Argument("const float", one, f"{rule_recorded(one)}_of[at]") for one in rule.recorded),
        *(Argument("float&", one, f"filter_{one}[k]") for one in rule.filters),
        *constant_arguments(configured, LOCAL),
    ]
    name = f"population_{index}_rule"
    signal = Argument("const float", "signal", "signal[k]")
    behind = [signal, Argument("const float", "input_gradient", "input_gradient")]
    view.functions = {
        "signal": SnippetFunction(f"{name}_signal", "float", tuple(common)),
        "backward": SnippetFunction(f"{name}_backward", "float", (*behind, *common)),
    }
    view.wants = SimpleNamespace(**wanted)
    view.errors = [one for one in ("error", "local_error") if wanted[one]]
    view.sees_in = {slot: function.sees(rule.SEES) for slot, function in view.functions.items()}
    view.is_linear, view.local = rule.is_linear, LOCAL
    return view
