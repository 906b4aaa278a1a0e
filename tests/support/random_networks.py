"""Networks that are drawn from every kind of model there is: for properties of tables, structs, schedules and views."""

from __future__ import annotations

from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.models import rewiring

# Grids that blocks of every rule's side fit, with and without a second row.
GRIDS = st.sampled_from([Grid(4, 4), Grid(8, 4), Grid(12, 8)])
NEURONS = st.sampled_from(
    [
        models.LIF(),
        models.LIF(tau_m_ms=models.Uniform(10, 20), V_threshold_mV=models.Normal(-54, 1)),
        models.ALIF(),
        models.LIFBackground(),
        models.Izhikevich(a=models.Uniform(0.01, 0.03)),
        models.AdEx(),
    ]
)
SOURCES = st.sampled_from(
    [
        models.Poisson(),
        models.MovingGaussianPoisson(field_side=4, positions=3),
        models.SpikeArray(neurons=[0, 1], times_ms=[0.5, 2.0]),
    ]
)
RECEPTORS = st.sampled_from(
    [models.ExponentialCurrent(), models.ExponentialConductance(), models.DeltaCurrent(), models.AlphaCurrent()]
)
PLAIN_SYNAPSES = (models.Static(), models.AdditiveSTDP(), models.MultiplicativeSTDP(), models.TripletSTDP())
SYNAPSES = st.sampled_from(
    [
        *(*PLAIN_SYNAPSES, models.BCPNN(), models.TsodyksMarkram(), models.InhibitorySTDP()),
        *(models.Clopath(), models.DopamineSTDP(level=0.1)),
    ]
)
DELAYS_MS = st.sampled_from([None, 0.1, 1.5, models.Uniform(0.3, 2.0), models.Normal(1.0, 0.1)])
DENDRITIC_DELAYS_MS = st.sampled_from([0.0, 0.1, 1.3])
BLOCKS = {"block_side": 4, "attempts": 7}
# Rules for any two populations, and those that measure distances.
RULES = (rewiring.DeepR(), rewiring.Homeostatic())
RULES_OF_PLACES = (
    models.Bamford(p_max=0.5, sigma=1.0, **BLOCKS),
    models.Bamford(p_max=0.5, sigma=0.3, **BLOCKS),
    rewiring.Bamford2010(p_max=0.5, sigma=1.0, **BLOCKS),
    rewiring.LastToFire(p_max=0.5, sigma=1.0, **BLOCKS),
    rewiring.LocalProposals(sigma=1.0, p_form=0.1, **BLOCKS),
)


@st.composite
def networks(draw):
    """Up to two populations of stimuli and two of neurons, and up to four projections of all sorts."""
    network = Network(seed=draw(st.integers(0, 2**64 - 1)))
    grid = draw(GRIDS)  # most populations have the same one, as many connectors and rules ask for
    for name in draw(st.sampled_from([("in_a",), ("in_a", "in_b"), ()])):
        network.add_population(
            name, draw(st.sampled_from([grid, Grid(10, 1)])), draw(SOURCES), None, draw(st.booleans())
        )
    cells = draw(st.sampled_from([("a",), ("a", "b")]))
    for name in cells:
        network.add_population(name, grid, draw(NEURONS), {"V_mV": draw(st.sampled_from([-65, models.Normal(-65, 2)]))})
    for number in range(draw(st.sampled_from([2, 3, 4, 1, 0]))):
        ends = draw(st.sampled_from(list(network.populations))), draw(st.sampled_from(cells))
        _project(draw, network, f"p{number}", *ends)
    return network


@st.composite
def networks_with_small_populations(draw):
    """One population with a tile of side 8 for each of four ranks, and others that have one or two."""
    network = draw(networks())
    network.add_population("many", Grid(16, 16), models.Poisson(rate_hz=100), record_spikes=True)
    network.add_projection(
        "onto_a", "many", "a", models.FixedProbability(p=0.1), models.DeltaCurrent(), 0.1,
        draw(st.sampled_from([models.Static(), models.AdditiveSTDP()])),
        delay_ms=draw(st.sampled_from([1.0, models.Uniform(0.5, 2.0)])),
    )  # fmt: skip
    return network


def _project(draw, network, name, source, target):
    one_grid = network.populations[source].grid == network.populations[target].grid
    connectors = [
        models.FixedProbability(p=0.1),
        models.OneToOne(),
        models.AllToAll(),
        models.ExplicitList(pre=[0, 1], post=[2, 2], weight=[0.1, 0.05]),
        *([models.Gaussian(p_max=0.5, sigma=1.0)] if one_grid else []),
    ]
    synapse = draw(SYNAPSES)
    rules = [None, *RULES, *(RULES_OF_PLACES if one_grid else ())]
    if synapse.name == "bcpnn":
        rules = [None, rewiring.PatchSwaps()]
    network.add_projection(
        name, source, target, draw(st.sampled_from(connectors)), draw(RECEPTORS), 0.1, synapse,
        delay_ms=draw(DELAYS_MS), rewiring=draw(st.sampled_from(rules)), record_events=draw(st.booleans()),
        dendritic_delay_ms=0.0 if synapse.model.target_variables else draw(DENDRITIC_DELAYS_MS),
    )  # fmt: skip
