"""The structs that kernels of training see, beside those of `hpcsnn.codegen.structs`."""

from __future__ import annotations

from hpcsnn.codegen.structs import Members, Struct, each_member, model_numbers, network_struct, pointers
from hpcsnn.network import Network
from hpcsnn.network.learning import hidden_populations, kept_variables, trained_projections
from hpcsnn.network.learning_fields import learner_fields, sample_fields, trained_fields


def learning_struct(network: Network) -> Struct:
    """All that a rank holds for training."""
    learning = network.learning
    assert learning is not None
    members: Members = [
        *each_member(
            "int",
            "sample_steps",
            "replicas",
            "n_samples",
            "batch_samples",
            "batch_number",
            "n_outputs",
            "outputs_stride",
            "ahead",
            "learns",
        ),
        # Of windows: their length; steps behind one that are carried on to it, and the step in which spikes come that
        # never do; whether steps are recorded; whether they have been simulated before; which copy of the state.
        *(
            each_member("int", "window_steps", "carried_steps", "never", "records", "replays", "aside")
            if learning.windowed
            else ()
        ),
        *each_member("float", "gradient_factor", "largest_gradient"),
        *pointers(sample_fields()),
        *model_numbers("rule_", learning.rule),
        *model_numbers("optimiser_", learning.optimiser),
        *model_numbers("loss_", learning.loss),
        *((f"optimiser_{name}", "float") for name in learning.optimiser.model.of_batch),
    ]
    hidden = [one.name for one in hidden_populations(network)]
    for name, population in network.populations.items():
        numbers: Members = []
        if name in hidden:
            numbers = [
                ("feedback_shift", "int"),
                ("rate_target", "float"),
                ("rate_pull", "float"),
                ("local_kept", "float"),
            ]
        if not population.is_source:
            kept = kept_variables(network, population)
            numbers += [(f"begins_{one.name}", one.ctype) for one in population.state if one.name not in kept]
        fields = pointers(learner_fields(network, population))
        members.append((f"population_{name}", Struct(f"Learner_{name}", [*numbers, *fields])))
    for projection in trained_projections(network):
        members.append(
            (
                f"projection_{projection.name}",
                Struct(
                    f"Trained_{projection.name}",
                    [("weight_limit", "float"), ("shift", "int"), *pointers(trained_fields(network, projection))],
                ),
            )
        )
    return Struct("Learning", members)


def whole_struct(network: Network) -> Struct:
    """All that a rank holds of a network, whether it learns or not."""
    return network_struct(network, [learning_struct(network)] if network.learning else [])
