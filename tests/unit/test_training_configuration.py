"""What the configuration of a training may say, and what its messages say of the rest."""

from __future__ import annotations

import re

import pytest
import yaml

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import load_configuration, trains
from hpcsnn.configuration.schema import TRAINING_KEYS, Configuration
from hpcsnn.training.configuration import TrainingConfiguration, load_either, load_training, parse_training
from support.small_trainings import SMALL, small_training


def refused(folder, *overrides, **changed):
    """What is said of a training with these keys."""
    with pytest.raises(ConfigurationError) as error:
        small_training(folder, *overrides, **changed)
    return str(error.value)


def test_what_is_not_said_is_written_out_and_means_the_same(tmp_path):
    resolved = small_training(tmp_path).resolved()
    assert resolved["data"]["delayed_xor"]["delay_ms"] > 0
    assert resolved["data"]["delayed_xor"]["train_samples"] == 96
    assert resolved["optimiser"]["adam"]["learning_rate"] == 0.01
    assert resolved["optimiser"]["adam"]["beta_2"] == 0.999
    assert resolved["learning"]["e_prop"]["pairing"] == "exact"
    assert (resolved["loss"], resolved["dt_ms"], resolved["checkpoint_every"]) == ({"cross_entropy": {}}, 1.0, "epoch")
    assert list(resolved)[-2:] == ["populations", "projections"]
    again = parse_training(yaml.safe_load(yaml.safe_dump(resolved)))
    assert again.resolved() == resolved


def test_the_encoding_is_the_data_sets_own_or_another(tmp_path):
    of_vowels = {"data": {"japanese_vowels": None}}
    assert small_training(tmp_path, **of_vowels).resolved()["encoding"]["population"]["cells"] == 8
    coarse = small_training(tmp_path, "encoding.population.cells=4", **of_vowels).resolved()
    assert coarse["encoding"]["population"]["cells"] == 4
    assert set(coarse["encoding"]["population"]).isdisjoint(coarse["data"]["japanese_vowels"])


def test_connectivity_is_the_chance_of_every_sparse_projection_and_of_no_other(tmp_path):
    network = small_training(tmp_path, "connectivity=0.25").network()
    assert network.projections["input_to_hidden"].connector.values["p"] == 0.25
    assert network.projections["hidden_to_output"].connector.name == "all_to_all"
    assert small_training(tmp_path).network().projections["input_to_hidden"].connector.values["p"] == 0.5
    own = {
        "source": "hidden", "target": "hidden", "receptor": "delta_current", "synapse": "trained", "weight": 0.1,
        "connector": {"fixed_probability": {"p": 0.5, "self_connections": False}},
    }  # fmt: skip
    configuration = small_training(tmp_path, "connectivity=0.25")
    recurrent = type(configuration.projections["input_to_hidden"])(**own)
    assert configuration.connector_of(recurrent) == {"fixed_probability": {"p": 0.25, "self_connections": False}}


def test_a_training_is_told_from_a_run(tmp_path):
    small_training(tmp_path)
    (tmp_path / "more.yaml").write_text("extends: small.yaml\nepochs: 7\n")
    assert trains(tmp_path / "more.yaml")
    assert not trains("topomap")
    assert load_training(tmp_path / "more.yaml").epochs == 7
    assert isinstance(load_either(tmp_path / "more.yaml"), TrainingConfiguration)
    assert isinstance(load_either("topomap"), Configuration)
    with pytest.raises(
        ConfigurationError, match=r"small\.yaml: describes a training; hpcsnn run takes none: use .* train"
    ):
        load_configuration(tmp_path / "small.yaml")
    with pytest.raises(
        ConfigurationError, match=r"topomap: describes a simulation.*hpcsnn train takes none: use .* run"
    ):
        load_training("topomap")


def test_the_keys_of_a_training_are_its_own():
    assert set(TrainingConfiguration.model_fields) >= TRAINING_KEYS
    assert not TRAINING_KEYS & set(Configuration.model_fields)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"batch": 0}, "batch: 0 is not allowed; must be a whole number >= 1"),
        ({"window_steps": 0}, "window_steps: 0 is not allowed; must be a whole number >= 1"),
        ({"epochs": 2.5}, "epochs: 2.5 is not allowed; must be a whole number >= 1"),
        ({"validation": 1.5}, "validation: 1.5 is not allowed; must be a number >= 0 and <= 1"),
        ({"validation": 1}, "validation: 1.0 is not allowed; must leave samples to train on: below 1"),
        ({"connectivity": -0.1}, "connectivity: -0.1 is not allowed; must be a number >= 0 and <= 1"),
        ({"readout": "outptu"}, "readout: unknown name 'outptu'; allowed: hidden, input, output. Did you mean"),
        ({"data": "delayed_xr"}, "data: unknown name 'delayed_xr'; allowed: .*Did you mean 'delayed_xor'?"),
        ({"data": {"delayed_xor": {"n_inptus": 3}}}, "data.delayed_xor: unknown name 'n_inptus'; .*'n_inputs'?"),
        ({"data": {"delayed_xor": {"rate_hz": -1}}}, "data.delayed_xor.rate_hz: -1 is not allowed"),
        ({"data": ["delayed_xor"]}, "data: ['delayed_xor'] is not allowed; give one name, with its values below it"),
        ({"data": {"delayed_xor": 3}}, "data.delayed_xor: 3 is not allowed; give values as name: value"),
        ({"encoding": "latency"}, "encoding: 'latency' is not allowed; delayed_xor has spikes: must be null"),
        ({"data": "digits", "encoding": "latncy"}, "encoding: unknown name 'latncy'; .*Did you mean 'latency'?"),
        ({"optimiser": "adm"}, "optimiser: unknown name 'adm'; allowed: adam"),
        ({"optimiser": {"adam": {"lr": 1}}}, "optimiser.adam: unknown name 'lr'; allowed: "),
        ({"optimiser": {"adam": {"learning_rate": -1}}}, "optimiser.adam.learning_rate: -1 is not allowed; must be a"),
        ({"learning": {"e_prop": {"pairing": "both"}}}, "learning.e_prop.pairing: 'both' is not allowed; must be one "),
        ({"checkpoint_every": "10s"}, "checkpoint_every: '10s' is not allowed; must be epoch, or a"),
        ({"duration_ms": 5}, "configuration: unknown name 'duration_ms'; allowed: batch, "),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_told_with_its_line(tmp_path, changed, said):
    message = refused(tmp_path, **changed)
    assert re.match(re.escape(said).replace(r"\.\*", ".*"), message), message
    key = list(changed)[-1]
    text = (tmp_path / "small.yaml").read_text().splitlines()
    line = next(number for number, words in enumerate(text, start=1) if words.startswith(f"{key}:"))
    assert re.search(rf"\({re.escape(str(tmp_path / 'small.yaml'))}, line ({line}|{line + 1}|{line + 2})\)$", message)


def test_windows_are_of_the_network_that_learns(tmp_path):
    configuration = small_training(tmp_path, "window_steps=5")
    learning = configuration.learning_network(12).learning
    assert learning is not None
    assert (learning.window_steps, learning.windowed) == (5, True)
    assert small_training(tmp_path).resolved()["window_steps"] is None
    online = {"e_prop": {"gradient": "online"}}
    with pytest.raises(ConfigurationError, match=r"window_steps: 5 is not allowed with gradient: online, which"):
        small_training(tmp_path, window_steps=5, learning=online).learning_network(12)


def test_connectivity_without_a_sparse_projection_is_refused(tmp_path):
    dense = {name: {**one, "connector": "all_to_all"} for name, one in SMALL["projections"].items()}
    said = refused(tmp_path, "connectivity=0.1", projections=dense)
    assert said == (
        "connectivity: 0.1 is not allowed; it is the p of fixed_probability connectors, and no projection has one "
        "(--set connectivity=0.1)"
    )


def test_what_a_training_cannot_do_without_is_missing(tmp_path):
    plain = {key: value for key, value in SMALL.items() if key != "data"}
    (tmp_path / "none.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(ConfigurationError, match=r"^data: missing \(.*none\.yaml\)$"):
        load_training(tmp_path / "none.yaml")
