"""Nothing that is not finite lasts: its step is the last, and whose it is, which variable and which value are said."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Grid, Network, Simulation, SimulationError, StorageError, models
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import NeuronModel, ReceptorModel, SourceModel, SpikeTrace, SynapseModel, Variable, rewiring
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.testing.racing_threads import RacingThreads
from support.messages import as_pattern
from support.unpacked import unpack

DEVICES = pytest.mark.parametrize("make", [lambda: "cpu", RacingThreads], ids=["host", "racing"])
# Whatever it is in, it is not a number from then on.
NAN, INFINITE = "logarithm(-1.0f)", "1e38f * 10.0f"


def pair(synapse=None, receptor=None, neuron=None, source=None, rewired=None) -> Network:
    """Four neurons and as many that drive them; number 2 spikes in step 5, and again in step 12."""
    network = Network(seed=1, dt_ms=1.0)
    spikes = models.SpikeArray(neurons=[2, 2], times_ms=[5.0, 12.0])
    network.add_population("a", Grid(2, 2), (source or (lambda: spikes))())
    network.add_population("b", Grid(2, 2), (neuron or models.LIF)())
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), (receptor or models.DeltaCurrent)(), 1000.0, (synapse or models.Static)(),
        rewiring=rewired,
    )  # fmt: skip
    return network


def plastic(**texts) -> Network:
    traces = {"pre_traces": (SpikeTrace("before", "tau_ms"),), "post_traces": (SpikeTrace("after", "tau_ms"),)}
    tau = {"tau_ms": models.Parameter(20.0, "ms", "memory")}
    variables = (Variable("weight"), Variable("wear", 0.5), Variable("count", 0, ctype="int"))
    bound = "abs(initial_weight)"
    return pair(SynapseModel("mine", "", parameters=tau, variables=variables, **traces, bound=bound, **texts))


def stopped(network: Network, make, said: str) -> Simulation:
    simulation = Simulation(network, device=make())
    with pytest.raises(SimulationError, match=as_pattern(said)):
        simulation.run(30.0)
    return simulation


@DEVICES
@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"on_pre_spike": f"count += 1; if (count == 2) weight = {NAN};"}, "weight = nan of the synapse from 2 to 2"),
        (
            {"on_pre_spike": f"count += 1; if (count == 2) wear = -{INFINITE};"},
            "wear = -inf of the synapse from 2 to 2",
        ),
    ],
)
def test_of_a_synapse_that_sees_a_spike(texts, said, make):
    """The second spike of step 12 arrives in step 13."""
    stopped(plastic(**texts), make, f"projections.ab: {said} is not finite after step 13 (13 ms); ")


@DEVICES
def test_of_a_synapse_whose_target_spikes(make):
    """Cells spike in step 6, when the first spike arrives; their synapses know it in step 7."""
    network = plastic(on_post_spike=f"wear = before > 0.0f ? {INFINITE} : wear;")
    said = "projections.ab: wear = inf of the synapse from 2 to 2 is not finite after step 7 (7 ms); "
    stopped(network, make, said)


@DEVICES
@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            {"update": "weight = step == 9 && post_id == 2 ? NAN : weight;"},
            "ab: weight = nan of the synapse from 2 to 2",
        ),
        (
            {
                "source_variables": (Variable("drive", 0.25),),
                "update_source": "drive = step == 9 && id == 3 ? NAN : drive;",
            },
            "populations.a: ab.source.drive = nan of neuron 3",
        ),
        (
            {
                "target_variables": (Variable("want", 0.25),),
                "update_target": "want = step == 9 && id == 1 ? NAN : want;",
            },
            "populations.b: ab.target.want = nan of neuron 1",
        ),
        (
            {"per_target": "if (step == 9 && post_id == 3) row.weight(0) = NAN;"},
            "ab: weight = nan of the synapse from 3 to 3",
        ),
        (
            {
                "target_variables": (Variable("want", 0.25),),
                "per_target": "if (step == 9 && post_id == 3) own_want = NAN;",
            },
            "populations.b: ab.target.want = nan of neuron 3",
        ),
        (
            {
                "per_target": "if (step == 9 && post_id == 3) row.propose(0);",
                "initial": "NAN",
            },
            "ab: weight = nan of the synapse from 0 to 3",
        ),
    ],
    ids=["update", "update_source", "update_target", "row", "own", "initial"],
)
def test_of_what_a_rule_changes(texts, said, make):
    """An update of step 9 follows step 8."""
    texts = {slot: text.replace("NAN", NAN) if isinstance(text, str) else text for slot, text in texts.items()}
    parameters = {"every_ms": models.Parameter(1.0, "ms", "time between updates")}
    mine = models.RewiringRule("mine", "", parameters=parameters, bound="1", **texts)
    stopped(pair(rewired=mine()), make, f"{said} is not finite after step 8 (8 ms); ")


@DEVICES
@pytest.mark.parametrize("side", ["source", "target"])
def test_of_what_is_settled_where_ranks_meet(side, make):
    """The hosts run this part; what they find stops the schedule behind it."""
    pairing = rewiring.Pairing(
        "out_degree * 0", "in_degree * 0", "every", **{f"after_{side}": f"if (id == 1) {side}s = {NAN};"}
    )
    mine = models.RewiringRule(
        "mine", "", parameters={
            "every_ms": models.Parameter(1.0, "ms", "time between updates"),
            "every": models.Parameter(4, "", "updates a pairing", ctype="int", minimum=1),
        },
        source_variables=(Variable("sources", 1.0),), target_variables=(Variable("targets", 1.0),), pairing=pairing,
        reasons=("dendrite", "axon"),
    )  # fmt: skip
    population = {"source": "a", "target": "b"}[side]
    said = f"populations.{population}: ab.{side}.{side}s = nan of neuron 1 is not finite after step 3 (3 ms); "
    stopped(pair(rewired=mine()), make, said)


@DEVICES
def test_of_a_receptor(make):
    receptor = ReceptorModel(
        "mine", "", state=(Variable("level"),), update=f"level += input > 0.0f ? {INFINITE} : 0.0f;"
    )
    said = "populations.b: ab.level = inf of neuron 2 is not finite after step 6 (6 ms); a time constant"
    stopped(pair(receptor=receptor), make, said)


@DEVICES
@pytest.mark.parametrize("slot", ["first_spike", "next_spike"])
def test_of_a_stimulus(slot, make):
    texts = {
        "first_spike": "level = 1.0f; next_spike = step + 3;",
        "next_spike": "next_spike = never;",
    }
    texts[slot] += f" if (id == 2) level = {NAN};"
    source = SourceModel("mine", "", derived={"window_steps": models.Derived("10", "int")},
                         state=(Variable("level"),), **texts)  # fmt: skip
    step = {"first_spike": 0, "next_spike": 3}[slot]
    said = f"populations.a: level = nan of neuron 2 is not finite after step {step} ({step} ms); "
    stopped(pair(source=source), make, said)


@DEVICES
def test_large_numbers_whose_sum_is_none_are_finite(make):
    neuron = NeuronModel("mine", "", state=(Variable("V", 3e38), Variable("u", 3e38)), update="V = V;")
    simulation = Simulation(pair(neuron=neuron), device=make())
    simulation.run(20.0)
    assert simulation.neurons("b")["V"].tolist() == [np.float32(3e38)] * 4


@pytest.mark.parametrize(
    ("array", "value", "said"),
    [
        ("ab.synapse_weight", np.nan, "projections.ab: weight = nan of the synapse from 0 to 0"),
        ("b.state_V_mV", np.inf, "populations.b: V_mV = inf of neuron 0"),
        ("ab.pre_pre_trace", np.nan, "trace pre_trace = nan of neuron 0"),
        ("ab.post_post_trace", -np.inf, "trace post_trace = -inf of neuron 0"),
    ],
)
def test_neither_digest_nor_checkpoint_of_what_is_not_finite(array, value, said, tmp_path):
    """Written from outside, so that no kernel has seen it."""
    simulation = Simulation(pair(lambda: models.AdditiveSTDP(w_max=2000.0)), device="cpu")
    simulation.run(2.0)
    simulation_digest(simulation)
    write_network(tmp_path / "good.zarr", simulation)
    simulation.state.write(array, np.float32([value]).view(simulation.state.arrays[array].dtype))
    with pytest.raises(
        SimulationError, match=as_pattern(f"{said} is not finite after step 2: there is no digest of it")
    ):
        simulation_digest(simulation)
    on_disk = said if "trace" not in said else "of neuron 0"
    with pytest.raises(SimulationError, match=as_pattern(f"{on_disk} is not finite after step 2: there is no check")):
        write_network(tmp_path / "bad.zarr", simulation)


def test_no_digest_of_a_stored_network_that_is_not_finite(tmp_path):
    import zarr

    simulation = Simulation(pair(), device="cpu")
    write_network(tmp_path / "net.zarr", simulation)
    stored = StoredNetwork(tmp_path / "net.zarr")
    assert stored.digest() == simulation_digest(simulation)
    zarr.open_group(unpack(tmp_path / "net.zarr"), mode="r+")["populations/b/state/V_mV"][1, 0] = np.nan
    said = "populations.b: V_mV = nan of neuron 2 is not finite: there is no digest of it"
    with pytest.raises(StorageError, match=as_pattern(said)):
        StoredNetwork(tmp_path / "net.zarr").digest()
