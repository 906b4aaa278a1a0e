"""Models by name in configurations, and values that they refuse."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.configuration.model_specs import configured
from hpcsnn.shipped_files import kernel_folder
from support.networks import newer_models


def test_configurations_name_the_newer_models():
    network = newer_models()
    parts = [population.model for population in network.populations.values()]
    parts += [part for p in network.projections.values() for part in (p.receptor, p.synapse)]
    kinds = {models.NeuronModel: "model", models.ReceptorModel: "receptor", models.SynapseModel: "synapse"}
    named = [(kinds[type(part.model)], part) for part in parts if type(part.model) in kinds]
    for kind, part in named:
        again = configured(kind, kind, part.described())
        assert again.model is part.model
        assert again.values == part.values
    readme = (kernel_folder().parent / "README.md").read_text()
    assert all(f"`{part.model.name}`" in readme for _, part in named)
    assert len({part.model.name for _, part in named}) == 4 + 3 + 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.Izhikevich(V_peak_mV=-70.0),
            r"^izhikevich\.V_peak_mV: -70\.0 is not allowed; must be above c \(-65\.0\)$",
        ),
        (
            lambda: models.AdEx(V_peak_mV=-55.0),
            r"^adex\.V_peak_mV: -55\.0 is not allowed; must be above V_threshold_mV \(-50\.4\)$",
        ),
        (
            lambda: models.AdEx(V_reset_mV=25.0),
            r"^adex\.V_peak_mV: 20\.0 is not allowed; must be above V_reset_mV \(25\.0\)$",
        ),
        (
            lambda: models.AdEx(slope_mV=0.5),
            r"^adex\.V_peak_mV: 20\.0 is not allowed; must be <= V_threshold_mV \+ 80 slope_mV "
            r"\(-50\.4 \+ 80 \* 0\.5 = -10\.4\), or the exp",
        ),
        (
            lambda: models.ALIF(V_threshold_mV=-80),
            r"^alif\.V_threshold_mV: -80\.0 is not allowed; must be above V_reset_mV \(-70\.0\)$",
        ),
        (
            lambda: models.ALIF(beta_mV=-1),
            r"^alif\.beta_mV: -1 is not allowed; must be a number in mV >= 0$",
        ),
        (
            lambda: Network(dt_ms=1.0).add_population("cells", 1, models.LIFBackground(background_hz=2e5)),
            r"^populations\.cells\.model\.lif_background\.background_hz: 200000 is not allowed; "
            r"with dt_ms 1 it must be <= 128000 Hz$",
        ),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
