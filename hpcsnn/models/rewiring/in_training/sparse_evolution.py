"""SET: every few batches the weakest synapses go, and as many come anywhere."""

from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.turnover import SCHEDULE, Turnover, check_schedule, numbers_of_schedule

SparseEvolution = RewiringRule(
    "sparse_evolution",
    "Every few batches a fraction of the synapses goes, those with the smallest weights, and as many come anywhere.",
    parameters={
        **SCHEDULE,
        "new_weight": Parameter(0.0, "weight", "new ones are uniform between this and its negative", minimum=0.0),
    },
    check=check_schedule,
    trigger="call",
    turnover=Turnover(numbers_of_schedule),
    initial="new_weight * (2.0f * random.uniform() - 1.0f)",
    bound="new_weight",
    reasons=("weight",),
    replace="projection",
    source="SET, Mocanu et al. 2018, doi 10.1038/s41467-018-04316-3; of spiking networks Shen et al. 2023, ESL-SNNs",
)
