"""Changes of a run at exact steps: what they come to, and what is refused."""

from __future__ import annotations

import re

import pytest

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.configuration.overrides import put

LIF, PEAK = "populations.target.model.tau_m_ms", "populations.source.model.peak_hz"


def with_changes(*changes, **more):
    raw = load_configuration("topomap").model_dump(mode="json")
    raw["changes"] = [{"at_ms": at_ms, "set": values} for at_ms, values in changes]
    return parse_configuration({**raw, **more})


@pytest.mark.parametrize(
    ("raw", "key", "expected"),
    [
        ({}, "scale", {"scale": 1}),
        ({"p": {"a": {"b": 0}}}, "p.a.b", {"p": {"a": {"b": 1}}}),
        (
            {"populations": {"a": {"model": "lif"}}},
            "populations.a.model.tau_m_ms",
            {"populations": {"a": {"model": {"lif": {"tau_m_ms": 1}}}}},
        ),
        (
            {"projections": {"a": {"synapse": {"additive_stdp": {"w_max": 2}}}}},
            "projections.a.synapse.w_max",
            {"projections": {"a": {"synapse": {"additive_stdp": {"w_max": 1}}}}},
        ),
        (
            {"populations": {"a": {"model": "lif"}}},
            "populations.a.model.lif.tau_m_ms",
            {"populations": {"a": {"model": {"lif": {"tau_m_ms": 1}}}}},
        ),
        ({"optimiser": "adam"}, "optimiser.learning_rate", {"optimiser": {"adam": {"learning_rate": 1}}}),
        ({"populations": {"model": {"size": 2}}}, "populations.model.size", {"populations": {"model": {"size": 1}}}),
    ],
)
def test_a_key_is_put_in_its_place_with_or_without_its_model(raw, key, expected):
    put(raw, key, 1, "key")
    assert raw == expected


def test_changes_are_there_from_their_step_on_in_the_order_of_time():
    configuration = with_changes((20.0, {LIF: 5.0}), (10.5, {LIF: 7.0, PEAK: 0}), (20.0, {PEAK: 3}))
    assert configuration.steps_of_changes() == [105, 200]

    def at(step):
        network = configuration.at(step).network()
        return network.populations["target"].model.values["tau_m_ms"], network.populations["source"].model.values[
            "peak_hz"
        ]

    assert at(0) == at(104) == (20.0, 152.8)
    assert at(105) == at(199) == (7.0, 0.0)
    assert at(200) == at(10_000) == (5.0, 3.0)
    assert parse_configuration(configuration.resolved()).resolved() == configuration.resolved()


@pytest.mark.parametrize(
    ("at_ms", "values", "said"),
    [
        (0, {PEAK: 0}, "changes.0.at_ms: 0 is not allowed; must be a number > 0"),
        (0.25, {PEAK: 0}, "changes[0].at_ms: 0.25 is not allowed"),
        (1, {"scale": 2}, "changes[0].set: 'scale' is not allowed; must be a parameter of a model: populations.NAME"),
        (1, {"populations.source.model": "poisson"}, "changes[0].set: 'populations.source.model' is not allowed"),
        (1, {"projections.ff.weight": 1}, "changes[0].set: 'projections.ff.weight' is not allowed"),
        (1, {"projections.ff.connector.p_max": 1}, "'projections.ff.connector.p_max' is not allowed"),
        (1, {"populations.source.model.peak": 0}, "unknown name 'peak'"),
        (1, {"populations.source.model.peak_hz": -1}, "peak_hz: -1 is not allowed"),
        (1, {"populations.target.model.alif.tau_m_ms": 1}, "give one model"),
        (1, {"populations.other.model.tau_m_ms": 1}, "populations.other"),
    ],
)
def test_what_is_no_change_is_refused(at_ms, values, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        with_changes((at_ms, values))


def with_removals(*changes):
    raw = load_configuration("topomap").model_dump(mode="json")
    return parse_configuration({**raw, "changes": list(changes)})


def test_neurons_are_removed_from_their_step_on_and_stay_removed():
    changes = [{"at_ms": 2, "remove": {"populations.target": [3, 1]}}, {"at_ms": 1, "set": {PEAK: 0}}]
    changes.append({"at_ms": 4, "remove": {"populations.target": "3..4", "populations.source": "all"}})
    configuration = with_removals(*changes)
    removed = {
        step: {name: one.removed for name, one in configuration.at(step).network().populations.items()}
        for step in (0, 10, 20, 40)
    }
    assert removed[0] == removed[10] == {"source": None, "target": None}
    assert removed[20]["target"].tolist() == [1, 3]
    assert removed[40]["target"].tolist() == [1, 3, 4]
    assert removed[40]["source"].tolist() == list(range(256))
    assert configuration.resolved()["changes"] == changes, "and nothing that was not given"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "changes[0]: changes nothing; give set, remove or both"),
        ({"remove": {"target": [1]}}, "changes[0].remove: unknown name 'target'"),
        ({"remove": {"populations.targets": [1]}}, "Did you mean 'populations.target'"),
        (
            {"remove": {"populations.target": {"rectangle": [0, 0, 8, 17]}}},
            "changes[0].remove.populations.target.rectangle: [0, 0, 8, 17] is not allowed; must be [x0, y0, x1, y1]",
        ),
        ({"remove": {"populations.target": []}}, "changes[0].remove.populations.target: [] is not allowed; it is no"),
        ({"remove": {"populations.target": 256}}, "changes[0].remove.populations.target: 256 is not allowed"),
    ],
)
def test_what_is_no_removal_is_refused(change, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        with_removals({"at_ms": 1, **change})


def test_input_in_flight_keeps_its_unit():
    change = (1.0, {"projections.ff.synapse.w_max": 5000.0})
    with_changes(change)
    raw = load_configuration("topomap").model_dump(mode="json")
    raw["projections"]["ff"]["dendritic_delay_ms"] = 2.0
    with pytest.raises(ConfigurationError, match=r"changes\[0\]\.set: projections\.ff would have its input in another"):
        with_changes(change, projections=raw["projections"])
