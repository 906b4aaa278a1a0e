"""YAML files that build on each other, and the overrides of the command line."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import (
    load_configuration,
    parse_configuration,
    shipped_configurations,
    write_configuration,
)

BASE = {
    "seed": 3,
    "populations": {
        "a": {"size": 4, "model": {"lif": {"tau_m_ms": 10, "V_reset_mV": -72}}, "initial": {"V_mV": -60}},
        "s": {"size": 4, "model": "poisson"},
    },
    "projections": {
        "sa": {
            "source": "s", "target": "a", "connector": "one_to_one", "receptor": "delta_current", "weight": 1.0,
            "delay_ms": {"normal": {"mean": 2, "std": 0.5}},
        },
    },
}  # fmt: skip


def test_the_published_maps_keep_the_published_rule_of_coincident_pairs():
    """Whatever extends `topomap` learns as GeNN's model does; it is the one rule of STDP that has the choice."""
    rules = {
        (name, projection.name): projection.synapse
        for name in shipped_configurations()
        for projection in load_configuration(name).network().projections.values()
        if projection.synapse.name == "additive_stdp"
    }
    assert {name for name, _ in rules} >= {"topomap", "topomap_stdp_only", "topomap_bamford_2010"}
    assert {rule.values["drop_older_pairs"] for rule in rules.values()} == {1}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    return tmp_path


def extended(folder, over, overrides=()):
    (folder / "over.yaml").write_text(yaml.safe_dump({"extends": "base.yaml", **over}))
    return load_configuration(folder / "over.yaml", overrides)


def changed(path, value):
    """The base with one leaf set."""
    raw = copy.deepcopy(BASE)
    *steps, last = path
    place = raw
    for step in steps:
        place = place[step]
    place[last] = value
    return parse_configuration(raw).resolved()


@pytest.mark.parametrize(
    ("over", "path", "value"),
    [
        ({"seed": 9}, ("seed",), 9),
        ({"populations": {"a": {"size": 4, "record_spikes": True}}}, ("populations", "a", "record_spikes"), True),
        (
            {"populations": {"a": {"model": {"lif": {"tau_m_ms": 30}}}}},
            ("populations", "a", "model"),
            {"lif": {"tau_m_ms": 30, "V_reset_mV": -72}},
        ),
        (
            {"populations": {"a": {"model": {"alif": {"beta_mV": 1}}}}},
            ("populations", "a", "model"),
            {"alif": {"beta_mV": 1}},
        ),
        (
            {"populations": {"s": {"model": {"poisson": {"rate_hz": 7}}}}},
            ("populations", "s", "model"),
            {"poisson": {"rate_hz": 7}},
        ),
        (
            {"populations": {"a": {"initial": {"frozen_steps": 2}}}},
            ("populations", "a", "initial"),
            {"V_mV": -60, "frozen_steps": 2},
        ),
        (
            {"populations": {"a": {"initial": {"V_mV": {"uniform": {"low": -70, "high": -60}}}}}},
            ("populations", "a", "initial"),
            {"V_mV": {"uniform": {"low": -70, "high": -60}}},
        ),
        (
            {"projections": {"sa": {"delay_ms": {"normal": {"std": 0.1}}}}},
            ("projections", "sa", "delay_ms"),
            {"normal": {"mean": 2, "std": 0.1}},
        ),
        (
            {"projections": {"sa": {"delay_ms": {"uniform": {"low": 1, "high": 2}}}}},
            ("projections", "sa", "delay_ms"),
            {"uniform": {"low": 1, "high": 2}},
        ),
        ({"projections": {"sa": {"delay_ms": 5.0}}}, ("projections", "sa", "delay_ms"), 5.0),
        ({"projections": {"sa": {"delay_ms": None}}}, ("projections", "sa", "delay_ms"), None),
    ],
)  # fmt: skip
def test_a_file_lays_its_own_over_what_it_extends(over, path, value, folder):
    """A model or distribution of the same name keeps what is not said again; another one takes the place of all."""
    assert extended(folder, over).resolved() == changed(path, value)


def test_files_extend_files_that_extend(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "middle.yaml").write_text("extends: ../base.yaml\nseed: 4\ndt_ms: 0.5\n")
    (folder / "top.yaml").write_text("extends: sub/middle.yaml\nseed: 5\n")
    configuration = load_configuration(folder / "top.yaml", ["duration_ms=7"])
    assert (configuration.seed, configuration.dt_ms, configuration.duration_ms) == (5, 0.5, 7.0)
    assert configuration.populations["a"].size == 4
    (folder / "base.yaml").write_text("extends: top.yaml\n")
    with pytest.raises(ConfigurationError, match="extends itself"):
        load_configuration(folder / "top.yaml")


@pytest.mark.parametrize("name", ["topomap", "configs/topomap.yaml", "topomap.yaml"])
def test_what_ships_is_found_by_its_name_and_extended(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_configuration(name).description == "Topographic map with STDP and rewiring"
    (tmp_path / "mine.yaml").write_text(f"extends: {name}\nscale: 2\n")
    assert load_configuration("mine.yaml").network().populations["target"].size == 32 * 32
    with pytest.raises(ConfigurationError, match="no such file"):
        load_configuration("elsewhere/topomap.yaml")
    (tmp_path / "topomap.yaml").write_text(yaml.safe_dump({**BASE, "description": "mine"}))
    if name == "topomap.yaml":
        assert load_configuration(name).description == "mine", "a file that is there goes before one that ships"


@given(
    st.sampled_from(["1e-3", "1E3", "+1.5e2", "-2.e1", ".5e-1", "3", "0.25"]).flatmap(
        lambda text: st.tuples(st.just(text), st.just(float(text)))
    )
)
@settings(max_examples=10)
def test_numbers_are_numbers_with_or_without_a_point(case):
    text, value = case
    configuration = load_configuration("topomap", [f"populations.target.initial.V_mV={text}"])
    assert configuration.populations["target"].initial["V_mV"] == value


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("seed=7", ("seed",), 7),
        ("populations.a.model.lif.tau_m_ms=4", ("populations", "a", "model", "lif", "tau_m_ms"), 4),
        ("populations.s.model.poisson.rate_hz=4", ("populations", "s", "model"), {"poisson": {"rate_hz": 4}}),
        ("populations.a.model=alif", ("populations", "a", "model"), "alif"),
        ("populations.a.initial={V_mV: -55}", ("populations", "a", "initial"), {"V_mV": -55}),
        (
            "projections.sa.synapse.additive_stdp.w_max=2",
            ("projections", "sa", "synapse"),
            {"additive_stdp": {"w_max": 2}},
        ),
        ("description=a=b", ("description",), "a=b"),
        ("projections={}", ("projections",), {}),
    ],
)  # fmt: skip
def test_an_override_sets_one_leaf(override, path, value, folder):
    assert load_configuration(folder / "base.yaml", [override]).resolved() == changed(path, value)


def test_the_last_of_several_overrides_holds():
    overrides = ["seed=2", "populations.target.model.lif.tau_m_ms=5", "seed=3", "populations.target.model=alif"]
    configuration = load_configuration("topomap", overrides)
    assert (configuration.seed, configuration.populations["target"].model) == (3, "alif")


Own = """from hpcsnn.models import NeuronModel, Parameter
Mine = NeuronModel("mine", "", parameters={"a": Parameter(1.5, "", ""), "b": Parameter(2.5, "", "")})
"""


def test_a_model_of_a_file_is_found_from_the_file_that_names_it_and_overridden(folder, monkeypatch):
    (folder / "models").mkdir()
    (folder / "models" / "own.py").write_text(Own)
    (folder / "own.yaml").write_text("populations: {c: {size: 2, model: {'models/own.py:Mine': {a: 3}}}}\n")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "over.yaml").write_text("extends: ../own.yaml\n")
    monkeypatch.chdir(folder / "deeper")
    override = "populations.c.model.models/own.py:Mine.b=4"
    configuration = load_configuration("over.yaml", [override])
    assert dict(configuration.network().populations["c"].model.values) == {"a": 3.0, "b": 4.0}


def test_what_is_written_is_read_as_it_was(folder):
    (folder / "own.py").write_text(Own)
    raw = {**BASE, "populations": {**BASE["populations"], "c": {"size": 2, "model": {"own.py:Mine": {"a": 3}}}}}
    configuration = parse_configuration(raw, folder)
    run = folder / "run"
    run.mkdir()
    write_configuration(run / "config.yaml", configuration)
    (folder / "own.py").unlink()
    again = load_configuration(run / "config.yaml")
    assert again.resolved() == configuration.resolved()
    assert [path.name for path in (run / "models").iterdir()] == [file.name for file in configuration.user_files()]


@settings(max_examples=50)
@given(
    st.one_of(
        st.sampled_from(["on", "1:30", "010", "1e5", "null", "~", "2020-13-45", "a: b", "<<", "", " ", "\n", "\u2028"]),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_a_text_is_written_so_that_it_is_read_as_it_was(text):
    configuration = parse_configuration({**BASE, "description": text})
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "config.yaml"
        write_configuration(written, configuration)
        again = load_configuration(written)
    assert again.description == text
    assert again.resolved() == configuration.resolved()


def test_every_configuration_that_ships_is_listed():
    assert {"topomap", "deep_r", "homeostatic", "patch_swaps"} <= set(shipped_configurations())
    assert shipped_configurations() == sorted(shipped_configurations())


@pytest.mark.parametrize("name", ["synapse", "model", "normal"])
def test_a_population_or_projection_may_have_the_name_of_a_kind(name, folder):
    raw = copy.deepcopy(BASE)
    raw["projections"] = {name: {**raw["projections"].pop("sa"), "target": f"{name}s"}}
    raw["populations"] = {f"{name}s" if key == "a" else key: value for key, value in raw["populations"].items()}
    (folder / "base.yaml").write_text(yaml.safe_dump(raw))
    network = extended(folder, {"projections": {name: {"weight": 0.5}}}).network()
    assert (network.projections[name].weight, network.projections[name].source.name) == (0.5, "s")
    (folder / "base.yaml").write_text(yaml.safe_dump({"populations": {name: BASE["populations"]["a"]}}))
    over = {"populations": {name: {"record_spikes": True}, "more": {"size": 1, "model": "lif"}}}
    network = extended(folder, over).network()
    assert set(network.populations) == {name, "more"}
    assert network.populations[name].record_spikes
    assert dict(network.populations[name].initial) == {"V_mV": -60}
