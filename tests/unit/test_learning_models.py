"""Parameters that are words, and the constants that an optimiser has for each batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, models
from hpcsnn.codegen.learning.structs import learning_struct
from hpcsnn.configuration.model_specs import configured
from hpcsnn.models import NeuronModel, Optimiser, Parameter, choice
from hpcsnn.models.learning.optimisers import constants_of_batch
from support.learning import learner
from support.messages import as_pattern

WORDS = choice("slow", "how fast", "slow", "fast")


@pytest.mark.parametrize("value", ["faster", 1, 0, True, 0.5, "", "Slow", b"slow"])
def test_a_word_that_is_none_of_the_choices_is_refused(value):
    said = f"here.speed: {value!r} is not allowed; must be one of slow, fast"
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        Optimiser("mine", "", parameters={"speed": WORDS}).configure("here", {"speed": value})


@pytest.mark.parametrize("value", [["slow", "fast"], {"normal": {"mean": 0, "std": 1}}, models.Normal(0, 1)])
def test_neurons_do_not_differ_in_a_word(value):
    model = NeuronModel("mine", "", parameters={"speed": WORDS})
    with pytest.raises(ConfigurationError, match=r"^here\.speed: .* is not allowed; must be one of slow, fast$"):
        model.configure("here", {"speed": value})


def test_a_word_reaches_kernels_as_its_number_and_files_as_itself():
    model = Optimiser("mine", "", parameters={"speed": WORDS})
    assert WORDS.ctype == "int"
    for number, word in enumerate(("slow", "fast")):
        assert model(speed=word).constants(1.0) == {"speed": number}
        assert model(speed=word).described() == {"mine": {"speed": word}}
    assert model().values == {"speed": "slow"}
    assert configured("learning", "here", {"e_prop": {"pairing": "mlgenn"}}).values["pairing"] == "mlgenn"
    assert ("rule_pairing", "int") in learning_struct(learner()).fields


@pytest.mark.parametrize(
    ("parameter", "shown"), [(WORDS, "slow"), (Parameter(1e-3, "", ""), "0.001"), (Parameter(None, "", ""), "")]
)
def test_a_default_is_shown(parameter, shown):
    assert parameter.default_text == shown


THOUSANDTHS = st.integers(0, 1000).map(lambda number: number / 1000)


@given(st.integers(1, 300), THOUSANDTHS, THOUSANDTHS)
def test_adams_corrections_are_those_of_the_batch(batch, beta_1, beta_2):
    adam = models.Adam(beta_1=beta_1, beta_2=beta_2)
    found = constants_of_batch(adam, 1.0, batch)
    for name, beta in (("mean_correction", beta_1), ("square_correction", beta_2)):
        # The running mean of so many ones is one after the correction; with a decay of 1 there is none.
        mean = sum((1.0 - beta) * beta**age for age in range(batch))
        assert found[name] * mean == pytest.approx(1.0 if beta < 1.0 else 0.0, rel=1e-9)


def test_constants_of_a_batch_see_parameters_what_is_derived_and_the_step():
    model = Optimiser(
        "mine", "", parameters={"rate": Parameter(0.5, "", ""), "speed": WORDS},
        derived={"half": models.Derived("rate / 2")}, of_batch={"now": "half * 2.0 ** -batch + dt_ms"},
    )  # fmt: skip
    assert constants_of_batch(model(), 4.0, 3) == {"now": 0.25 / 8 + 4.0}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "1.0 / (batch - 1)",
            "optimiser.mine: now, which is 1.0 / (batch - 1), comes to no number: float division",
        ),
        ("rate ** -400", "optimiser.mine: now, which is rate ** -400: .* is not allowed"),
        ("nonsense", "optimiser.mine: now, which is nonsense, comes to no number: name 'nonsense' is not defined"),
    ],
)
def test_a_constant_of_a_batch_that_is_no_number_is_refused(expression, message):
    model = Optimiser("mine", "", parameters={"rate": Parameter(0.5, "", "")}, of_batch={"now": expression})
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        constants_of_batch(model(), 1.0, 1)
