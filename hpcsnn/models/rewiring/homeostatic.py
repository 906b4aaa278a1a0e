"""Homeostatic growth: neurons grow and lose synaptic elements until their activity, as calcium, is what they want."""

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import Pairing, RewiringRule
from hpcsnn.models.synapses import SpikeTrace

# Calcium and elements of one side; the two have the same text with other names.
_GROWTH = """
const float calcium = beta_calcium * {side}_calcium;
const float away = (calcium - {side}_middle) / {side}_width;
const float grown = {side}_elements + growth_step_{side} * (2.0f * exponential(-away * away) - 1.0f);
{side}_elements = grown > 0.0f ? grown : 0.0f;
"""


def _least_below_set_point(where: str, values: Mapping[str, Any]) -> None:
    for side in ("axon", "dendrite"):
        if values[f"{side}_eta"] >= values[f"{side}_set_point"]:
            raise ConfigurationError(
                f"{where}.{side}_eta: {values[f'{side}_eta']} is not allowed; "
                f"must be below {side}_set_point ({values[f'{side}_set_point']})"
            )


def _side(name: str) -> dict[str, Parameter]:
    return {
        f"{name}_set_point": Parameter(0.05, "calcium", f"calcium at which {name} elements stay", above=0.0),
        f"{name}_eta": Parameter(0.0, "calcium", f"calcium below which {name} elements are lost too", minimum=0.0),
        f"{name}_growth_per_s": Parameter(0.1, "elements / s", f"fastest growth of {name} elements", minimum=0.0),
    }


def _shape(name: str) -> dict[str, Derived]:
    return {
        f"{name}_middle": Derived(f"({name}_eta + {name}_set_point) / 2"),
        f"{name}_width": Derived(f"({name}_set_point - {name}_eta) / (2 * sqrt(log(2)))"),
        f"growth_step_{name}": Derived(f"{name}_growth_per_s * every_ms * 1e-3"),
    }


Homeostatic = RewiringRule(
    "homeostatic",
    "Axonal and dendritic elements grow below a set-point of calcium and shrink above it; vacant ones pair at random.",
    parameters={
        "every_ms": Parameter(10.0, "ms", "time between steps of growth", above=0.0, in_steps=True),
        "updates_a_pairing": Parameter(100, "", "steps of growth from one pairing to the next", ctype="int", minimum=1),
        "tau_calcium_ms": Parameter(10000.0, "ms", "decay of calcium", above=0.0),
        "beta_calcium": Parameter(0.001, "calcium", "calcium that a spike brings", above=0.0),
        **_side("axon"),
        **_side("dendrite"),
        "vacant_loss": Parameter(0.1, "", "share of vacant elements lost at a pairing", minimum=0.0, maximum=1.0),
    },
    derived={**_shape("axon"), **_shape("dendrite")},
    check=_least_below_set_point,
    source_traces=(SpikeTrace("axon_calcium", "tau_calcium_ms"),),
    target_traces=(SpikeTrace("dendrite_calcium", "tau_calcium_ms"),),
    source_variables=(Variable("axon_elements", 0.0, "elements", doc="axonal elements, bound and vacant"),),
    target_variables=(Variable("dendrite_elements", 0.0, "elements", doc="dendritic elements, bound and vacant"),),
    update_source=_GROWTH.format(side="axon"),
    update_target=_GROWTH.format(side="dendrite"),
    pairing=Pairing(
        offers="(int)axon_elements - out_degree",
        demands="(int)dendrite_elements - in_degree",
        every="updates_a_pairing",
        after_source="axon_elements -= vacant > 0 ? vacant_loss * (float)vacant : 0.0f;",
        after_target="dendrite_elements -= vacant > 0 ? vacant_loss * (float)vacant : 0.0f;",
    ),
    reasons=("dendrite", "axon"),
    source="Butz & van Ooyen 2013, doi 10.1371/journal.pcbi.1003259; Diaz-Pier, Naveau, Butz-Ostendorf & Morrison 2016",
)
