"""What a simulation keeps of logs: all of it, once, in order."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.engine.recording.recorded import Recorded


class Logs:
    """What a rank's state has logged since it was asked last."""

    def __init__(self):
        self.spikes, self.events = {}, {}

    def take_spikes(self, population):
        return np.array(self.spikes.pop(population, []), dtype=np.int32).reshape(-1, 2)

    def take_events(self, projection):
        return np.array(self.events.pop(projection, []), dtype=np.int32).reshape(-1, 4)


def declared(record):
    network, grid = Network(), Grid(4, 4)
    network.add_population("a", grid, models.Poisson(), record_spikes=record)
    network.add_population("b", grid, models.LIF())
    rule = models.Bamford(p_max=0.5, sigma=1.0, block_side=4)
    for name, rewiring in (("changes", rule), ("stays", None)):
        network.add_projection(
            name, "a", "b", models.OneToOne(), models.DeltaCurrent(), 1.0, rewiring=rewiring, record_events=record
        )
    return network


def test_logs_are_kept_in_order_of_step_and_neuron():
    logs = Logs()
    recorded = Recorded(declared(record=True), logs)
    for spikes, events in (
        ([(3, 7), (3, 2)], [(3, 5, 1, 0), (3, 4, 1, 1), (3, 9, 0, 0)]),
        ([(4, 0), (3, 15)], []),
        ([], [(2, 0, 0, 2)]),
    ):
        logs.spikes, logs.events = {"a": spikes}, {"changes": events}
        recorded.take_logs()
    steps, ids = recorded.spikes("a")
    assert list(zip(steps.tolist(), ids.tolist(), strict=True)) == [(3, 2), (3, 7), (3, 15), (4, 0)]
    assert recorded.events("changes").tolist() == [[2, 0, 0, 2], [3, 9, 0, 0], [3, 4, 1, 1], [3, 5, 1, 0]]


def test_what_was_taken_is_gone_and_what_comes_later_is_kept():
    logs = Logs()
    recorded = Recorded(declared(record=True), logs)
    logs.spikes, logs.events = {"a": [(1, 2)]}, {"changes": [(1, 0, 0, 0)]}
    recorded.take_logs()
    spikes, events, *_ = recorded.take()
    assert (list(spikes), list(events)) == (["a"], ["changes"]), "a projection without a rule has no events"
    assert (spikes["a"].tolist(), events["changes"].tolist()) == ([[1, 2]], [[1, 0, 0, 0]])
    logs.spikes = {"a": [(5, 6)]}
    recorded.take_logs()
    spikes, events, *_ = recorded.take()
    assert spikes["a"].tolist() == [[5, 6]]
    assert (events["changes"].shape, events["changes"].dtype) == ((0, 4), np.int32)
    assert recorded.spikes("a")[0].size == 0


def test_what_is_not_recorded_is_refused_by_name():
    recorded = Recorded(declared(record=False), Logs())
    assert not any(recorded.take())
    with pytest.raises(ConfigurationError, match=r"^population with record_spikes: unknown name 'a'; allowed: \(none"):
        recorded.spikes("a")
    with pytest.raises(ConfigurationError, match=r"^projection with record_events: unknown name 'changes'; allowed"):
        recorded.events("changes")
    with pytest.raises(ConfigurationError, match=r"unknown name 'stays'; allowed: changes"):
        Recorded(declared(record=True), Logs()).events("stays")
