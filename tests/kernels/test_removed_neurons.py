"""Neurons that are removed: silent, and all else is as if the synapses from them were not there."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice

SIZE, REMOVED = 36, {"noise": [0, 7, 35], "cells": [1, 2, 30]}


def network(removed, cut):
    """Noise onto cells and cells onto each other, with STDP; `cut` leaves out the synapses from what is removed."""
    network = Network(seed=4)
    of = {name: ids if removed else None for name, ids in REMOVED.items()}
    network.add_population("noise", SIZE, models.Poisson(rate_hz=90), record_spikes=True, remove=of["noise"])
    initial = {"V_mV": models.Uniform(-70, -56)}
    network.add_population("cells", Grid(6, 6), models.LIF(), initial, record_spikes=True, remove=of["cells"])
    random = np.random.default_rng(2)
    for name, source in (("drive", "noise"), ("between", "cells")):
        pre, post = np.divmod(random.permutation(SIZE * SIZE)[:500], SIZE)
        kept = (pre != post) & ~(np.isin(pre, REMOVED[source]) & cut)
        connector = models.ExplicitList(pre=pre[kept].tolist(), post=post[kept].tolist(), weight=[9.0] * kept.sum())
        synapse = models.AdditiveSTDP(w_max=12.0, a_plus=0.1)
        current = models.ExponentialCurrent(tau_ms=5)
        network.add_projection(name, source, "cells", connector, current, 9.0, synapse, delay_ms=1.5)
    return network


def ran(removed, cut):
    simulation = Simulation(network(removed, cut), device=HostDevice(("-O0",)), tile=2)
    simulation.run(80.0)
    return simulation


def test_all_else_is_as_if_the_synapses_from_them_were_not_there():
    """The second network has other kernels, and other synapses: they agree on the spikes of all that is not removed,
    on the variables of these, and on every synapse from and onto them."""
    silent, cut = ran(removed=True, cut=True), ran(removed=False, cut=True)
    whole = ran(removed=True, cut=False)
    for name, ids in REMOVED.items():
        steps, of = cut.spikes(name)
        there = ~np.isin(of, ids)
        assert (~there).sum() > 3
        assert there.sum() > 100
        for other in (silent, whole):
            np.testing.assert_array_equal(np.stack(other.spikes(name)), np.stack([steps[there], of[there]]))
            assert other.state.total_spikes(name) == there.sum()
    there = np.delete(np.arange(SIZE), REMOVED["cells"])
    for column, values in cut.neurons("cells").items():
        np.testing.assert_array_equal(whole.neurons("cells")[column][there], values[there])
    for name, source in (("drive", "noise"), ("between", "cells")):
        one, other = cut.synapses(name), whole.synapses(name)
        kept = ~np.isin(other["pre"], REMOVED[source])
        alive = ~np.isin(one["post"], REMOVED["cells"])  # whose own spikes change no weight
        for column in ("pre", "post", "weight"):
            np.testing.assert_array_equal(other[column][kept][alive], one[column][alive])
        dead = np.isin(other["post"], REMOVED["cells"]) & kept
        assert (other["weight"][dead] <= 9.0).all(), "nothing is potentiated without a spike"
        assert (other["weight"][~np.isin(other["post"], REMOVED["cells"])] > 9.0).any()


@pytest.mark.parametrize(("given", "said"), [(36, "populations.a.remove: 36 is not"), ([], "it is no neuron")])
def test_neurons_that_there_are_not_are_refused(given, said):
    with pytest.raises(ConfigurationError, match=said):
        Network().add_population("a", SIZE, models.LIF(), remove=given)


def test_all_may_be_removed():
    assert len(Network().add_population("a", SIZE, models.LIF(), remove="all").removed) == SIZE
