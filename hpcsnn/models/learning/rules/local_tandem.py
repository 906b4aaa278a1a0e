"""Local tandem learning (Yang et al. 2022): hidden neurons are to spike as often as those of a trained network say."""

from hpcsnn.models.learning.rule import DAMPENING, LearningRule

LocalTandem = LearningRule(
    "local_tandem",
    "Local tandem learning: each hidden neuron is drawn to the rate that a teacher has for it in the sample.",
    parameters=DAMPENING,
    signal="return rate - teacher_rate;",
    source="Yang et al. 2022, NeurIPS 35, offline: the gradient of n_steps / 2 (rate - teacher_rate)^2 in the neuron's "
    "own time; the rates are a file's (docs/learning_rules.md)",
)
