"""Neurons of one model."""

from __future__ import annotations

from hpcsnn import models
from hpcsnn.network.grid import Grid
from hpcsnn.network.population import Population


def test_a_population_is_a_grid_of_neurons_with_the_models_state():
    cells = Population("cells", Grid(4, 3), models.ALIF())
    assert (cells.size, cells.is_source) == (12, False)
    assert [variable.name for variable in cells.state] == ["V_mV", "frozen_steps", "adaptation"]
    assert (cells.initial, cells.record_spikes) == ({}, False)


def test_what_spikes_by_itself_is_a_source():
    for model in (models.Poisson(), models.MovingGaussianPoisson(), models.SpikeArray(neurons=[], times_ms=[])):
        assert Population("input", Grid(4, 3), model).is_source
