"""Whatever a user declares goes to another process: models by reference, networks with all that they hold."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys

import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.models.user_files import models_in
from support.networks import every_rule, everything, newer_models

SHIPPED = [model for kind in KINDS for model in registered(kind).values()]


def again(one):
    return pickle.loads(pickle.dumps(one))


@pytest.mark.parametrize("model", SHIPPED, ids=lambda model: model.name)
def test_a_shipped_model_is_itself_and_small(model):
    assert again(model) is model
    assert copy.deepcopy(model) is model
    assert len(pickle.dumps(model)) < 200


@pytest.mark.parametrize("model", SHIPPED, ids=lambda model: model.name)
def test_a_model_made_of_a_shipped_one_in_a_script_has_its_fields(model):
    """Nothing that a user's model may take over has a function without a name."""
    own = dataclasses.replace(model, name="own")
    assert again(own) == own
    assert again(own) is not own


def test_a_model_of_a_file_is_found_again_by_its_file(tmp_path):
    file = tmp_path / "own.py"
    text = 'from hpcsnn.models import LIF, NeuronModel\nMine = NeuronModel("mine", "", check=lambda *_: None)\n'
    file.write_text(text)
    mine = models_in(file)["Mine"]
    pickled = pickle.dumps(mine())
    assert pickle.loads(pickled).model is mine
    file.write_text(text + "\n")
    with pytest.raises(ConfigurationError, match=r"own\.py was changed after a model of it was pickled \(its text has"):
        pickle.loads(pickled)


@pytest.mark.parametrize("make", [everything, newer_models, every_rule])
def test_a_network_comes_out_as_it_went_in(make):
    network = make()
    other = again(network)
    assert (other.seed, other.dt_ms) == (network.seed, network.dt_ms)
    assert list(other.populations) == list(network.populations)
    for name, projection in network.projections.items():
        theirs = other.projections[name]
        assert theirs.target is other.populations[projection.target.name], "it still knows what is onto what"
        assert {part: one.described() for part, one in theirs.parts.items()} == {
            part: one.described() for part, one in projection.parts.items()
        }
        assert theirs.input_format == projection.input_format
    for name, population in network.populations.items():
        assert other.populations[name].model.described() == population.model.described()
        assert other.populations[name].grid == population.grid


def test_what_a_network_is_declared_with_pickles_by_itself():
    network = Network()
    population = network.add_population("cells", Grid(4, 4), models.LIF(tau_m_ms=models.Normal(20.0, 1.0)))
    projection = network.add_projection(
        "own", "cells", "cells", models.OneToOne(), models.DeltaCurrent(), 0.1, delay_ms=models.Uniform(0.5, 1.0)
    )
    assert again(population).name == "cells"
    assert again(projection).delay_steps == projection.delay_steps
    assert again(population.grid) == population.grid


def test_errors_pickle():
    """As multiprocessing sends them back."""
    with pytest.raises(ConfigurationError) as caught:
        models.LIF(tau_m_ms=-1.0)
    assert str(again(caught.value)) == str(caught.value)


def test_modules_without_a_place_do_no_harm(monkeypatch):
    """Programs put whatever they like into sys.modules."""
    monkeypatch.setitem(sys.modules, "odd", object())
    monkeypatch.setitem(sys.modules, "none", None)
    assert again(models.LIF) is models.LIF
