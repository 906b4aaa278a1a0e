"""Configurations that run in a moment: those that ship, made small, and a few that have every other model there is."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.shipped_files import shipped_configurations

# 200 steps in which something happens, by the name's beginning; the longest that fits a configuration's name counts.
_SMALLER = {
    "": ["duration_ms=20"],
    "topomap": ["populations.source.model.moving_gaussian_poisson.dwell_ms=2"],
    "topomap_uncorrelated": ["populations.source.model.poisson.rate_hz=200"],
    "balanced_inhibition": [
        *("populations.noise.size=80", "populations.noise.model.poisson.rate_hz=400"),
        *("populations.excitatory.size=40", "populations.inhibitory.size=20"),
    ],
    "brunel": [
        *("populations.E.size=40", "populations.I.size=10"),
        *(f"projections.excitation_of_{name}.connector.fixed_in_degree.in_degree=5" for name in "ei"),
        *(f"projections.inhibition_of_{name}.connector.fixed_in_degree.in_degree=3" for name in "ei"),
        *(f"populations.{name}.stimulate.0.poisson_current.weight=2" for name in "EI"),
    ],
    "deep_r": [
        *("populations.input.size=48", "populations.cells.size=32"),
        *("populations.input.model.poisson.rate_hz=400", "projections.sparse.rewiring.deep_r.every_ms=1"),
    ],
    "homeostatic": [
        *("populations.excitatory.size=40", "populations.inhibitory.size=10"),
        *(
            f"projections.{name}.rewiring.homeostatic={{every_ms: 1, updates_a_pairing: 3, tau_calcium_ms: 50, "
            "beta_calcium: 0.02, axon_growth_per_s: 200, dendrite_growth_per_s: 200}"
            for name in ("e_to_e", "e_to_i", "i_to_e")
        ),
    ],
    "patch_swaps": [
        *("populations.input.grid=[4, 4]", "populations.cells.size=16", "record_spikes=true"),
        "populations.input.model.moving_gaussian_poisson={peak_hz: 900, dwell_ms: 2, field_side: 4, positions: 4}",
        "projections.listens.rewiring.patch_swaps={every_ms: 3, patch_size: 4, active_patches: 2}",
    ],
}
_SMALLER["patch_swaps"].remove("record_spikes=true")

_HAND_MADE = {
    "neurons": """
description: Every neuron, receptor and connector that no shipped configuration has.
seed: 3
duration_ms: 10
dt_ms: 0.1
tile: 4
exchange_block: 8
checkpoint_every: 5ms
populations:
  noise: {size: 24, model: {poisson: {rate_hz: 900}}, record_spikes: true}
  given: {size: 24, model: {spike_array: {neurons: [0, 3, 3, 23], times_ms: [0.1, 0.5, 2.0, 4.0]}}}
  changing: {size: 24, model: {inhomogeneous_poisson: {times_ms: [0, 3, 7], rates_hz: [900, 0, 2000]}}}
  adapting:
    size: 24
    model: {alif: {beta_mV: 3}}
    initial: {V_mV: -60}
    stimulate:
      - step_current: {amplitude: 5, from_ms: 1, to_ms: 4.5, neurons: [0, 7]}
      - ramp_current: {to_amplitude: 9, to_ms: 8, neurons: 4..9}
      - sine_current: {amplitude: 3, frequency_hz: 200, neurons: {every: 5}}
      - noise_current: {std: 12, every_ms: 0.3}
  exponential:
    size: 24
    model: {adex: {C_pF: 200, offset_current: 800}}
    initial: {V_mV: {normal: {mean: -60, std: 2}}}
  lasting: {size: 24, model: adex_afterpotential}
  quadratic:
    size: 24
    model: {izhikevich: {a: {uniform: {low: 0.02, high: 0.1}}, d: 2}}
    initial: {u: -13}
  driven: {size: 24, model: lif_background}
  subtracting: {size: 24, model: lif_subtractive}
  subtracting_more: {size: 24, model: alif_subtractive}
  readout: {size: 24, model: leaky_readout}
  winners: {size: 24, model: {winner_lif: {group_size: 4}}}
  softmax: {size: 24, model: {softmax_unit: {group_size: 6, rate_hz: 900}}}
projections:
  to_winners: {source: noise, target: winners, weight: 900, connector: one_to_one, receptor: delta_current}
  to_softmax: {source: winners, target: softmax, weight: 1, connector: one_to_one, receptor: delta_current}
  to_subtracting: {source: noise, target: subtracting, weight: 1, connector: one_to_one, receptor: delta_current}
  to_more:
    {source: subtracting, target: subtracting_more, weight: 1, connector: one_to_one, receptor: delta_current}
  to_readout: {source: noise, target: readout, weight: 1, connector: one_to_one, receptor: delta_current}
  by_chance:
    {source: noise, target: adapting, weight: 30, connector: {fixed_probability: {p: 0.3}}, receptor: delta_current}
  by_list:
    source: given
    target: exponential
    weight: 10
    connector: {explicit_list: {pre: [0, 3, 23], post: [1, 1, 2], weight: [500, -20, 30.5]}}
    receptor: {alpha_current: {tau_ms: 2}}
  by_file:
    source: given
    target: exponential
    weight: [5, -2, 3.5]
    delay_ms: [0.3, 1, 2]
    connector: {listed_in_file: {file: synapses.npz}}
    receptor: {alpha_current: {tau_ms: 2}}
  by_rank: {source: noise, target: quadratic, weight: 20, connector: one_to_one, receptor: delta_current}
  by_in_degree:
    {source: given, target: adapting, weight: 20, connector: {fixed_in_degree: {in_degree: 3}}, receptor: delta_current}
  by_out_degree:
    source: adapting
    target: adapting
    weight: 1
    connector: {fixed_out_degree: {out_degree: 3, self_connections: false}}
    receptor: delta_current
  tiring:
    source: noise
    target: exponential
    weight: 30
    connector: {fixed_total: {n_synapses: 50}}
    receptor: delta_current
    synapse: {tsodyks_markram: {U: 0.4, tau_facil_ms: 20}}
  restraining:
    source: adapting
    target: adapting
    weight: -0.1
    connector: {fixed_probability: {p: 0.2}}
    receptor: {exponential_current: {tau_ms: 4}}
    synapse: {inhibitory_stdp: {w_max: -2}}
  following:
    source: noise
    target: lasting
    weight: 20
    connector: {fixed_probability: {p: 0.2}}
    receptor: delta_current
    synapse: {clopath: {w_max: 40, a_ltp_per_mV2: 0.001}}
  dopamine:
    source: noise
    target: adapting
    weight: 0.01
    connector: {fixed_probability: {p: 0.1}}
    receptor: neuromodulator
  rewarded:
    source: noise
    target: adapting
    weight: 1
    connector: {fixed_probability: {p: 0.2}}
    receptor: delta_current
    synapse: {dopamine_stdp: {w_max: 2}}
    modulator: dopamine
  scaled:
    source: noise
    target: adapting
    weight: 1
    connector: {fixed_probability: {p: 0.2}}
    receptor: delta_current
    rewiring: {synaptic_scaling: {every_ms: 2, tau_activity_ms: 20, beta: 0.01, w_max: 5}}
  normalised:
    source: adapting
    target: driven
    weight: 1
    connector: {fixed_probability: {p: 0.2}}
    receptor: delta_current
    rewiring: {weight_normalisation: {every_ms: 3, total: 4, w_max: 5}}
  own:
    source: adapting
    target: driven
    weight: 0.1
    delay_ms: 1.5
    connector: all_to_all
    receptor: {exponential_conductance: {tau_ms: 3, reversal_mV: 0}}
    synapse: {multiplicative_stdp: {w_max: 0.3}}
""",
    "differences": """
description: Neurons, delays and synapses that differ from each other, on a grid.
seed: 18446744073709551615
duration_ms: 10
scale: 2
populations:
  noise: {grid: [4, 2], model: {poisson: {rate_hz: 600}}}
  cells:
    grid: [4, 2]
    model:
      lif:
        tau_m_ms: {normal: {mean: 15, std: 6, low: 2}}
        V_threshold_mV: {uniform: {low: -66, high: -60}}
        refractory_ms: [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]
    initial: {V_mV: {uniform: {low: -70, high: -66}}, frozen_steps: 3}
    record_spikes: true
projections:
  drive:
    source: noise
    target: cells
    weight: 2
    delay_ms: {uniform: {low: 0.3, high: 2}}
    dendritic_delay_ms: 0.4
    connector: {gaussian: {p_max: 0.8, sigma: 1.5}}
    receptor: {exponential_current: {tau_ms: 2}}
    rewiring: {local_proposals: {attempts: 20, block_side: 4, sigma: 1, p_form: 0.5, p_eliminate: 0.2}}
    record_events: true
  own:
    source: cells
    target: cells
    weight: 0.1
    delay_ms: {normal: {mean: 1, std: 0.3}}
    connector: {fixed_probability: {p: 0.2}}
    receptor: {exponential_conductance: {tau_ms: 1}}
    synapse: {triplet_stdp: {w_max: 0.5}}
    capacity: 4
    rows_grow: false
""",
}
# Three synapses, as arrays of sources and targets.
FILE = Path(__file__).parent / "synapses.npz"
NAMES = (*shipped_configurations(), *_HAND_MADE)


@cache
def small_configuration(name: str) -> dict[str, Any]:
    """One of `NAMES`, as YAML would give it: what ships with every default written out, the others as by hand.

    Do not change what this returns.
    """
    if name in _HAND_MADE:
        return yaml.safe_load(_HAND_MADE[name].replace(FILE.name, str(FILE)))
    words = [word for start, words in _SMALLER.items() if name.startswith(start) for word in words]
    if name == "topomap_uncorrelated":
        words = [word for word in words if "moving" not in word]
    plain = load_configuration(name, words).resolved()
    assert parse_configuration(plain).resolved() == plain
    return plain
