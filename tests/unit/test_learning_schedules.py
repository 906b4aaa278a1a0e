"""The learning rate of each batch, and what clipping comes to; tests/kernels has them beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, models
from hpcsnn.engine.learning.norms import squares
from hpcsnn.models.learning.clipping import Clipping, clipping_of_batch
from hpcsnn.models.learning.optimisers import constants_of_batch, learning_rate
from support.messages import as_pattern

EPOCH = 10


def rate(batch, **values):
    return learning_rate(models.Adam(learning_rate=0.5, **values), 1.0, batch, EPOCH)


def test_without_a_schedule_the_learning_rate_is_to_the_bit_what_was_given():
    assert {rate(batch) for batch in range(1, 50)} == {0.5}


def test_epochs_of_one_batch_are_batches():
    sgd = models.SGD(schedule="step", decay_epochs=2, decay_to=0.5, learning_rate=1.0)
    assert [constants_of_batch(sgd, 1.0, batch)["rate"] for batch in range(1, 7)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@given(st.integers(1, 60), st.integers(1, 50), st.integers(1, 30))
def test_a_step_comes_with_the_batch_behind_its_epochs(tenths, batches_a_tenth, n_decays):
    """Whatever the last digits of tenths of an epoch are."""
    sgd = models.SGD(schedule="step", decay_epochs=tenths / 10, decay_to=0.5, learning_rate=1.0)
    last = n_decays * tenths * batches_a_tenth
    found = [constants_of_batch(sgd, 1.0, batch, 10 * batches_a_tenth)["rate"] for batch in (last, last + 1)]
    assert found == [0.5 ** (n_decays - 1), 0.5**n_decays]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_what_has_fallen_stays(schedule):
    falls = {"schedule": schedule, "warm_up_epochs": 1.0, "decay_epochs": 2.0, "decay_to": 0.25}
    assert rate(30, **falls) > rate(31, **falls) == rate(1000, **falls) == 0.125


def test_what_decays_for_long_is_nothing_in_the_end():
    assert rate(5000, schedule="exponential", decay_epochs=1, decay_to=0.5) == 0.0


@pytest.mark.parametrize("schedule", ["exponential", "step"])
def test_powers_of_nothing_are_refused(schedule):
    said = (
        f"here.decay_to: 0.0 is not allowed with the schedule {schedule}, whose powers of it are 0 at once; must be "
        "above 0, or the schedule linear or cosine"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        models.Adam.configure("here", {"schedule": schedule, "decay_to": 0})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schedule": "cosinus"}, "here.schedule: 'cosinus' is not allowed; must be one of constant, linear, cosine, "),
        ({"decay_epochs": 0}, "here.decay_epochs: 0 is not allowed; must be a number in epochs > 0"),
        ({"decay_to": 2}, "here.decay_to: 2 is not allowed; must be a number >= 0 and <= 1"),
        ({"warm_up_epochs": -1}, "here.warm_up_epochs: -1 is not allowed; must be a number in epochs >= 0"),
        ({"clip": "all"}, "here.clip: 'all' is not allowed; must be one of none, value, norm"),
        ({"clip_at": 0}, "here.clip_at: 0 is not allowed; must be a number > 0"),
    ],
)
@pytest.mark.parametrize("optimiser", [models.SGD, models.Adam])
def test_what_a_schedule_and_clipping_do_not_take_is_refused(optimiser, values, said):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said)):
        optimiser.configure("here", values)


# -- clipping ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.integers(0, 20))
def test_the_sum_of_squares_is_exact(values, cut):
    """Equal to that of Python's whole numbers, however they are cut."""
    arrays = [np.array(part, np.int64) for part in (values[:cut], values[cut:])]
    assert squares(arrays) == sum(value * value for value in values)


def test_clipping_is_by_value_or_by_the_norm_of_the_batch():
    none = Clipping()
    assert none.factor == 1.0
    assert clipping_of_batch(models.Adam(clip_at=0.1), lambda: 1e9) == none
    assert clipping_of_batch(models.Adam(clip="value", clip_at=0.1), lambda: 1e9) == Clipping(largest=0.1)
    by_norm = models.SGD(clip="norm", clip_at=2.0)
    assert clipping_of_batch(by_norm, lambda: 8.0) == Clipping(factor=0.25)
    for small in (2.0, 0.0):
        assert clipping_of_batch(by_norm, lambda small=small: small) == none


def test_an_optimiser_of_ones_own_may_have_a_clip_that_is_another():
    own = models.Optimiser("mine", "", parameters={"clip": models.choice("norm", "", "norm", "value")})
    assert clipping_of_batch(own(), lambda: 1e9) == Clipping()
