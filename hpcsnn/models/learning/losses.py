"""Losses: what is wrong with an answer. A new one is one more `Loss` in this file, or in a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpcsnn.models.base import Model
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.snippet_text import mentioned


@dataclass(frozen=True, repr=False)
class Loss(Model):
    """The loss of a sample: a sum over its scored steps, or of what these add up to.

    ``step`` runs in each scored step and returns the step's loss; it sees ``output`` (the readout's potentials, float,
    ``n_outputs`` of them), ``label``, ``target`` (floats, where samples have targets in place of labels), sets
    ``error`` (the derivative of the loss by each output) and adds to ``score``, of which the largest is the answer.
    ``sample`` runs behind the last step, if it is given, and returns a loss; it sees ``score``, ``label``,
    ``n_outputs`` and ``n_scored`` (steps), and sets the ``error`` of every scored step. Where it mentions ``random``,
    ``random.uniform()`` is a number in [0, 1), and ``random.next()`` 32 bits, of this sample and batch.
    """

    KIND: ClassVar[str] = "loss"
    SEES: ClassVar[tuple[str, ...]] = ("output", "n_outputs", "label", "target", "error", "score", "n_scored", "random")

    step: str = ""
    sample: str = ""
    of_targets: bool = False

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers of its own."""
        return mentioned(r"\brandom\b", (self.sample,))


CrossEntropy = Loss(
    "cross_entropy",
    "Minus the logarithm of the label's share in the softmax over outputs, summed over steps.",
    step="""
float most = output[0], total = 0.0f;
for (int k = 1; k < n_outputs; ++k) most = output[k] > most ? output[k] : most;
for (int k = 0; k < n_outputs; ++k) error[k] = exponential(output[k] - most);
for (int k = 0; k < n_outputs; ++k) total += error[k];
for (int k = 0; k < n_outputs; ++k) {
    const float share = error[k] / total;
    score[k] += share;
    error[k] = k == label ? share - 1.0f : share;
}
return logarithm(total) - (output[label] - most);
""",
    source="Bellec et al. 2020, Nat. Commun. 11:3625, eq. 38 and below; the answer as in mlGeNN, by summed softmax",
)

# Of a `sample`: in each output's error its part of the softmax over mean scores, before it is divided by the `total`.
_SOFTMAX_OF_MEANS = """
const float n_steps = (float)n_scored;
float most = score[0] / n_steps, total = 0.0f;
for (int k = 1; k < n_outputs; ++k) most = score[k] / n_steps > most ? score[k] / n_steps : most;
for (int k = 0; k < n_outputs; ++k) error[k] = exponential(score[k] / n_steps - most);
for (int k = 0; k < n_outputs; ++k) total += error[k];
"""

SummedCrossEntropy = Loss(
    "summed_cross_entropy",
    "Minus the logarithm of the label's share in the softmax over the outputs' means over the scored steps.",
    step="""
for (int k = 0; k < n_outputs; ++k) {
    score[k] += output[k];
    error[k] = 0.0f;
}
return 0.0f;
""",
    sample=_SOFTMAX_OF_MEANS
    + """for (int k = 0; k < n_outputs; ++k) {
    const float share = error[k] / total;
    error[k] = (k == label ? share - 1.0f : share) / n_steps;
}
return logarithm(total) - (score[label] / n_steps - most);
""",
    source="mean membrane potential of leaky readouts: Cramer, Stradmann, Schemmel & Zenke 2022, IEEE TNNLS 33:2744",
)

MissedReward = Loss(
    "missed_reward",
    "One less the reward for an action that is drawn from the softmax over mean outputs: 1 if it is the label.",
    parameters={
        "baseline": Parameter(0.5, "", "reward that is expected, beside which one is better or worse", minimum=0.0),
    },
    step=SummedCrossEntropy.step,
    sample=_SOFTMAX_OF_MEANS
    + """const float drawn = random.uniform() * total;
int action = 0;
for (float below = error[0]; action + 1 < n_outputs && drawn >= below; below += error[action]) ++action;
const float reward = action == label ? 1.0f : 0.0f;
for (int k = 0; k < n_outputs; ++k)
    error[k] = (reward - baseline) * (error[k] / total - (k == action ? 1.0f : 0.0f)) / n_steps;
return 1.0f - reward;
""",
    source="reward-based e-prop: Bellec et al. 2020, Nat. Commun. 11:3625, with one action a sample; the gradient of "
    "the expected reward by Williams 1992, Mach. Learn. 8:229",
)

SquaredError = Loss(
    "squared_error",
    "Half the squared difference of outputs and targets, summed over outputs and steps.",
    step="""
float total = 0.0f;
for (int k = 0; k < n_outputs; ++k) {
    const float difference = output[k] - target[k];
    score[k] += output[k];
    error[k] = difference;
    total += 0.5f * difference * difference;
}
return total;
""",
    of_targets=True,
    source="Bellec et al. 2020, Nat. Commun. 11:3625, eq. 5",
)
