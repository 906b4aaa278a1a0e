"""Neurons in groups: what they compare, by formulas in NumPy; the same bits on tiles, threads and when resumed."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Network, Simulation, SimulationError
from hpcsnn.codegen.program import generate
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import GroupOperation, NeuronModel, Parameter, Variable
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from support.devices import on_launched
from support.networks import grouped
from support.nvrtc import ptx_of

SIZE, GROUP = 24, 6

# Keeps all that a neuron is told of its group; spikes where it has won.
KEEPS_ALL = NeuronModel(
    "keeps_all",
    "For tests.",
    parameters={"group_size": Parameter(GROUP, "neurons", "of a group", ctype="int", minimum=1)},
    state=tuple(Variable(name) for name in ("x", "largest", "sum_of", "softmax", "wins")),
    update="x = x + 0.25f;",
    group=GroupOperation(
        of="x * x",
        update="largest = group_max; sum_of = group_sum; softmax = group_softmax; wins += is_winner ? 1.0f : 0.0f;",
    ),
    threshold="is_winner",
    reset="x -= 1.0f;",
)


def kept(x, device="cpu", tile=8, group_size=GROUP):
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("cells", len(x), KEEPS_ALL(group_size=group_size), {"x": x}, record_spikes=True)
    simulation = Simulation(network, device=device, tile=tile)
    simulation.run(1.0)
    return simulation


@pytest.mark.parametrize("tile", [1, 4])
def test_what_neurons_are_told_of_their_group_is_as_by_numpy(tile):
    x = np.random.default_rng(3).normal(size=SIZE).round(3)
    found = kept(x, tile=tile).neurons("cells")
    moved = x.astype(np.float32) + np.float32(0.25)
    value = (moved * moved).reshape(-1, GROUP)
    each = np.repeat(np.arange(SIZE // GROUP), GROUP)
    np.testing.assert_array_equal(found["largest"], value.max(axis=1)[each])
    in_order = np.zeros(len(value), np.float32)
    for column in value.T:
        in_order += column
    np.testing.assert_array_equal(found["sum_of"], in_order[each])
    softmax = np.exp(value.astype(float)) / np.exp(value.astype(float)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["softmax"], softmax.ravel(), rtol=2e-6)
    winners = value.argmax(axis=1) + GROUP * np.arange(len(value))
    np.testing.assert_array_equal(np.flatnonzero(found["wins"]), winners)
    expected = moved.copy()
    expected[winners] -= 1.0
    np.testing.assert_array_equal(found["x"], expected)


def test_of_equal_values_the_smallest_id_wins_and_each_group_has_one_winner():
    simulation = kept([0.5] * SIZE, tile=1)
    steps, ids = simulation.spikes("cells")
    assert ids.tolist() == list(range(0, SIZE, GROUP))
    assert len(steps) == SIZE // GROUP
    np.testing.assert_allclose(simulation.neurons("cells")["softmax"], 1 / GROUP, rtol=1e-6)


def test_a_group_of_one_wins_always():
    simulation = kept(np.linspace(-1, 1, 5), group_size=1)
    assert simulation.neurons("cells")["wins"].tolist() == [1.0] * 5
    np.testing.assert_array_equal(simulation.neurons("cells")["softmax"], np.ones(5, np.float32))


def digest(device="cpu", tile=8):
    simulation = Simulation(grouped(), device=device, tile=tile)
    simulation.run(120.0)
    return simulation_digest(simulation)


@on_launched
def test_groups_give_one_answer_on_tiles_and_threads(device):
    simulation = Simulation(grouped(), device="cpu", tile=1)
    simulation.run(120.0)
    assert simulation.rates_hz("winners").max() > 5
    assert simulation.rates_hz("softmax").max() > 5
    assert simulation_digest(simulation) == digest() == digest(device, tile=2)


def test_groups_go_on_from_a_checkpoint(tmp_path):
    halfway = Simulation(grouped(), device="cpu")
    halfway.run(47.0)
    write_network(tmp_path / "halfway", halfway)
    resumed = Simulation(grouped(), device="cpu", tile=4)
    restore(resumed, StoredNetwork(tmp_path / "halfway"))
    resumed.run(120.0 - 47.0)
    assert simulation_digest(resumed) == digest()


def test_of_winners_one_spikes_in_a_group_and_step():
    simulation = Simulation(grouped(), device="cpu")
    simulation.run(120.0)
    steps, ids = simulation.spikes("winners")
    assert len(np.unique(steps * 1000 + ids // 10)) == len(steps) > 20


@pytest.mark.parametrize("compute_capability", [80, 90])
def test_kernels_of_groups_compile_for_gpus(compute_capability):
    ptx = ptx_of(generate(grouped(), 2).kernels, compute_capability)
    assert ".entry groups_winners(" in ptx
    assert ".entry groups_softmax(" in ptx
    assert "fma.rn.f32" not in ptx


def test_a_value_that_is_none_is_said_to_be_the_neurons():
    model = NeuronModel(
        "divides", "For tests.", parameters=KEEPS_ALL.parameters, state=(Variable("x"),),
        group=GroupOperation(of="1.0f / x"),
    )  # fmt: skip
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("cells", 12, model(), {"x": [1.0] * 7 + [0.0] + [1.0] * 4})
    message = r"^populations\.cells: inf, which neuron 7 compares within its group, is not finite after step 0 \("
    with pytest.raises(SimulationError, match=message):
        Simulation(network, device="cpu").run(1.0)
