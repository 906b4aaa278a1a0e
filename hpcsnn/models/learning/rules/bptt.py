"""Backpropagation through time (surrogate gradients): what a spike changes, also by way of other hidden neurons.

With S_j(t) what a spike of neuron j in step t changes of the loss, psi the surrogate gradient, and G_i(t) what one more
unit of input to neuron i changes in step t (the recursion of each neuron's declaration, as for e-prop):

    S_j(t) = heard_j(t) + sum over i of w_ji G_i(t + d_ji)

e-prop is this without the sum, and the two are one where hidden neurons send to the readout alone. As there, and as in
the neurons' declarations, no gradient goes through what a spike resets: the potential that it takes away, and the
refractory period. What it adds to a neuron's adaptation is in the gradient.

Gradients through many spikes may grow from step to step without end: hence a dampening below e-prop's 0.3, with which
128 neurons at 60 Hz came to 79 to 92 % of the Japanese Vowels in place of 95, or beyond what adds up. And the sum is
held between +- ``most_through``, beyond which no gradient is of use; what it does not reach is exact.
"""

from dataclasses import replace

from hpcsnn.models.learning.rule import DAMPENING, FEEDBACK, PULL, LearningRule
from hpcsnn.models.parameters import Parameter

BPTT = LearningRule(
    "bptt",
    "Backpropagation through time: the gradient of the loss through all spikes, by a surrogate for each; slower than "
    "e-prop, since it goes back through synapses between hidden neurons in every step.",
    parameters={
        "dampening": replace(DAMPENING["dampening"], default=0.1),
        "most_through": Parameter(
            20.0, "loss / spike", "at which what a spike changes through other hidden neurons is held", above=0.0
        ),
        **FEEDBACK,
        **PULL,
    },
    signal="""
const float held = through > most_through ? most_through : through < -most_through ? -most_through : through;
return heard + held;
""",
    source="Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51; resets: Bellec et al. 2020",
)
