"""What a script does with a simulation between two runs: watch it, set it, begin it again, save it, go on with it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, StorageError, models
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from support.thread_ranks import on_ranks

QUICK = HostDevice(("-O1",))


def network(**more):
    overrides = {"populations.target.record_spikes": "true", "projections.ff.dendritic_delay_ms": 1.5, **more}
    return load_configuration("topomap", [f"{key}={value}" for key, value in overrides.items()]).network()


def swapping(simulation, comm):
    """It, with spikes that go through the threads that stand for ranks."""
    if comm is not None:
        comm.exchange(simulation)
    return simulation


def made(comm=None, tile=8):
    return swapping(Simulation(network(), comm, QUICK, tile), comm)


def digest_after(simulation, duration_ms):
    simulation.run(duration_ms)
    return simulation_digest(simulation)


def seen(simulation, pieces):
    """Steps in which an observer is called, and spikes of all sources there; it stops at 150 of them."""
    steps = []

    def enough(simulation):
        n_spikes = simulation.sum_over_ranks(np.array([simulation.state.total_spikes("source")]))[0]
        steps.append((simulation.step, int(n_spikes)))
        return n_spikes >= 150

    for piece in pieces:
        simulation.run(piece, enough, observe_every_ms=2.5)
    return steps


def test_an_observer_of_model_time_stops_every_run_at_the_same_step():
    straight = seen(made(), [60.0])
    assert [step for step, _ in straight] == [25 * (n + 1) for n in range(len(straight))]
    assert straight[-1][1] >= 150 > straight[-2][1]
    assert on_ranks(2, lambda comm: seen(made(comm, 4), [7.3, 1.2, 51.5])) == [straight] * 2
    stopped = made()
    stopped.run(6.0, lambda simulation: False, observe_every_ms=2.0)
    assert stopped.step == 60
    for values, said in (
        ({"observe_every_ms": 0.25, "observe": id}, "observe_every_ms: 0.25 is not allowed"),
        ({"observe_every_ms": 0, "observe": id}, "observe_every_ms: 0 is not allowed"),
        ({"observe_every_ms": 1.0}, "observe_every_ms: not allowed without observe, which it is for"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            stopped.run(1.0, **values)


def test_what_is_saved_goes_on_on_any_ranks_and_what_is_reset_begins_again(tmp_path):
    path = tmp_path / "saved"

    def saved(comm):
        simulation = made(comm, 4)
        simulation.run(40.0)
        simulation.save(path)
        return digest_after(simulation, 20.0)

    (expected,) = set(on_ranks(3, saved))
    simulation = Simulation.load(path, network(), device=QUICK)
    assert (type(simulation), simulation.step) == (Simulation, 400)
    assert digest_after(simulation, 20.0) == expected

    learnt, began = simulation.synapses("ff"), simulation.phase_seconds["neurons"]
    assert len(simulation.spikes("target")[0]) > 0
    simulation.reset()
    fresh = made()
    assert simulation.step == len(simulation.spikes("target")[0]) == simulation.state.total_spikes("source") == 0
    assert simulation.phase_seconds["neurons"] >= began > 0, "wall time goes on"
    for column, values in learnt.items():
        np.testing.assert_array_equal(simulation.synapses("ff")[column], values)
    for column, values in fresh.neurons("target").items():
        np.testing.assert_array_equal(simulation.neurons("target")[column], values)
    assert digest_after(simulation, 20.0) != digest_after(fresh, 20.0), "it has learnt"
    simulation.reset(keep_weights=False)
    assert digest_after(simulation, 60.0) == expected

    def reset(comm):
        simulation = swapping(Simulation.load(path, network(), comm=comm, device=QUICK, tile=4), comm)
        simulation.run(3.0)
        simulation.reset()
        return digest_after(swapping(simulation, comm), 10.0)

    assert set(on_ranks(2, reset)) == {reset(None)}


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    path, cells = tmp_path / "saved", Network(seed=1, dt_ms=0.5)
    cells.add_population("cells", 4, models.LIF())
    simulation = Simulation(cells, device=QUICK)
    simulation.save(path)
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]
    with pytest.raises(StorageError, match="saved: is there already; give another path, or remove it"):
        simulation.save(path)
    with pytest.raises(StorageError, match=r"there/saved\.partial: No such file or directory"):
        simulation.save(tmp_path / "there" / "saved")
    with pytest.raises(StorageError, match="none: there is no such file"):
        Simulation.load(tmp_path / "none", cells, device=QUICK)
    other = Network(seed=1)
    other.add_population("cells", 4, models.LIF())
    with pytest.raises(StorageError, match=r"saved: has steps of 0\.5 ms, those of the network are 0\.1 ms"):
        Simulation.load(path, other, device=QUICK)
    larger = Network(seed=1, dt_ms=0.5)
    larger.add_population("cells", 5, models.LIF())
    with pytest.raises(StorageError, match="saved: its populations are"):
        Simulation.load(path, larger, device=QUICK)


def set_up(simulation):
    simulation.run(5.0)
    simulation.set("target", V_mV=np.linspace(-70, -56, 256), **{"ff.g": 0.25}, frozen_steps=3)
    return simulation.neurons("target"), digest_after(simulation, 10.0)


def test_variables_are_set_of_a_ranks_own_neurons():
    neurons, digest = set_up(made())
    np.testing.assert_array_equal(neurons["V_mV"], np.linspace(-70, -56, 256).astype(np.float32))
    assert set(neurons["ff.g"].tolist()) == {0.25}
    assert set(neurons["frozen_steps"].tolist()) == {3}
    for of_rank, its_digest in on_ranks(2, lambda comm: set_up(made(comm, 4))):
        assert its_digest == digest
        for column, values in of_rank.items():
            np.testing.assert_array_equal(values, neurons[column][of_rank["id"]])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"V": 1}, "target: unknown name 'V'; allowed: V_mV"),
        ({"V_mV": [1, 2]}, "target.V_mV: has shape (2,); must be one number or 256 values, one per neuron"),
        ({"V_mV": models.Uniform(0, 1)}, "is not allowed between runs; must be one number or 256 values"),
        ({"V_mV": np.nan}, "target.V_mV: nan is not allowed"),
        ({"V_mV": -60, "frozen_steps": 0.5}, "target.frozen_steps: 0.5 is not allowed"),
    ],
)
def test_what_a_variable_cannot_be_is_refused_and_nothing_is_set(values, said):
    simulation = made()
    before = simulation.neurons("target")["V_mV"]
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        simulation.set("target", **values)
    np.testing.assert_array_equal(simulation.neurons("target")["V_mV"], before)


def test_one_that_takes_anothers_place_counts_its_seconds_too():
    first, second = made(), made()
    first.run(20.0)
    second.count_on_from(first)
    second.run(20.0)
    assert second.phase_seconds["neurons"] > first.phase_seconds["neurons"] > 0
    assert second.phase_seconds["start_up"] == pytest.approx(first.startup_s + second.startup_s)
    assert second.advance_s > first.advance_s
