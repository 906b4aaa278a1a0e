"""A network that is sent to another process has the same answer there."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map

OWN = """from hpcsnn.models import NeuronModel, Parameter, Variable
Leaky = NeuronModel(
    "leaky", "Decays.", parameters={"leak": Parameter(0.01, "1/ms", "how fast")},
    state=(Variable("V_mV", 0.5, "mV"),), update="V_mV += dt_ms * (input_current - leak * V_mV);",
    threshold="V_mV > 1.0f", reset="V_mV = 0.0f;", check=lambda where, values: None,
)
"""


def digest_after(network, duration_ms):
    """In whatever process this runs."""
    simulation = Simulation(network, device="cpu")
    simulation.run(duration_ms)
    return simulation_digest(simulation)


def with_a_model_of_a_file(folder):
    (folder / "own.py").write_text(OWN)
    configuration = parse_configuration(
        {
            "seed": 1,
            "duration_ms": 10,
            "populations": {
                "noise": {"grid": [8, 1], "model": {"poisson": {"rate_hz": 100}}},
                "cells": {"grid": [8, 1], "model": f"{folder}/own.py:Leaky"},
            },
            "projections": {
                "drive": {
                    "source": "noise", "target": "cells", "connector": "one_to_one",
                    "receptor": "exponential_current", "weight": 0.1,
                }
            },
        }
    )  # fmt: skip
    return configuration.network()


@pytest.fixture(scope="module")
def elsewhere():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_a_network_has_the_same_digest_in_a_spawned_process(elsewhere):
    network = topographic_map()
    assert elsewhere.submit(digest_after, network, 50.0).result() == digest_after(network, 50.0)


def test_so_has_one_with_a_model_of_a_file_whose_functions_have_no_names(elsewhere, tmp_path):
    network = with_a_model_of_a_file(tmp_path)
    assert elsewhere.submit(digest_after, network, 10.0).result() == digest_after(network, 10.0)


def test_a_simulation_says_what_to_pickle_instead():
    network = Network()
    network.add_population("cells", 4, models.LIF())
    simulation = Simulation(network, device="cpu")
    with pytest.raises(TypeError, match=r"^a Simulation cannot be pickled: .* pickle its network and make one from it"):
        pickle.dumps(simulation)
