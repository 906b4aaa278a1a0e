"""A rewiring rule of your own, for a configuration to name.

Let it rewire the map that ships, see what it runs, and put it to the tests that any rule must pass:

    $ hpcsnn run topomap --set projections.ff.rewiring=examples/own_rule.py:MyRule --set duration_ms=2000 --no-figures
    $ hpcsnn rules show examples/own_rule.py
    $ hpcsnn rules test examples/own_rule.py
"""

from hpcsnn.models import UNIFORM, Parameter, RewiringRule, probability

MyRule = RewiringRule(
    "capped",
    "Weak synapses go; new ones come within a distance, but not to targets that have enough.",
    parameters={
        "p_form": probability(0.1, "chance to form"),
        "within": Parameter(4, "grid units", "how far a synapse may reach", ctype="int", minimum=0),
        "enough": Parameter(24, "synapses", "in-degree at which a target takes no more", ctype="int", minimum=1),
    },
    select=UNIFORM,
    eliminate="weight < 0.05f",
    form="in_degree < enough && distance_squared <= within * within ? p_form : false",
    reach_squared=lambda values: values["within"] ** 2,
)
