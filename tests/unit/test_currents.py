"""Currents onto neurons: what they may be given, in Python and in configurations, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.checked_numbers import LAST_STEP
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.configuration.trust import check_named
from hpcsnn.planning.memory import estimate
from support.learning import classifier, learner

STEP = {"step_current": {"amplitude": 2}}


def population(*currents, model=None, size=20):
    network = Network(seed=1)
    return network.add_population("cells", size, model or models.LIF(), stimulate=currents)


def test_a_current_flows_in_whole_steps_for_the_neurons_that_are_chosen():
    one, other = population(
        models.StepCurrent(amplitude=1, from_ms=10, to_ms=20.5, neurons="3..5"), models.NoiseCurrent(std=1)
    ).stimulations
    assert (one.from_step, one.to_step, one.ids.tolist()) == (100, 205, [3, 4, 5])
    assert (other.from_step, other.to_step, other.ids) == (0, LAST_STEP, None)
    assert one.current.described() == {
        "step_current": {"amplitude": 1.0, "from_ms": 10.0, "to_ms": 20.5, "neurons": "3..5"}
    }


CURRENTS = [
    (lambda: models.StepCurrent(), "step_current.amplitude: missing; give a number in units of current"),
    (lambda: models.StepCurrent(amplitude=1, from_ms=-1), "step_current.from_ms: -1 is not allowed; must be"),
    (lambda: models.StepCurrent(amplitude=1, to_ms=0), "step_current.to_ms: 0.0 is not allowed; must be above from_ms"),
    (lambda: models.StepCurrent(amplitude=1, to_ms="end"), "step_current.to_ms: 'end' is not allowed; must be"),
    (lambda: models.StepCurrent(amplitude=[1, "b"]), "step_current.amplitude: 'b' of neuron 1 is not allowed"),
    (lambda: models.StepCurrent(amplitude={"normal": {"mean": 1}}), "step_current.amplitude.normal: {'mean': 1} is"),
    (lambda: models.NoiseCurrent(std=[1, -1]), "noise_current.std: -1 of neuron 1 is not allowed; must be a number"),
    (lambda: models.RampCurrent(to_amplitude=1), "ramp_current.to_ms: missing; give a number in ms > from_ms"),
    (lambda: models.NoiseCurrent(std=-1), "noise_current.std: -1 is not allowed"),
    (
        lambda: models.SineCurrent(amplitude=1, frequency=3),
        "sine_current: unknown name 'frequency'; allowed: amplitude, frequency_hz, from_ms, neurons, phase_deg, to_ms. "
        "Did you mean 'frequency_hz'?",
    ),
]
ON_CELLS = [
    (
        models.StepCurrent(amplitude=[1, 2], neurons="0..1"),
        "[0].step_current.amplitude: has 2 values; must be one number or 20 values, one per neuron",
    ),
    (
        models.SineCurrent(amplitude=1, frequency_hz=[*[10] * 19, 5000]),
        "[0].sine_current.frequency_hz: 5000.0 is not allowed; with dt_ms 0.1 it must be < 5000 Hz, so that a period "
        "has more than two steps; so it is for neuron 19",
    ),
    (models.StepCurrent(amplitude=1, to_ms=0.25), "[0].step_current.to_ms: 0.25 is not allowed; must be a whole"),
    (models.StepCurrent(amplitude=1, from_ms=0.01), "[0].step_current.from_ms: 0.01 is not allowed; must be a whole"),
    (models.StepCurrent(amplitude=1, to_ms=1e12), "[0].step_current.to_ms: 1000000000000.0 is 10000000000000 steps"),
    (models.StepCurrent(amplitude=1, neurons="0..20"), "[0].step_current.neurons: 20 is not allowed; must be"),
    (models.NoiseCurrent(std=1, every_ms=0.25), "[0].noise_current.every_ms: 0.25 is not allowed; must be a whole"),
    (
        models.PoissonCurrent(rate_hz=2e6, weight=1),
        "[0].poisson_current.rate_hz: 2e+06 is not allowed; with dt_ms 0.1 it must be <= 1.28e+06 Hz",
    ),
    (
        models.SineCurrent(amplitude=1, frequency_hz=5000),
        "[0].sine_current.frequency_hz: 5000.0 is not allowed; with dt_ms 0.1 it must be < 5000 Hz, so that a period "
        "has more than two steps",
    ),
]


@pytest.mark.parametrize(("make", "said"), CURRENTS, ids=[said[:40] for _, said in CURRENTS])
def test_what_is_no_current_is_refused(make, said):
    with pytest.raises(ConfigurationError, match="^" + re.escape(said)):
        make()


@pytest.mark.parametrize(("current", "said"), ON_CELLS, ids=[said[:40] for _, said in ON_CELLS])
def test_what_does_not_go_onto_a_population_is_refused(current, said):
    with pytest.raises(ConfigurationError, match="^" + re.escape(f"populations.cells.stimulate{said}")):
        population(current)


def test_only_neurons_take_currents_and_only_lists_of_them_are_given():
    said = r"populations\.cells\.stimulate: not allowed with the model poisson, whose neurons spike by themselves"
    with pytest.raises(ConfigurationError, match=said):
        population(models.StepCurrent(amplitude=1), model=models.Poisson())
    for other in (models.LIF(), models.StepCurrent, 3):
        with pytest.raises(ConfigurationError, match=r"stimulate\[0\]: .* is not a CurrentModel with its parameters"):
            population(other)
    for other in (models.StepCurrent(amplitude=1), np.zeros(3), 0, "step_current"):
        with pytest.raises(ConfigurationError, match=r"stimulate: .* is not allowed; must be a list of currents"):
            Network().add_population("cells", 3, models.LIF(), stimulate=other)


def test_a_network_that_learns_has_no_currents():
    network, current = classifier(), [models.StepCurrent(amplitude=1)]
    network.add_population("driven", 3, models.LIFSubtractive(), stimulate=current)
    network.add_projection(
        "driven_output", "driven", "output", models.AllToAll(), models.DeltaCurrent(), 0.1, models.Trained()
    )
    with pytest.raises(ConfigurationError, match=r"^populations\.driven\.stimulate: not allowed in a training, whose"):
        learner(network)


def test_the_phase_of_a_sine_is_exact_and_below_a_turn():
    for phase_deg, turns in ((0, 0), (90, 2**29), (-90, 3 * 2**29), (360, 0), (-1e-20, 2**31 - 1), (450, 2**29)):
        constants = models.SineCurrent(amplitude=1, frequency_hz=1, phase_deg=phase_deg).constants(0.1)
        assert constants["first_turns"] == turns
    constants = models.SineCurrent(amplitude=1, frequency_hz=4999.999).constants(0.1)
    whole = constants["step_turns"] * 2**31 + constants["step_turns_rest"]
    assert abs(whole / 2**63 - 0.4999999) < 1e-16


def configuration(stimulate, **more):
    cells = {"grid": [4, 4], "model": "lif", "stimulate": stimulate}
    return parse_configuration({"duration_ms": 30, "populations": {"cells": cells}, **more})


def test_a_configuration_has_them_and_writes_them_out_as_they_are_read():
    given = [STEP, {"ramp_current": {"to_amplitude": 3, "to_ms": 20, "neurons": {"rectangle": [0, 0, 2, 2]}}}]
    read = configuration(given)
    step, ramp = read.network().populations["cells"].stimulations
    assert (step.current.values["amplitude"], ramp.ids.tolist()) == (2.0, [0, 1, 4, 5])
    assert parse_configuration(read.resolved()).resolved() == read.resolved()
    for spec, said in (
        (
            {"step": {}},
            "unknown name 'step'; allowed: noise_current, poisson_current, ramp_current, sine_current, step_",
        ),
        (3, "3 is not allowed; give one model"),
        ({"step_current": {"amplitude": 1, "to_ms": 0.01}}, "step_current.to_ms: 0.01 is not allowed"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape("populations.cells.stimulate[1]") + ".*") as error:
            configuration([STEP, spec])
        assert said in str(error.value)


def test_a_configuration_may_give_each_neuron_its_own():
    given = [
        {"step_current": {"amplitude": {"normal": {"mean": 5, "std": 1}}}},
        {"noise_current": {"std": 1, "mean": list(range(16))}},
    ]
    read = configuration(given, changes=[{"at_ms": 10, "set": {"populations.cells.stimulate.1.mean": 3}}])
    step, noise = (one.current for one in read.network().populations["cells"].stimulations)
    assert step.values["amplitude"] == models.Normal(5, 1)
    assert noise.values["mean"] == tuple(float(n) for n in range(16))
    assert parse_configuration(read.resolved()).resolved() == read.resolved()
    assert read.at(100).network().populations["cells"].stimulations[1].current.values["mean"] == 3.0
    with pytest.raises(ConfigurationError, match=r"stimulate\[0\].noise_current.mean: has 15 values; must be one"):
        configuration([{"noise_current": {"std": 1, "mean": list(range(15))}}])
    assert (
        estimate(read.network(), 4, 0, 1).n_bytes >= estimate(configuration([]).network(), 4, 0, 1).n_bytes + 2 * 4 * 16
    )


def test_changes_set_what_currents_are_given():
    key = "populations.cells.stimulate.0"
    changes = [{"at_ms": 10, "set": {f"{key}.amplitude": 5}}, {"at_ms": 20, "set": {f"{key}.step_current.neurons": 3}}]
    changing = configuration([STEP], changes=changes)

    def at(step):
        (one,) = changing.at(step).network().populations["cells"].stimulations
        return one.current.values["amplitude"], one.current.values["neurons"]

    assert [at(step) for step in (0, 100, 200)] == [(2.0, "all"), (5.0, "all"), (5.0, 3)]
    for wrong, said in (
        ("populations.cells.stimulate.1.amplitude", "'1' is not allowed; must be a number in 0 .. 0"),
        ("populations.cells.stimulate.0.height", "unknown name 'height'"),
        ("populations.cells.stimulate.0", "'populations.cells.stimulate.0' is not allowed; must be a parameter of a"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            configuration([STEP], changes=[{"at_ms": 10, "set": {wrong: 1}}])


def test_overrides_reach_into_the_list():
    raw = {"populations": {"cells": {"grid": [4, 4], "model": "lif", "stimulate": [STEP, STEP]}}}
    overrides = ["populations.cells.stimulate.1.amplitude=7", "populations.cells.stimulate.0={noise_current: {std: 1}}"]
    both = parse_configuration(raw, overrides=overrides).network().populations["cells"].stimulations
    assert [one.current.name for one in both] == ["noise_current", "step_current"]
    assert both[1].current.values["amplitude"] == 7
    assert raw["populations"]["cells"]["stimulate"] == [STEP, STEP], "what was given stays as it is"
    none = {"populations": {"cells": {"size": 1, "model": "lif", "stimulate": []}}}
    with pytest.raises(ConfigurationError, match="'0' is not allowed; the list is empty"):
        parse_configuration(none, overrides=overrides[1:])


OWN = """
from hpcsnn.models import CurrentModel, Parameter
Own = CurrentModel("own", "", parameters={"height": Parameter(None, "", "")}, current="height")
"""


def test_a_current_of_a_users_file_is_found_kept_and_trusted_as_other_models_are(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    raw = {"populations": {"cells": {"size": 4, "model": "lif", "stimulate": [STEP, {"mine.py:Own": {"height": 3}}]}}}
    read = parse_configuration(raw, tmp_path)
    assert [one.current.name for one in read.network().populations["cells"].stimulations] == ["step_current", "own"]
    assert [file.path for file in read.user_files()] == [tmp_path / "mine.py"]
    with pytest.raises(ConfigurationError, match="names Python that would be executed"):
        check_named(tmp_path / "config.yaml", raw, tmp_path, trust=False)
    wrong = {"populations": {"cells": {"size": 4, "model": "lif", "stimulate": ["mine.py:Other"]}}}
    with pytest.raises(ConfigurationError, match=r"populations\.cells\.stimulate\[0\]: .*unknown name 'Other'"):
        parse_configuration(wrong, tmp_path)


def test_an_estimate_of_memory_counts_who_is_chosen_and_tables():
    table = models.CurrentModel("tables", "", tables={"mine": models.Table("float", lambda _: np.zeros(100))})

    def n_bytes(*currents):
        network = Network()
        network.add_population("cells", Grid(8, 8), models.LIF(), stimulate=currents)
        return estimate(network, 8, 0, 1).n_bytes

    assert n_bytes(models.StepCurrent(amplitude=1, neurons=3)) - n_bytes(models.StepCurrent(amplitude=1)) == 64 * 4
    assert n_bytes(table()) - n_bytes() == 100 * 4
