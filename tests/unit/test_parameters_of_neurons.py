"""Which models take one value per neuron."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.models import Uniform


def test_other_models_take_one_number():
    said = r"poisson\.rate_hz: Uniform\(low=1\.0, high=2\.0\) is not allowed; a parameter of this kind of model must"
    with pytest.raises(ConfigurationError, match=said + r" be one number: a number in Hz >= 0$"):
        models.Poisson(rate_hz=Uniform(1, 2))
    with pytest.raises(ConfigurationError, match=r"^exponential_current\.tau_ms: .* is not allowed; a parameter of"):
        models.ExponentialCurrent(tau_ms=[1.0, 2.0])
