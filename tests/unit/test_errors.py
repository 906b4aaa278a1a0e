"""Every mistake in a configuration or a declaration: the message names the field, the value and what is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.configuration.files import load_configuration, parse_configuration
from support.messages import as_pattern

FF = "projections.ff"
STDP = f"{FF}.synapse.additive_stdp"
BAMFORD = f"{FF}.rewiring.bamford"
FIELD = "populations.source.model.moving_gaussian_poisson"

# An override of the topographic map, and what is said about it.
OVERRIDES = [
    ("sead=3", "configuration: unknown name 'sead'; allowed: .*Did you mean 'seed'?"),
    ("populations.source.sise=3", "populations.source: unknown name 'sise'; allowed: .*Did you mean 'size'?"),
    (f"{FF}.delay=1", f"{FF}: unknown name 'delay'; allowed: .*Did you mean 'delay_ms'?"),
    (f"{BAMFORD}.sgima=1", f"{BAMFORD}: unknown name 'sgima'; allowed: .*Did you mean 'sigma'?"),
    ("populations.target.model={liff: {}}", "populations.target.model: unknown name 'liff'; .*Did you mean 'lif'?"),
    (
        f"{FF}.rewiring.banford=1",
        f"{BAMFORD}: unknown name 'banford'; allowed: attempts, block_side, every_ms",
    ),
    (f"{FF}.rewiring=none_such", f"{FF}.rewiring: unknown name 'none_such'; allowed: bamford"),
    ("seed=-1", "seed: -1 is not allowed; must be a whole number >= 0 and <= 2^64 - 1"),
    ("seed=18446744073709551616", "seed: 18446744073709551616 is not allowed; must be a whole number >= 0"),
    ("seed=1.5", "seed: 1.5 is not allowed; must be a whole number >= 0"),
    ("seed=true", "seed: True is not allowed; must be a whole number >= 0"),
    ("scale=0", "scale: 0 is not allowed; must be a whole number >= 1"),
    ("dt_ms=0", "dt_ms: 0 is not allowed; must be a number > 0 (a number of milliseconds)"),
    (
        "duration_ms=-5",
        "duration_ms: -5 is not allowed; must be a number >= 0 (a number of milliseconds)",
    ),
    (
        "duration_ms=60 s",
        "duration_ms: '60 s' is not allowed; must be a number >= 0 (a number of milliseconds)",
    ),
    ("duration_ms=.inf", "duration_ms: inf is not allowed; must be a number >= 0"),
    ("duration_ms=1e12", "duration_ms: 1000000000000.0 is 10000000000000 steps of 0.1 ms; at most 2^31 - 1"),
    ("duration_ms=0.25", "duration_ms: 0.25 is not allowed; must be a whole number of steps of 0.1 ms: 0.2 or 0.3"),
    (
        f"{FF}.delay_ms=0.35",
        f"{FF}.delay_ms: 0.35 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.3 or 0.4",
    ),
    (
        f"{FF}.delay_ms=3e8",
        f"{FF}.delay_ms: 300000000.0 is 3000000000 steps of 0.1 ms; at most 2^31 - 1, which are 214748364.7 ms",
    ),
    (f"{FF}.weight=true", f"{FF}.weight: True is not allowed; must be a finite number"),
    (
        "checkpoint_every=0.25ms",
        "checkpoint_every: 0.25 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.2 or 0.3",
    ),
    (
        "populations.target.model.lif.refractory_ms=0.25",
        "populations.target.model.lif.refractory_ms: 0.25 is not allowed; must be a whole number of steps of 0.1 ms: 0.2 or 0.3",
    ),
    (
        f"{BAMFORD}.every_ms=1.05",
        f"{BAMFORD}.every_ms: 1.05 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 1 or 1.1",
    ),
    (
        f"{BAMFORD}.sigma=1e30",
        f"{BAMFORD}: squared distances up to 4.06963e+61 are not allowed (.*sigma 1e+30.*); at most 2^25",
    ),
    (
        f"{FF}.delay_ms=1 ms",
        f"{FF}.delay_ms: '1 ms' is not allowed; must be a finite number (a number of milliseconds)",
    ),
    (
        f"{FF}.delay_ms=0",
        f"{FF}.delay_ms: 0.0 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1",
    ),
    (
        f"{FF}.delay_ms=0.04",
        f"{FF}.delay_ms: 0.04 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1",
    ),
    ("populations.source.grid=[0, 16]", "populations.source.grid: [0, 16] is not allowed; must be >= 1"),
    ("populations.source.grid=[-16, 16]", "populations.source.grid: [-16, 16] is not allowed; must be >= 1"),
    ("populations.source.grid=[16]", "populations.source.grid.*: .*missing"),
    (
        "populations.source.grid=[16.5, 16]",
        "populations.source.grid.0: 16.5 is not allowed; must be a whole number",
    ),
    ("populations.source.size=5", "populations.source: give either grid: [nx, ny] or size: n"),
    (
        "populations.source.grid=[70000, 70000]",
        "populations.source.grid: 70000 x 70000 neurons are too many; at most 2^31 - 1",
    ),
    (
        "populations.source.borders=open",
        f"{FF}: source grid with open borders does not fit target grid with periodic ones; distances need equal borders",
    ),
    (f"{FF}.source=sauce", f"{FF}.source: unknown name 'sauce'; allowed: source, target. Did you mean 'source'?"),
    (
        "projections.lat.target=source",
        "projections.lat.target: 'source' is not allowed; it spikes by itself (moving_gauss",
    ),
    (
        f"{FF}.connector.gaussian.sigma=0",
        f"{FF}.connector.gaussian.sigma: 0 is not allowed; must be a number in grid units > 0",
    ),
    (f"{BAMFORD}.sigma=0", f"{BAMFORD}.sigma: 0 is not allowed; must be a number in grid units > 0"),
    (f"{BAMFORD}.sigma=wide", f"{BAMFORD}.sigma: 'wide' is not allowed; must be a number in grid units > 0"),
    (f"{BAMFORD}.sigma=.nan", f"{BAMFORD}.sigma: nan is not allowed; must be a number in grid units > 0"),
    (
        f"{FF}.connector.gaussian.p_max=1.5",
        f"{FF}.connector.gaussian.p_max: 1.5 is not allowed; must be a number >= 0 and <= 1",
    ),
    (f"{BAMFORD}.p_eliminate=-0.1", f"{BAMFORD}.p_eliminate: -0.1 is not allowed; must be a number >= 0 and <= 1"),
    (f"{BAMFORD}.p_max=true", f"{BAMFORD}.p_max: True is not allowed; must be a number >= 0 and <= 1"),
    (
        f"{FF}.connector={{gaussian: {{sigma: 2}}}}",
        f"{FF}.connector.gaussian.p_max: missing; give a number >= 0 and <= 1 (chan",
    ),
    (f"{BAMFORD}.attempts=2.5", f"{BAMFORD}.attempts: 2.5 is not allowed; must be a whole number >= 1"),
    (
        f"{BAMFORD}.block_side=7",
        f"{BAMFORD}.block_side: 7 does not fit the grid 16 x 16; both sides must be multiples of it",
    ),
    (
        f"{BAMFORD}.every_ms=0.01",
        f"{BAMFORD}.every_ms: 0.01 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1",
    ),
    (f"{FF}.weight=0.3", f"{FF}.weight: 0.3 is not allowed; must be in [0, 0.2], the range of additive_stdp"),
    (f"{FF}.weight=-0.1", f"{FF}.weight: -0.1 is not allowed; must be in [0, 0.2]"),
    (f"{FF}.weight=.nan", f"{FF}.weight: nan is not allowed; must be a finite number"),
    (f"{STDP}.tau_plus_ms=20 ms", f"{STDP}.tau_plus_ms: '20 ms' is not allowed; must be a number in ms > 0"),
    (f"{STDP}.tau_plus_ms=0", f"{STDP}.tau_plus_ms: 0 is not allowed; must be a number in ms > 0"),
    (f"{FF}.capacity=0", f"{FF}.capacity: 0 is not allowed; must be a whole number >= 1"),
    (f"{FF}.capacity=4.5", f"{FF}.capacity: 4.5 is not allowed; must be a whole number >= 1"),
    (f"{FF}.rows_grow=maybe", f"{FF}.rows_grow: 'maybe' is not allowed; must be true or false"),
    (
        f"{FIELD}.peak_hz=1e5",
        f"{FIELD}.base_hz 5 + peak_hz 100000: 100005 Hz is not allowed; with dt_ms 0.1 it must be < 10000 Hz",
    ),
    (
        f"{FIELD}.dwell_ms=0.01",
        f"{FIELD}.dwell_ms: 0.01 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1",
    ),
    (f"{FIELD}.positions=17", f"{FIELD}.positions: 17 is not allowed; must be <= field_side (16)"),
    (
        "populations.source.model={poisson: {rate_hz: 1e4}}",
        "populations.source.model.poisson.rate_hz: 10000 Hz is not allowed",
    ),
    (
        "populations.target.model.lif.V_threshold_mV=-80",
        "populations.target.model.lif.V_threshold_mV: -80.0 is not allowed; must be above V_reset_mV",
    ),
    (
        "populations.target.initial={U_mV: 3}",
        "populations.target.initial: unknown name 'U_mV'; allowed: V_mV, frozen_steps.* 'V_mV'?",
    ),
    (
        "populations.target.initial.V_mV=[1, 2]",
        "populations.target.initial.V_mV: has shape (2,); must be one number or 256 values",
    ),
    (
        "populations.target.initial.V_mV={gauss: {}}",
        "populations.target.initial.V_mV: unknown name 'gauss'; allowed: normal, uniform",
    ),
    (
        "populations.target.initial.V_mV={normal: {mean: 1}}",
        "populations.target.initial.V_mV.normal: {'mean': 1} is not allowed; must have numbers mean, std",
    ),
    (
        "populations.target.initial.V_mV={normal: {mean: 1, std: -1}}",
        "populations.target.initial.V_mV.normal.std: -1.0 is not allowed; must be a number >= 0",
    ),
    (
        "populations.target.initial.V_mV={uniform: {low: 1, high: 0}}",
        "populations.target.initial.V_mV.uniform: low 1.0, high 0.0 is not allowed; high must be >= low",
    ),
    (
        "populations.target.initial.V_mV=high",
        "populations.target.initial.V_mV: 'high' is not allowed; must be a finite number",
    ),
    (
        "populations.target.initial.V_mV={normal: 3}",
        "populations.target.initial.V_mV.normal: 3 is not allowed; must have numbers",
    ),
    (f"{FF}.connector={{}}", f"{FF}.connector: {{}} is not allowed; give one model, with its parameters below it"),
    (f"{BAMFORD}.sigma=3000", f"{BAMFORD}: squared distances up to 3.66266e+08 are not allowed (.*sigma 3000.0.*)"),
    (f"{FIELD}.field_side=5000", f"{FIELD}.dwell_ms: 20.0 is not allowed; .*(field_side 5000) .*at most 2^28"),
    (
        "populations.target.model.lif=3",
        "populations.target.model.lif: 3 is not allowed; give parameters as name: value",
    ),
    ("populations.target.model=[lif]", "populations.target.model: ['lif'] is not allowed; give one model"),
    ("tile=12", "tile: 12 is not allowed; must be one of 1, 2, 4, 8, 16, 32, 64"),
    (f"{FF}.rows_grow=false", f"{FF}.capacity: missing; with rows_grow false it must be given"),
    ("checkpoint_every=10", "checkpoint_every: 10 is not allowed; input should be a valid string"),
    (
        "checkpoint_every=10 parsecs",
        "checkpoint_every: '10 parsecs' is not allowed; must be a time with its unit: 250ms, 10s",
    ),
    ("checkpoint_every=0s", "checkpoint_every: '0s' is not allowed; must be a time with its unit"),
    ("checkpoint_every=10s-wallet", "checkpoint_every: '10s-wallet' is not allowed; must be like 10s or 10min-wall"),
    ("checkpoint_keep=0", "checkpoint_keep: 0 is not allowed; must be a whole number >= 1"),
    ("seed", "--set 'seed': must be key=value, such as scale=4 or projections.ff.delay_ms=1"),
    ("=3", "--set '=3': must be key=value"),
    ("seed=[1", "--set 'seed=[1': '[1' is not a YAML value"),
    ("seed.low=3", "--set 'seed.low=3': seed is 1 and has nothing below it"),
]


@pytest.mark.parametrize(("override", "message"), OVERRIDES, ids=[override for override, _ in OVERRIDES])
def test_a_wrong_value_in_a_configuration(override, message):
    with pytest.raises(ConfigurationError, match="(?s)^" + as_pattern(message)):
        load_configuration("topomap", [override])


def test_every_mistake_is_named_at_once():
    with pytest.raises(ConfigurationError) as error:
        parse_configuration({"seed": -1, "dt_ms": "x", "populations": {"a": {"model": "lif", "sise": 3}}})
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed", "dt_ms", "populations.a"]


def test_a_configuration_without_populations_or_model():
    with pytest.raises(ConfigurationError, match=r"^populations: missing$"):
        parse_configuration({})
    with pytest.raises(ConfigurationError, match=r"^populations\.a\.model: missing$"):
        parse_configuration({"populations": {"a": {"size": 3}}})
    with pytest.raises(ConfigurationError, match=r"^populations: the network has none$"):
        Simulation(parse_configuration({"populations": {}}).network(), device="cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "my.yaml: not YAML: .*(line 1)"),
        ("- 1\n- 2\n", "my.yaml: must be a mapping of keys to values, is list"),
        (
            "extends: nothing.yaml\n",
            "nothing.yaml: no such file; configurations that ship with hpcsnn: balanced_inhibition, brunel, deep_r, ",
        ),
        ("", "my.yaml: must be a mapping of keys to values, is NoneType"),
    ],
)
def test_a_file_that_is_no_configuration(text, message, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="(?s)" + as_pattern(message)):
        load_configuration(path)


def test_a_file_that_is_not_there_or_extends_itself(tmp_path):
    with pytest.raises(
        ConfigurationError,
        match=r"^none\.yaml: no such file; configurations that ship with hpcsnn: balanced_inhibition, brunel, deep_r",
    ):
        load_configuration("none.yaml")
    with pytest.raises(ConfigurationError, match="not YAML"):
        (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
        load_configuration(tmp_path / "a.yaml")
    (tmp_path / "loop.yaml").write_text("extends: loop.yaml\n")
    with pytest.raises(
        ConfigurationError,
        match=r"^extends: 'loop\.yaml' is not allowed; the file extends itself \(.*loop\.yaml, line 1\)$",
    ):
        load_configuration(tmp_path / "loop.yaml")


def declare(source=5, target=5, **projection):
    network = Network(seed=1)
    network.add_population("a", source, models.Poisson(rate_hz=1))
    network.add_population("b", target, models.LIF())
    given = {"connector": models.OneToOne(), "receptor": models.ExponentialCurrent(), "weight": 1.0} | projection
    network.add_projection("ab", "a", "b", **given)
    return network


LISTED = {"pre": [0], "post": [0], "weight": [0.1]}
DECLARATIONS = [
    (lambda: Network(seed=-1), "seed: -1 is not allowed; must be a whole number >= 0 and <= 2^64 - 1"),
    (lambda: Network(dt_ms=float("nan")), "dt_ms: nan is not allowed; must be a number in ms > 0"),
    (lambda: Grid(4, 2.5), "grid.ny: 2.5 is not allowed; must be a whole number >= 1"),
    (lambda: Grid(True, 2), "grid.nx: True is not allowed; must be a whole number >= 1"),
    (lambda: Network().add_population("a b", 3, models.LIF()), "populations: name 'a b' is not allowed; use letters"),
    (
        lambda: models.NeuronModel("mine", "", state=(models.Variable("float"),)),
        "mine: the state variable 'float' is not allowed; it is a keyword of C++",
    ),
    (lambda: Network().add_population("a", 3, models.LIF), "populations.a.model: .* is not a neuron or source model"),
    (lambda: declare(connector=models.Static()), "projections.ab.connector: .* is not a Connector"),
    (lambda: declare(receptor=models.LIF()), "projections.ab.receptor: .* is not a ReceptorModel"),
    (lambda: declare(weight="heavy"), "projections.ab.weight: 'heavy' is not allowed; must be a finite number"),
    (lambda: declare().add_population("ab", 3, models.LIF()), "populations: name 'ab' is used twice"),
    (lambda: models.LIF(tau_m_ms=-1), "lif.tau_m_ms: -1 is not allowed; must be a number in ms > 0"),
    (lambda: models.LIF(tau=1), "lif: unknown name 'tau'; allowed: "),
    (lambda: models.SpikeArray(neurons=[1]), "spike_array.times_ms: missing; give a list of spike times in ms"),
    (
        lambda: models.SpikeArray(neurons=[1], times_ms=[1, 2]),
        "spike_array: neurons has 1, times_ms has 2 entries; must be equally many, one per spike",
    ),
    (
        lambda: models.SpikeArray(neurons=[1], times_ms=[-1.0]),
        "spike_array.times_ms: -1.0 of spike 0 is not allowed; must be a number >= 0",
    ),
    (
        lambda: models.SpikeArray(neurons=["x"], times_ms=[1]),
        "spike_array.neurons: 'x' of spike 0 is not allowed; must be a whole number >= 0",
    ),
    (
        lambda: Network().add_population("a", 3, models.SpikeArray(neurons=[3], times_ms=[1.0])),
        "populations.a.model.spike_array.neurons: 3 of spike 0 is not allowed; must be in 0 .. 2",
    ),
    (
        lambda: Network().add_population("a", 3, models.SpikeArray(neurons=[0], times_ms=[1e12])),
        "populations.a.model.spike_array.times_ms: 1000000000000.0 of spike 0 is 10000000000000 steps of 0.1 ms; at most 2^31 - 1",
    ),
    (
        lambda: models.ExplicitList(**LISTED | {"pre": [-1]}),
        "explicit_list.pre: -1 of synapse 0 is not allowed; must be a whole number >= 0",
    ),
    (
        lambda: models.ExplicitList(**LISTED | {"pre": [0, 1]}),
        "explicit_list: pre has 2, post has 1, weight has 1 entries; must be equally many",
    ),
    (
        lambda: models.ExplicitList(**LISTED | {"weight": [np.nan]}),
        "explicit_list.weight: nan of synapse 0 is not allowed; must be a finite number",
    ),
    (
        lambda: models.ExplicitList(**LISTED | {"weight": ["a"]}),
        "explicit_list.weight: 'a' of synapse 0 is not allowed; must be a finite number",
    ),
    (
        lambda: models.ExplicitList(pre=[1, 0, 1], post=[2, 2, 2], weight=[1, 1, 1]),
        "explicit_list: the synapse from 1 to 2 is listed more than once",
    ),
    (
        lambda: declare(connector=models.ExplicitList(**LISTED | {"pre": [5]})),
        "projections.ab.connector.explicit_list.pre: 5 is not allowed; must be < 5, the population's size",
    ),
    (
        lambda: declare(
            connector=models.ExplicitList(**LISTED | {"weight": [0.3]}), synapse=models.AdditiveSTDP(), weight=0.1
        ),
        "projections.ab.connector.explicit_list.weight: 0.3 of synapse 0 is not allowed; must be in [0, 0.2]",
    ),
    (lambda: Network().steps(1.7e308), "duration_ms: 1.7e+308 is 2e+309 steps of 0.1 ms; at most 2^31 - 1"),
    (lambda: Network().steps(-1.0), "duration_ms: -1.0 is not allowed; must be a whole number of steps of 0.1 ms: 0"),
    (lambda: Simulation(declare(), device="tpu"), "device: 'tpu' is not allowed; must be one of auto, cpu, gpu"),
]


@pytest.mark.parametrize(("make", "message"), DECLARATIONS, ids=[message[:50] for _, message in DECLARATIONS])
def test_a_wrong_declaration_in_python(make, message):
    with pytest.raises(ConfigurationError, match="(?s)^" + as_pattern(message)):
        make()
