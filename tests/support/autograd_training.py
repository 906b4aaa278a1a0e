"""The exact gradient by PyTorch's automatic differentiation, in float64, and nothing derived by hand.

What is cut is cut by `detach`, as e-prop cuts it: spikes that hidden neurons send to hidden neurons, unless gradients
go `through` them, the subtractive reset and the refractory clock. What is left: a hidden neuron's spikes reach the
readout, its own adaptation, and the count that rates are held to; their derivative is the surrogate psi.
"""

from __future__ import annotations

import numpy as np
import torch

from support.trained_nets import INPUT, Batch, Net, Neurons, Outcome, Regularisation

torch.set_num_threads(1)  # networks are small, and tests run side by side
DTYPE = torch.float64


class Spike(torch.autograd.Function):
    """A step function of the distance to the threshold whose derivative is handed in."""

    @staticmethod
    def forward(ctx, distance, psi, free):
        ctx.save_for_backward(psi)
        return ((distance >= 0) & free).to(DTYPE)

    @staticmethod
    def backward(ctx, gradient):
        (psi,) = ctx.saved_tensors
        return gradient * psi, None, None


class Hidden:
    """State of a population over a batch; `spikes` has one tensor a step."""

    def __init__(self, neurons: Neurons, n_samples: int) -> None:
        self.neurons, shape = neurons, (n_samples, neurons.size)
        self.v, self.a = torch.zeros(shape, dtype=DTYPE), torch.zeros(shape, dtype=DTYPE)
        self.left = torch.zeros(shape, dtype=torch.int64)
        self.spikes: list[torch.Tensor] = []
        self.margin = np.inf

    def step(self, arriving: torch.Tensor) -> None:
        its = self.neurons
        v, a = its.alpha * self.v + arriving, its.rho * self.a
        left = torch.clamp(self.left - 1, min=0)
        distance, free = v - (its.v_threshold + its.beta * a), left == 0
        width = its.v_threshold
        psi = its.gamma / width * torch.clamp(1 - distance.detach().abs() / width, min=0) * free
        spikes = Spike.apply(distance, psi, free)
        if free.any():
            self.margin = min(self.margin, float(distance.detach()[free].abs().min()))
        self.v, self.a = v - its.v_threshold * spikes.detach(), a + spikes
        self.left = torch.where(spikes.detach() > 0, its.refractory_steps, left)
        self.spikes.append(spikes)


def differentiate(
    net: Net,
    batch: Batch,
    regularisation: Regularisation = Regularisation(),  # noqa: B008
    through: bool = False,
) -> Outcome:
    """A batch's spikes, loss and gradients."""
    n_samples, n_steps, _ = batch.spikes.shape
    given = torch.tensor(batch.spikes, dtype=DTYPE)
    weights = {
        name: torch.tensor(projection.in_use, dtype=DTYPE, requires_grad=True)
        for name, projection in net.projections.items()
    }
    bias = torch.tensor(net.bias, dtype=DTYPE, requires_grad=True)
    by_delay = {
        name: {delay: torch.tensor(chosen, dtype=DTYPE) for delay, chosen in projection.by_delay.items()}
        for name, projection in net.projections.items()
    }
    hidden = {name: Hidden(neurons, n_samples) for name, neurons in net.populations.items()}

    def arriving(target: str, step: int, size: int) -> torch.Tensor:
        total = torch.zeros((n_samples, size), dtype=DTYPE)
        for name, projection in net.incoming(target).items():
            for delay, chosen in by_delay[name].items():
                for later, part in enumerate(projection.response[: max(step - delay + 1, 0)]):
                    sent = step - delay - later
                    spikes = given[:, sent] if projection.source == INPUT else hidden[projection.source].spikes[sent]
                    spikes = spikes if through or target == net.readout else spikes.detach()
                    total = total + float(part) * spikes @ (weights[name] * chosen)
        return total

    y, trace = torch.zeros((n_samples, len(net.bias)), dtype=DTYPE), []
    for step in range(n_steps):
        for name, population in hidden.items():
            population.step(arriving(name, step, population.neurons.size))
        y = net.alpha_out * y + arriving(net.readout, step, len(net.bias)) + bias
        trace.append(y)
    readout = torch.stack(trace, 1)
    labels = torch.tensor(batch.labels, dtype=torch.int64)
    chances = torch.log_softmax(readout[:, batch.first_scored_step :], -1)
    loss = -chances[torch.arange(n_samples), :, labels].sum(1)
    penalty = torch.zeros(n_samples, dtype=DTYPE)
    for population in hidden.values():
        excess = torch.stack(population.spikes).sum(0) / n_steps - regularisation.rate
        penalty = penalty + regularisation.strength / 2 * (excess**2).sum(1)
    (loss + penalty).sum().backward()
    return Outcome(
        {name: torch.stack(population.spikes, 1).detach().numpy() > 0 for name, population in hidden.items()},
        readout.detach().numpy(),
        loss.detach().numpy(),
        penalty.detach().numpy(),
        {name: of(w) * net.projections[name].mask for name, w in weights.items()},
        of(bias),
        min(population.margin for population in hidden.values()),
    )


def of(parameter: torch.Tensor) -> np.ndarray:
    """The gradient of a parameter; what the loss does not depend on has none."""
    return np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy()
