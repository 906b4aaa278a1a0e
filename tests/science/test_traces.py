"""One source, one neuron, one plastic synapse, step by step, against exact (float64) arithmetic."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models

DATA = Path(__file__).parent / "data"
CASES = json.loads((DATA / "oracle_cases.json").read_text())["cases"]


def oracle(case):
    lines = (DATA / f"oracle_{case}_double.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def single_synapse(case, delay_ms=0.1):
    network = Network(seed=1, dt_ms=0.1)
    steps = CASES[case]["intended_pre_steps"]
    spikes = models.SpikeArray(neurons=[0] * len(steps), times_ms=[0.1 * step for step in steps])
    network.add_population("source", 1, spikes, record_spikes=True)
    reference = models.LIF(refractory_ms=5.1)  # its count-down of 5 ms in floating point takes 51 steps
    network.add_population("target", 1, reference, {"V_mV": CASES[case]["V0"]}, record_spikes=True)
    network.add_projection(
        "synapse", "source", "target", models.OneToOne(), models.ExponentialConductance(), CASES[case]["g0"],
        models.AdditiveSTDP(drop_older_pairs=1), delay_ms=delay_ms,
    )  # fmt: skip
    return network


@pytest.mark.parametrize("case", CASES)
def test_single_synapse_follows_exact_arithmetic(case):
    expected = oracle(case)
    simulation = Simulation(single_synapse(case), device="cpu")
    for row in range(1, 501):
        simulation.run(0.1)
        neuron = simulation.neurons("target")
        step = int(expected["step"][row])
        assert simulation.step == step + 1
        assert neuron["V_mV"][0] == pytest.approx(expected["V"][row], abs=1e-4), step
        assert neuron["synapse.g"][0] == pytest.approx(expected["inSyn"][row], abs=2e-6), step
        # The reference applies a spike's plasticity in the step after the spike; so do we.
        assert simulation.synapses("synapse")["weight"][0] == pytest.approx(expected["g"][row], abs=1e-6), step
    for population, column in (("source", "pre_spike"), ("target", "post_spike")):
        assert simulation.spikes(population)[0].tolist() == expected["step"][expected[column] == 1].astype(int).tolist()


def test_a_longer_delay_shifts_what_the_target_sees():
    """Without postsynaptic spikes a delay of 1 ms is the same trace 0.9 ms later."""
    case = "case1_single_pre"
    voltages = []
    for delay_ms in (0.1, 1.0):
        simulation = Simulation(single_synapse(case, delay_ms), device="cpu")
        trace = []
        for _ in range(300):
            simulation.run(0.1)
            trace.append(float(simulation.neurons("target")["V_mV"][0]))
        voltages.append(np.array(trace))
    assert np.ptp(voltages[0]) > 1
    np.testing.assert_array_equal(voltages[1][9:], voltages[0][:-9])
