"""DEEP R's constants: a uniform noise of the variance of the published diffusion, and a constant pull."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models.rewiring.deep_r import DeepR


@settings(max_examples=40)
@given(
    st.integers(0, 10**6).map(lambda n: n * 1e-9), st.integers(0, 10**6).map(lambda n: n * 1e-6), st.floats(0.1, 100)
)
def test_a_second_of_steps_has_the_variance_and_the_drift_of_the_diffusion(temperature, decay, every_ms):
    """2 T of variance and `decay` of pull a second; a uniform number on [-a, a) has variance a^2 / 3."""
    constants = DeepR(temperature=temperature, decay=decay, every_ms=every_ms, w_max=10).constants(0.1)
    updates = 1e3 / every_ms
    assert constants["noise"] ** 2 / 3 * updates == pytest.approx(2 * temperature, abs=1e-15)
    assert constants["fall"] * updates == pytest.approx(decay, abs=1e-15)


def test_a_step_must_stay_within_the_bound():
    with pytest.raises(
        ConfigurationError, match=r"^deep_r\.temperature: 1\.0 is not allowed; its steps of up to 2\.45 in"
    ):
        DeepR(temperature=1.0, every_ms=1e3, w_max=2.4)
    DeepR(temperature=1.0, every_ms=1e3, w_max=2.45)


def test_the_number_of_synapses_is_kept_and_what_comes_is_at_zero():
    assert (DeepR.replace, DeepR.initial) == ("projection", "0.0f")
    assert (DeepR.meets, DeepR.attempts, DeepR.only_pairs) == (True, False, False)
