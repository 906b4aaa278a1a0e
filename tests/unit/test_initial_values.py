"""Constants that differ between neurons: in local order, whatever that is, and refused on all ranks alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.engine.initial_values import constants_on_ranks
from hpcsnn.ranks.communicator import Alone

DT_MS = 0.5


class AmongOthers(Alone):
    """A rank whose fellows have something to say already."""

    def __init__(self, *before, after=()):
        self._before, self._after = before, after

    def gather(self, value):
        return [*self._before, value, *self._after]


def population(model, n=100):
    return Network(dt_ms=DT_MS).add_population("cells", n, model)


def of(cells):
    """What messages call the model, the model, and how many neurons have it."""
    return f"populations.cells.model.{cells.model.name}", cells.model, cells.size


@settings(max_examples=25)
@given(st.lists(st.floats(1, 50), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_each_neuron_gets_what_follows_from_its_own_values(taus, random):
    ids = random.sample(range(100), len(taus))
    cells = population(models.LIF(tau_m_ms=models.Uniform(1, 50), refractory_ms=models.Uniform(0, 9)))
    refractory = [random.randint(0, 9000) * 1e-3 for _ in taus]
    drawn = {"tau_m_ms": np.array(taus), "refractory_ms": np.array(refractory)}
    made = constants_on_ranks(Alone(), *of(cells), DT_MS, np.array(ids, dtype=np.int32), drawn)
    assert made["tau_m_ms"].tolist() == taus
    assert made["decay"].tolist() == [math.exp(-DT_MS / tau) for tau in taus]
    steps = [round(one / DT_MS) for one in refractory]
    assert made["refractory_steps"].tolist() == steps
    assert made["refractory_steps"].dtype.kind == "i"
    assert set(made) == {"tau_m_ms", "refractory_ms", "decay", "refractory_steps"}, "all others are one number"


def test_the_first_bad_neuron_by_id_is_named_wherever_it_is_kept():
    cells = population(models.LIF(tau_m_ms=models.Normal(1, 1)))
    drawn = {"tau_m_ms": np.array([-3.0, 2.0, -1.0])}
    with pytest.raises(ConfigurationError) as error:
        constants_on_ranks(Alone(), *of(cells), DT_MS, np.array([70, 5, 30], dtype=np.int32), drawn)
    assert str(error.value) == (
        "populations.cells.model.lif.tau_m_ms: -1.0 of neuron 30 is not allowed; must be a number in ms > 0; "
        "low and high of a normal distribution, or the ends of a uniform one, keep draws within bounds"
    )


def test_given_values_need_no_advice_about_draws():
    cells = population(models.LIF(tau_m_ms=[5.0, 6.0], V_reset_mV=[-70.0, -70.0]), 2)
    drawn = {"tau_m_ms": np.array([5.0, 0.0]), "V_reset_mV": np.array([-70.0, -70.0])}
    with pytest.raises(ConfigurationError, match=r"0\.0 of neuron 1 is not allowed; must be a number in ms > 0$"):
        constants_on_ranks(Alone(), *of(cells), DT_MS, np.arange(2, dtype=np.int32), drawn)


@pytest.mark.parametrize("own", [5.0, -5.0])
def test_ranks_that_have_good_values_raise_what_the_first_bad_one_says(own):
    cells = population(models.LIF(tau_m_ms=models.Uniform(1, 50)))
    ranks = AmongOthers(None, "said by rank 1", after=("said by rank 3",))
    with pytest.raises(ConfigurationError, match=r"^said by rank 1; low and high"):
        constants_on_ranks(ranks, *of(cells), DT_MS, np.array([8], dtype=np.int32), {"tau_m_ms": np.array([own])})
