"""Whatever kernels of training call their own things, losses, optimisers and neurons may call theirs so too."""

from __future__ import annotations

import dataclasses

from hpcsnn import Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import Loss, NeuronModel, Optimiser, SynapseModel, Variable
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from support.kernel_names import constants, free

N_STEPS = 6


def trained(hidden=models.LIFSubtractive, readout=models.LeakyReadout, loss=models.CrossEntropy, optimiser=models.SGD):
    """A trainer, after a batch of two samples whose channels spike in the first step."""
    network = Network(seed=1, dt_ms=1.0)
    for name, n, model in (("a", 3, models.SampleInput), ("b", 4, hidden), ("c", 2, readout)):
        network.add_population(name, n, model())
    for source, target in ("ab", "bc"):
        network.add_projection(
            f"{source}{target}", source, target, models.AllToAll(), models.DeltaCurrent(), 0.5, models.Trained()
        )
    samples = Samples.from_events(
        [0, 0, 1, 1], [0.0] * 4, [0, 1, 1, 2], n_channels=3, duration_ms=N_STEPS, labels=[0, 1]
    )
    device = HostDevice(("-O0",))
    trainer = Trainer(network, "c", N_STEPS, loss=loss(), optimiser=optimiser(), device=device)
    return trainer, trainer.train_batch(samples)


def test_constants_of_what_learns_may_have_any_name_of_the_kernels():
    given, wrong = constants(Loss, "parameters")
    loss = Loss(
        "mine", "", **given, step=f"for (int i = 0; i < n_outputs; ++i) error[i] = 0.0f;\nreturn (float){wrong};",
        sample=f"return (float){wrong};",
    )  # fmt: skip
    given, wrong = constants(Optimiser, "parameters")
    optimiser = Optimiser("mine", "", **given, update=f"weight = 0.25f + (float){wrong};")
    trainer, result = trained(loss=loss, optimiser=optimiser)
    assert result.loss == 0.0
    assert set(trainer.synapses("ab")["weight"].tolist()) == set(trainer.neurons("c")["bias"].tolist()) == {0.25}


def test_an_optimisers_variables_may_have_any_name_of_the_kernels():
    names = free(Optimiser, "variables", lambda name: (Variable(name),))
    taken = {"pre", "post", "source", "weight", *SynapseModel.SEES, *NeuronModel.SEES}  # they are the synapse's too
    optimiser = Optimiser(
        "mine", "", variables=tuple(Variable(name) for name in names if name not in taken),
        update="".join(f"{name} += {number}.0f;" for number, name in enumerate(names) if name not in taken),
    )  # fmt: skip
    trainer, _ = trained(optimiser=optimiser)
    synapses, outputs = trainer.synapses("bc"), trainer.neurons("c")
    for number, name in enumerate(names):
        if name not in taken:
            assert set(synapses[name].tolist()) == set(outputs[f"bias_{name}"].tolist()) == {number}, name


def test_variables_that_carry_a_gradient_may_have_any_name_of_the_kernels():
    """All variables but the first carry nothing of their own: the gradient is that of the plain neuron."""
    names = [name for name in free(NeuronModel, "state", lambda name: (Variable(name),)) if name not in BY_LEARNING]
    names = [name for name in names if not name.endswith("_")]  # with what the optimiser adds, C++ keeps them
    plain, plain_result = trained()
    hidden = dataclasses.replace(
        models.LIFSubtractive,
        state=(*models.LIFSubtractive.state, *map(Variable, names)),
        gradient=dataclasses.replace(
            models.LIFSubtractive.gradient, carry={("V", "V"): "decay", **{(name, name): "1.0f" for name in names}}
        ),
    )
    readout = dataclasses.replace(
        models.LeakyReadout,
        state=(*models.LeakyReadout.state, *map(Variable, names)),
        update=f"V = decay * V + input_current + bias{''.join(f' + {name}' for name in names)};",
        gradient=dataclasses.replace(models.LeakyReadout.gradient, trained={"bias": "V", **dict.fromkeys(names, "V")}),
    )
    trainer, result = trained(hidden, readout)
    assert result == plain_result
    assert trainer.synapses("ab")["weight"].tobytes() == plain.synapses("ab")["weight"].tobytes()
    outputs, expected = trainer.neurons("c"), plain.neurons("c")["bias"].tolist()
    for name in ("bias", *names):
        assert outputs[name].tolist() == expected, name


# What the shipped neurons of these tests have, and what training adds.
BY_LEARNING = {
    *("V", "silent_steps", "bias", "pseudo_derivative", "filtered_rate", "surrogate_height", "rate_decay"),
    *(models.LIFSubtractive.parameters | models.LIFSubtractive.derived | models.LeakyReadout.parameters),
}
