"""From plain data to a network, and back to plain data that gives the same network."""

from __future__ import annotations

import pytest
import yaml

from hpcsnn import ConfigurationError, Grid
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.configuration.model_specs import configured
from hpcsnn.configuration.schema import Configuration
from hpcsnn.models import LIF, Normal, Uniform
from hpcsnn.shipped_files import shipped_configurations

PLAIN = {
    "populations": {"in": {"size": 7, "model": {"poisson": {"rate_hz": 9}}}, "out": {"grid": [7, 3], "model": "lif"}},
    "projections": {
        "p": {
            "source": "in", "target": "out", "connector": {"fixed_probability": {"p": 0.25}}, "weight": 2,
            "receptor": "exponential_current",
        }
    },
}  # fmt: skip


def with_projection(**changes):
    return {**PLAIN, "projections": {"p": {**PLAIN["projections"]["p"], **changes}}}


@pytest.mark.parametrize("name", shipped_configurations())
def test_what_ships_resolves_to_itself(name):
    """Through the YAML that a run keeps; a second time nothing is left to resolve."""
    configuration = load_configuration(name)
    resolved = configuration.resolved()
    again = parse_configuration(yaml.safe_load(yaml.safe_dump(resolved, sort_keys=False)))
    assert again.resolved() == resolved
    one, other = configuration.network(), again.network()
    for kind in ("populations", "projections"):
        assert list(getattr(one, kind)) == list(getattr(other, kind)), "the order numbers their random numbers"
    for mine, theirs in zip(one.projections.values(), other.projections.values(), strict=True):
        assert mine.synapse.constants(one.dt_ms) == theirs.synapse.constants(one.dt_ms)
        assert (mine.delay_steps, mine.weight, mine.reach_squared) == (
            theirs.delay_steps, theirs.weight, theirs.reach_squared
        )  # fmt: skip


def test_what_is_not_said_is_written_out():
    resolved = parse_configuration(PLAIN).resolved()
    out, p = resolved["populations"]["out"], resolved["projections"]["p"]
    assert out["model"] == {"lif": {name: parameter.default for name, parameter in LIF.parameters.items()}}
    assert (out["initial"], out["record_spikes"], out["size"]) == ({}, False, None)
    assert (p["synapse"], p["delay_ms"], p["rows_grow"], p["rewiring"]) == ({"static": {}}, 0.1, True, None)
    assert (resolved["seed"], resolved["checkpoint_keep"], resolved["tile"]) == (1, 3, 8)


def test_grids_scale_and_sizes_do_not():
    network = Configuration(**PLAIN, scale=3).network()
    assert network.populations["out"].grid == Grid(21, 9)
    assert network.populations["in"].grid == Grid(7, 1)


def test_delays_are_a_number_a_distribution_or_one_step():
    for said, meant in (
        (None, 0.1),
        (1.5, 1.5),
        ({"normal": {"mean": 2, "std": 0.1, "low": 1, "high": 3}}, Normal(2, 0.1, 1, 3)),
        ({"uniform": {"low": 1, "high": 3}}, Uniform(1, 3)),
    ):
        configuration = parse_configuration(with_projection(delay_ms=said))
        assert configuration.network().projections["p"].delay_ms == pytest.approx(meant)
        resolved = configuration.resolved()["projections"]["p"]["delay_ms"]
        assert resolved == (said if isinstance(said, dict) else pytest.approx(meant))


def test_a_dendritic_delay_is_none_or_whole_steps():
    for said, meant in ((None, 0.0), (0, 0.0), (1.3, 1.3)):
        configuration = parse_configuration(with_projection(**({} if said is None else {"dendritic_delay_ms": said})))
        assert configuration.network().projections["p"].dendritic_delay_ms == pytest.approx(meant)
        assert configuration.resolved()["projections"]["p"]["dendritic_delay_ms"] == pytest.approx(meant)
    for wrong, allowed in (
        (-1, "steps of 0.1 ms: 0 "),
        (0.04, "steps of 0.1 ms: 0 or 0.1 "),
        (6553.7, "65537 steps are not"),
    ):
        with pytest.raises(ConfigurationError) as error:
            parse_configuration(with_projection(dendritic_delay_ms=wrong)).network()
        assert "projections.p.dendritic_delay_ms: " in str(error.value) and allowed in f"{error.value} "


def test_names_become_models_and_models_names():
    for spec in ("lif", {"lif": None}, {"lif": {}}, {"lif": {"tau_m_ms": 20}}):
        assert configured("model", "here", spec).described() == LIF().described()
    given = configured("model", "here", {"lif": {"tau_m_ms": [1, 2]}})
    assert given.described()["lif"]["tau_m_ms"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("model", {"lif": {}, "alif": {}}, "here: ['alif', 'lif'] is not allowed; give one model, with its parameters"),
        ("model", 3, "here: 3 is not allowed; give one model"),
        ("model", {}, "here: {} is not allowed; give one model"),
        ("model", {"lif": [1]}, "here.lif: [1] is not allowed; give parameters as name: value"),
        ("model", "static", "here: unknown name 'static'; allowed: adex, adex_afterpotential, alif, "),
        ("synapse", "lif", "here: unknown name 'lif'; allowed: additive_stdp, bcpnn, "),
        ("receptor", "delta_curent", "here: unknown name 'delta_curent'; allowed: "),
    ],
)
def test_what_is_no_model_of_the_kind_is_refused(kind, spec, message):
    with pytest.raises(ConfigurationError) as error:
        configured(kind, "here", spec)
    assert str(error.value).startswith(message)


Mine = '''"""A model of one's own."""
from hpcsnn.models import NeuronModel, Parameter
Mine = NeuronModel("mine", "", parameters={"a": Parameter(1.5, "", "")})
'''


def test_a_users_model_is_named_by_the_runs_copy_of_its_file(tmp_path):
    (tmp_path / "own.py").write_text(Mine)
    raw = {"populations": {name: {"size": 2, "model": {"own.py:Mine": {"a": 2}}} for name in ("one", "two")}}
    configuration = parse_configuration(raw, tmp_path)
    (file,) = configuration.user_files()
    assert (file.path, file.text) == (tmp_path / "own.py", Mine)
    resolved = configuration.resolved()
    assert resolved["populations"]["one"]["model"] == {f"models/{file.name}:Mine": {"a": 2.0}}
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / file.name).write_text(Mine)
    again = parse_configuration(resolved, tmp_path)
    assert again.resolved() == resolved, "a copy's copy is the copy"


@pytest.mark.parametrize("spec", [{}, {"grid": [2, 2], "size": 4}, {"size": 1, "positions": [[0, 0]]}])
def test_a_population_is_a_grid_or_a_size_or_has_positions(spec):
    with pytest.raises(
        ConfigurationError, match=r"^populations\.a: give either grid: \[nx, ny\] or size: n, or positions$"
    ):
        parse_configuration({"populations": {"a": {"model": "lif", **spec}}})
