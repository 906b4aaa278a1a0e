"""What objects say of themselves in a console and in a notebook: short, whole, and never HTML of somebody else's."""

from __future__ import annotations

import re

import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.brief import Brief
from hpcsnn.configuration.files import load_configuration
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.training.configuration import load_training


class Hostile(Brief):
    def __init__(self, n=2):
        self.n = n

    def _headline(self):
        return "<script>alert(1)</script> \x1b[2J"

    def _rows(self):
        return [(f"<b>{k}</b>", "x" * 1000, "& last") for k in range(self.n)]


def network():
    made = Network(seed=3, dt_ms=0.5)
    made.add_population("eye", Grid(4, 2), models.Poisson(rate_hz=40))
    made.add_population("cells", 5, models.LIF(tau_m_ms=models.Normal(20, 1), V_threshold_mV=-54))
    made.add_projection("ff", "eye", "cells", models.AllToAll(), models.DeltaCurrent(), 1.5)
    return made


def test_a_network_says_what_is_in_it():
    made = network()
    assert repr(made).splitlines() == [
        "Network of 2 populations: seed 3, steps of 0.5 ms",
        "  eye    4 x 2         poisson(rate_hz=40)",
        "  cells  5 x 1         lif(tau_m_ms=Normal(mean=20.0, std...)",
        "  ff     eye to cells  static, delta_current, all_to_all",
    ]
    assert repr(made.populations["eye"]) == "Population eye: 4 x 2 neurons, poisson(rate_hz=40)"
    assert repr(made.projections["ff"]).splitlines()[0] == "Projection ff: eye to cells, weight 1.5"
    assert repr(Grid(4, 2)) == "Grid(nx=4, ny=2, borders='periodic')"
    assert repr(models.LIF(tau_m_ms=10)) == "lif(tau_m_ms=10)"
    assert repr(models.LIF()) == "lif()", "defaults go without saying"


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_that_ships_is_a_few_lines(kind):
    for model in registered(kind).values():
        first, *rows = repr(model).splitlines()
        assert first.startswith(f"{model.name} ({model.KIND}): ")
        assert [row.split()[0] for row in rows] == list(model.parameters)


def test_configurations_say_what_they_are():
    run, training = repr(load_configuration("topomap")), repr(load_training("digits"))
    assert run.startswith("Configuration of a run: Topographic map")
    assert re.search(r"^  populations.target +lif$", run, re.MULTILINE)
    assert re.search(r"^  projections.ff +source to target$", run, re.MULTILINE)
    assert training.startswith("Configuration of a training: ")
    for text in (run, training):
        assert len(text.splitlines()) <= 22


def test_what_is_long_is_cut_and_what_is_no_text_is_written_out():
    first, *rows, last = repr(Hostile(30)).splitlines()
    assert first == r"<script>alert(1)</script> \x1b[2J"
    assert len(rows) == 20
    assert all(len(row) < 110 for row in rows)
    assert last == "  and 10 more"


def test_a_notebook_sees_text_and_no_html_of_somebody_elses():
    shown = Hostile()._repr_html_()
    assert set(re.findall(r"</?(\w+)", shown)) == {"div", "table", "tr", "td"}
    assert "&lt;script&gt;" in shown
    assert "&amp; last" in shown
    assert "\x1b" not in shown
    assert network()._repr_html_().count("<tr>") == 3


def test_a_slot_that_there_is_not_is_told_with_the_nearest_one():
    with pytest.raises(
        ConfigurationError, match=r"NeuronModel: unknown name 'treshold'; .* Did you mean 'threshold'\?"
    ):
        models.NeuronModel("mine", "", treshold="V_mV > 1.0f")
    with pytest.raises(
        ConfigurationError, match=r"RewiringRule: unknown name 'elimnate'; .*Did you mean 'eliminate'\?"
    ):
        models.RewiringRule("mine", "", elimnate="false")


def test_a_configuration_that_does_not_ship_is_told_with_the_nearest_one():
    with pytest.raises(
        ConfigurationError, match=r"^topomop: no such file; .*topomap_uncorrelated\. Did you mean 'topomap'\?$"
    ):
        load_configuration("topomop")
