"""Arguments of another kind than those asked for: refused by name and value, before anything is done with them."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.devices import HostDevice, choose_device
from hpcsnn.engine.recording.recorded import Recorded
from hpcsnn.errors import check_known
from hpcsnn.ranks.communicator import communicator

UNHASHABLE = [np.array(["cells", "noise"]), ["cells"], {"cells": 1}, {"cells"}]


def kind(value):
    """What tests are told apart by: a value's own words may hold an address."""
    return type(value).__name__


@pytest.mark.parametrize("name", [*UNHASHABLE, None, 3, 1.5, b"cells", "cell"], ids=kind)
def test_only_a_name_that_is_there_is_known(name):
    with pytest.raises(ConfigurationError, match=r"^population: unknown name .*; allowed: cells, noise\."):
        check_known("population", name, {"noise": 1, "cells": 2})
    assert check_known("population", "cells", {"noise": 1, "cells": 2}) == "cells"


def test_a_name_that_is_none_is_shown_in_short():
    with pytest.raises(ConfigurationError) as refused:
        check_known("population", list(range(10_000)), ())
    assert "unknown name [0, 1, 2, 3, " in str(refused.value)
    assert len(str(refused.value)) < 120


def network():
    declared = Network()
    declared.add_population("noise", 3, models.Poisson(), record_spikes=True)
    declared.add_population("cells", 3, models.LIF())
    return declared


@pytest.mark.parametrize("name", UNHASHABLE, ids=kind)
def test_populations_and_records_are_asked_for_by_name(name):
    parts = models.OneToOne(), models.DeltaCurrent(), 1.0
    with pytest.raises(ConfigurationError, match=r"^projections\.p\.source: unknown name .*allowed: cells, noise"):
        network().add_projection("p", name, "cells", *parts)
    recorded = Recorded(network(), None)
    with pytest.raises(ConfigurationError, match=r"^population with record_spikes: unknown name .*allowed: noise"):
        recorded.spikes(name)
    with pytest.raises(ConfigurationError, match=r"^projection with record_events: unknown name .*allowed: .none."):
        recorded.events(name)


@pytest.mark.parametrize("initial", [3, "V_mV", [1.0], (1, 2), np.zeros(3)], ids=kind)
def test_initial_values_come_by_name(initial):
    with pytest.raises(ConfigurationError, match=r"^populations\.more\.initial: .* must be values by variable$"):
        network().add_population("more", 3, models.LIF(), initial)


@pytest.mark.parametrize("what", [3, "lif", {"a": 1}, models.LIF()], ids=kind)
def test_a_simulation_needs_a_network_and_ranks(what):
    with pytest.raises(ConfigurationError, match=r"^network: .* is not allowed; must be a Network$"):
        Simulation(what, device="cpu")
    with pytest.raises(ConfigurationError, match=r"^comm: .* is not allowed; must be None, an mpi4py communicator"):
        communicator(what)


@pytest.mark.parametrize("what", ["tpu", 3, None, ["cpu"], HostDevice, models.LIF()], ids=kind)
def test_a_device_is_chosen_by_name_or_given(what):
    with pytest.raises(ConfigurationError, match=r"^device: .* must be one of auto, cpu, gpu, or a Device$"):
        choose_device(what)
    given = HostDevice()
    assert choose_device(given) is given
