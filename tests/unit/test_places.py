"""Where keys were written: behind every message about a configuration or a profile, through extends and --set."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import MOST_EXTENDED, load_configuration, parse_configuration, write_configuration
from hpcsnn.configuration.places import MOST_CHARACTERS, MOST_LINES, Places
from hpcsnn.runs.experiment import Setting, run_experiment

BASE = """\
duration_ms: 100
populations:
  src: {size: 10, model: {poisson: {rate_hz: 50}}, record_spikes: true}
  tgt:
    size: 10
    model: lif
projections:
  f:
    source: src
    target: tgt
    connector:
      fixed_probability:
        p: 0.5
    receptor: {exponential_current: {}}
    weight: 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def refusal(text, overrides=(), name="my.yaml"):
    Path(name).write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load_configuration(name, overrides)
    return str(error.value)


F = "projections.f"
NO_MODEL = (
    "; allowed: adex, adex_afterpotential, alif, alif_subtractive, inhomogeneous_poisson, izhikevich, leaky_readout, "
    "lif, lif_background, lif_subtractive, moving_gaussian_poisson, poisson, sample_input, softmax_unit, spike_array, "
    "winner_lif. "
)


@pytest.mark.parametrize(
    ("old", "new", "begins", "line"),
    [
        # Messages of the schema, of models and of the network. What is allowed for a number is told elsewhere.
        ("duration_ms: 100", "duration_ms: 1:30", "duration_ms: '1:30' is not allowed; ", 1),
        ("rate_hz: 50", "rate_hz: -1", "populations.src.model.poisson.rate_hz: -1 is not allowed; ", 3),
        ("p: 0.5", "p: x", f"{F}.connector.fixed_probability.p: 'x' is not allowed; ", 13),
        ("target: tgt", "target: src", f"{F}.target: 'src' is not allowed; it spikes by itself (poisson) and takes "
         f"no ", 10),
        ("    size: 10\n", "    grid: [70000, 70000]\n",
         "populations.tgt.grid: 70000 x 70000 neurons are too many; at most 2^31 - 1 a population", 5),
        # A name that is not known is pointed at, not its owner; what is missing is missing in its owner.
        ("duration_ms: 100", "description: x\nduratoin_ms: 100", "configuration: unknown name 'duratoin_ms'; "
         "allowed: ", 2),
        ("  p: 0.5", "  p: 0.5\n        q: 1",
         f"{F}.connector.fixed_probability: unknown name 'q'; allowed: p, self_connections.", 14),
        ("    weight: 5\n", "", f"{F}.weight: missing", 8),
        ("    size: 10\n", "", "populations.tgt: give either grid: [nx, ny] or size: n", 4),
        # What was taken, or ended in a traceback.
        ("weight: 5", "weight: 5\n    delay_ms: true", f"{F}.delay_ms: True is not allowed; ", 16),
        ("weight: 5", "weight: 5\n    delay_ms: {normal: {mean: [], std: 1}}", f"{F}.delay_ms.normal", 16),
        ("weight: 5", "weight: 5\n    delay_ms: {normal: [1]}",
         f"{F}.delay_ms.normal: [1] is not allowed; must have numbers mean, std", 16),
        ("weight: 5", "weight: 5\n    capacity: 1e60", f"{F}.capacity: 1e+60 is not allowed; ", 16),
        ("weight: 5", f"weight: 5\n    capacity: 1{60 * '0'}", f"{F}.capacity: 1", 16),
        ("exponential_current: {}", "exponential_current: false",
         f"{F}.receptor.exponential_current: False is not allowed; give parameters as name: value", 14),
        ("model: lif", "model: 5", "populations.tgt.model: 5 is not allowed; give one model, with its parameters "
         "below it", 6),
        ("model: lif", "model: [lif]", "populations.tgt.model: ['lif'] is not allowed; give one model, with its ", 6),
        ("model: lif", "model: {null: {}}", f"populations.tgt.model: unknown name 'null'{NO_MODEL}", 6),
        ("model: lif", "model: {null: null}", f"populations.tgt.model: unknown name 'null'{NO_MODEL}", 6),
        ("model: lif", "model: {5: {}}", f"populations.tgt.model: unknown name '5'{NO_MODEL}", 6),
        ("populations:", "populations: &p\n  all: *p", "populations.all: is an alias of what it stands in, which "
         "would have ", 3),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_every_message_has_key_path_file_and_line(old, new, begins, line):
    said = refusal(BASE.replace(old, new, 1))
    assert said.startswith(begins)
    assert said.endswith(f" (my.yaml, line {line})")


@pytest.mark.usefixtures("folder")
def test_what_has_no_line_is_told_with_its_file_or_both_lines():
    said = refusal(BASE.replace("populations:", "population:")).splitlines()
    assert said[0] == "populations: missing (my.yaml)"
    assert said[1].startswith("configuration: unknown name 'population'; allowed: ")
    assert said[1].endswith(" Did you mean 'populations'? (my.yaml, line 2)")
    twice = BASE.replace("populations:", "populations:\n  src: {size: 20, model: {poisson: {rate_hz: 5}}}")
    assert refusal(twice) == "populations.src: is given twice; a key may stand once (my.yaml, lines 3 and 4)"


@pytest.mark.usefixtures("folder")
def test_a_key_is_where_the_file_has_it_that_said_it_last():
    over = "extends: base.yaml\nprojections:\n  f:\n    connector: {fixed_probability: {}}\n    weight: x\n"
    assert refusal(over).endswith("(my.yaml, line 5)")
    wrong = BASE.replace("p: 0.5", "p: 2")
    Path("base.yaml").write_text(wrong)
    said = "projections.f.connector.fixed_probability.p: 2 is not allowed; must be a number >= 0 and <= 1"
    over = over.replace("    weight: x\n", "")
    assert refusal(over) == f"{said} (base.yaml, line 13)"
    assert refusal(over.replace("{}", "{p: 3}")).endswith(
        ": 3 is not allowed; must be a number >= 0 and <= 1 (my.yaml, line 4)"
    )
    assert refusal(over.replace("fixed_probability", "gaussian")).endswith(" (my.yaml, line 4)"), "another model"
    assert refusal("extends: base.yaml\n") == f"{said} (base.yaml, line 13)"


@pytest.mark.parametrize(
    ("override", "begins", "ends"),
    [
        ("seed=-1", "seed: -1 is not allowed; ", " (--set seed=-1)"),
        ("seed=010x", "seed: '010x' is not allowed; ", " (--set seed=010x)"),
        ("populations.tgt.model.lif.tau_m_ms=on", "populations.tgt.model.lif.tau_m_ms: 'on' is not allowed; ",
         " (--set populations.tgt.model.lif.tau_m_ms=on)"),
        ("projections.f.connector={fixed_probability: {p: 7}}",
         f"{F}.connector.fixed_probability.p: 7 is not allowed; ",
         " (--set projections.f.connector={fixed_probability: {p: 7}})"),
        ("seed={a: 1, a: 2}", "--set 'seed={a: 1, a: 2}': '{a: 1, a: 2}' is not a YAML value; ",
         "; a: is given twice; a key may stand once"),
        ("a." * 200 + "b=1", f"--set '{'a.' * 40}...': ", ": is nested more than 100 deep"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_an_override_is_named_as_it_was_given(override, begins, ends):
    said = refusal(BASE, [override])
    assert said.startswith(begins)
    assert said.endswith(ends)


@pytest.mark.usefixtures("folder")
def test_an_override_follows_the_rules_of_files():
    read = load_configuration("base.yaml", ["seed=010", "description=on", "duration_ms=1e2"])
    assert (read.seed, read.description, read.duration_ms) == (10, "on", 100.0)
    Path("octal.yaml").write_text(BASE.replace("size: 10\n", "size: 0100\n") + "seed: 010\n")
    read = load_configuration("octal.yaml")
    assert (read.seed, read.populations["tgt"].size) == (10, 100)


def test_on_and_off_are_names_of_populations(folder):
    """ON and OFF cells, as in every model of early vision; and what is written of them is read back."""
    text = BASE.replace("src", "on").replace("tgt:", "off:").replace("tgt", "off")
    (folder / "on_off.yaml").write_text(text + "description: '1:30'\n")
    configuration = load_configuration("on_off.yaml")
    assert list(configuration.network().populations) == ["on", "off"]
    write_configuration(folder / "config.yaml", configuration)
    assert load_configuration("config.yaml").resolved() == configuration.resolved()
    assert load_configuration("config.yaml").description == "1:30"


Own = """from hpcsnn.models import NeuronModel, Parameter
Mine = NeuronModel("mine", "", parameters={"a": Parameter(1.5, "", "", above=0)})
"""


def test_a_model_of_a_file_is_found_by_its_own_name(folder):
    (folder / "own.py").write_text(Own)
    own = BASE.replace("    model: lif\n", "    model:\n      own.py:Mine:\n        a: -1\n")
    said = "populations.tgt.model.mine.a: -1 is not allowed; must be a number > 0"
    assert refusal(own) == f"{said} (my.yaml, line 8)"
    assert refusal("extends: my.yaml\npopulations: {tgt: {model: {'own.py:Mine': {}}}}\n", name="top.yaml").endswith(
        "(my.yaml, line 8)"
    )
    assert refusal(own.replace("a: -1", "b: 1")).endswith(" (my.yaml, line 8)")


def test_a_model_of_a_file_stands_once_whatever_its_path(folder):
    (folder / "own.py").write_text(Own)
    own = BASE.replace("model: lif", "model: {'own.py:Mine': {a: 1}, './own.py:Mine': {a: 2}}")
    assert refusal(own) == "'own.py:Mine' and './own.py:Mine' are the same model of the same file; give one (my.yaml)"


@pytest.mark.parametrize("name", ["foreign.yaml", "shadow"])
def test_a_file_that_is_no_configuration_is_not_quoted(name, folder):
    (folder / "foreign.yaml").write_text("user: bob\npassword: hunter2\n")
    (folder / "shadow").write_text("root:$6$hunter2:19000:0:99999:7:::\ndaemon:hunter2:19000:0:99999:7:::\n")
    said = refusal(f"extends: {name}\n")
    assert said.startswith(f"{name}: is no configuration: it has none of changes, checkpoint_every, ")
    assert "hunter2" not in said


def test_files_extend_each_other_only_so_often(folder):
    for number in range(1500):
        (folder / f"e{number}.yaml").write_text(f"extends: e{number + 1}.yaml\n")
    (folder / "e1500.yaml").write_text(BASE)
    with pytest.raises(ConfigurationError) as error:
        load_configuration("e0.yaml")
    assert str(error.value) == (
        f"extends: 'e101.yaml' is not allowed; {folder / 'e0.yaml'} extends more than {MOST_EXTENDED} files, one "
        f"after the "
        "other (e100.yaml, line 1)"
    )
    assert load_configuration("e1400.yaml").duration_ms == 100.0
    assert refusal("extends: [1]\n") == "extends: [1] is not allowed; must be a file or a name (my.yaml, line 1)"
    assert refusal("seed: 1\nextends: gone.yaml\n").startswith("extends: gone.yaml: no such file; ")


def test_what_is_found_wrong_when_a_run_begins_is_told_with_its_place(folder):
    rule = 'from hpcsnn.models import RewiringRule\nMine = RewiringRule("mine", "", trigger="call", per_target="0;")\n'
    (folder / "own.py").write_text(rule)
    (folder / "my.yaml").write_text(f"{BASE}    rewiring: 'own.py:Mine'\n")
    with pytest.raises(ConfigurationError) as error:
        run_experiment(load_configuration("my.yaml"), folder / "out", Setting(device="cpu"))
    assert str(error.value).startswith("projections.f.rewiring.mine: updates when it is called (")
    assert str(error.value).endswith(" (my.yaml, line 16)")


def test_values_are_not_shown_without_end():
    place = Places("my.yaml", 1, {"a": Places("my.yaml", 2)})
    said = place.located("a: " + "9" * 10 * MOST_CHARACTERS)
    assert len(said) < MOST_CHARACTERS + 50
    assert said.endswith(" ... " + "9" * (MOST_CHARACTERS // 2) + " (my.yaml, line 2)")
    with pytest.raises(ConfigurationError) as error, place.told():
        raise ConfigurationError("\n".join(["a: wrong"] * (MOST_LINES + 7)))
    assert str(error.value).splitlines() == ["a: wrong (my.yaml, line 2)"] * MOST_LINES + ["and 7 more"]


def test_plain_data_has_no_places():
    with pytest.raises(
        ConfigurationError, match=r"^projections\.f\.weight: missing; give a number, an array or a distribution$"
    ):
        raw = yaml.safe_load(BASE)
        del raw["projections"]["f"]["weight"]
        parse_configuration(raw)


@pytest.mark.usefixtures("folder")
def test_places_are_no_part_of_what_a_configuration_says():
    assert load_configuration("base.yaml") == load_configuration("base.yaml", ["duration_ms=100"])
    assert load_configuration("base.yaml") == parse_configuration(yaml.safe_load(BASE))
