"""EventProp (Wunderlich & Pehle 2021): the gradient by the times of the spikes that there are, without a surrogate.

In exact time a spike happens where V crosses the threshold. A V that is higher by a little there lets it happen
earlier, by that little over the slope of V; had it happened later, what it does elsewhere and to V would have come
later. In steps, with p(t) what one more unit of V before a reset changes of the loss, a = exp(-dt / tau_m) and c the
input current:

    S(t) = heard(t) + through(t)        what a spike in step t does elsewhere; one step later it is S(t + 1)
    r(t) = a p(t + 1)                   of V behind the reset
    slope(t) = c(t) - (1 - a) V_threshold, how much V rises in a step at the threshold
    p(t) = r(t) + at a spike: ((1 - a) V_threshold r(t) - (S(t + 1) - S(t))) / slope(t)

The first term in brackets is that V, if the threshold is taken from it a step later, will not have leaked (1 - a) of it
yet. In the paper's form, where V is set to 0, the slope behind the spike is c; over slope(t) that is the same factor,
c / slope = 1 + (1 - a) V_threshold / slope: at the threshold, to set V to 0 and to take the threshold away are one
thing, and where a step ends beyond it, what is beyond stays, as in exact time. So ``lif_subtractive`` is the neuron
here. For small steps p is the paper's lambda_V up to sign and unit, and what ``exponential_current`` makes of it
lambda_I.

A spike that only waited for the end of the refractory period happens when that ends: its time has no gradient, nor has
the reset then. No gradient makes a silent neuron spike; `PULL` adds to p at each spike, which the exact gradient of a
count does not have, as the authors' code does.
"""

from hpcsnn.models.learning.rule import FEEDBACK, PULL, LearningRule
from hpcsnn.models.parameters import Parameter

EventProp = LearningRule(
    "eventprop",
    "EventProp: the gradient by the times of spikes, exact for small steps; of neurons whose potential has no jumps.",
    parameters={
        "least_slope": Parameter(
            0.01, "1/ms", "of the potential at a spike, in thresholds: a spike counts as if it had this one", above=0.0
        ),
        "most": Parameter(
            200.0, "loss / V", "at which what V changes of the loss is held: it may grow at every spike", above=0.0
        ),
        **FEEDBACK,
        **PULL,
    },
    shape="0.0f",
    # 0 where it had been above the threshold before, and was not free to spike.
    recorded={"slope": "V - input_current < decay * V_threshold ? input_current - (1.0f - decay) * V_threshold : 0.0f"},
    filters=("of_later_V", "heard_later"),
    signal="return 0.0f;",  # what comes with it is the pull
    backward="""
float of_V = decay * of_later_V;
if (spiked > 0.0f) {
    const float least = least_slope * V_threshold * dt_ms;
    const float later = heard_later + through_later - (heard + through);
    if (slope > 0.0f) of_V += ((1.0f - decay) * V_threshold * of_V - later) / (slope > least ? slope : least);
    of_V += signal;
    of_V = of_V > most ? most : of_V < -most ? -most : of_V;
}
heard_later = heard;
of_later_V = of_V;
return of_V;
""",
    neurons=("lif_subtractive",),
    receptors=("exponential_current", "alpha_current"),
    source="Wunderlich & Pehle 2021, Sci. Rep. 11:12829; Nowotny, Turner & Knight 2025, NCE 5:014001",
)
