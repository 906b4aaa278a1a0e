"""What makes a neuron trainable, and what goes back in time within it: the generated text against slow derivatives."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.codegen.learning.backward import receptor_back, step_back
from hpcsnn.models import Gradient, NeuronModel, ReceptorGradient, Variable
from support.messages import as_pattern

VARIABLES = ("V", "w", "A")
NUMBERS = st.floats(-1.5, 1.5).map(lambda number: round(number, 3))


@pytest.mark.parametrize(("distance", "output"), [("", ""), ("V - 1.0f", "V")])
def test_a_gradient_is_that_of_a_spike_or_of_an_output(distance, output):
    said = (
        f"gradient: distance {distance!r} and output {output!r} are not allowed; give distance for neurons that spike, "
        "or output for a readout"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        Gradient(distance=distance, output=output)


def test_variables_come_in_the_order_in_which_they_are_mentioned():
    gradient = Gradient(
        "V", input={"V": "1.0f"}, spike={"w": "b", "V": "1.0f"}, carry={("A", "V"): "c", ("u", "w"): "d"},
        jump={"n": "1.0f"},
    )  # fmt: skip
    assert gradient.variables == ("V", "w", "A", "u", "n")


def test_all_expressions_have_names():
    texts = models.ALIFSubtractive.gradient.texts
    assert texts["carry.adaptation.adaptation"] == "adaptation_decay"
    assert texts["spike.adaptation"] == "-beta"
    assert texts["blocked"] == "silent_steps > 0"
    assert set(texts) == {
        *("distance", "width", "blocked", "output", "input.V", "spike.V", "spike.adaptation", "jump.adaptation"),
        *("carry.V.V", "carry.adaptation.adaptation"),
    }


@pytest.mark.parametrize("part", ["input", "spike", "jump"])
def test_what_a_neuron_does_not_have_is_refused(part):
    given_names = {"input": {"V": "1.0f"}, part: {"U": "1.0f"}}
    with pytest.raises(ConfigurationError, match=f"^mine.gradient.{part}: unknown name 'U'; allowed: V, a_clock"):
        NeuronModel(
            "mine", "", state=(Variable("V"), Variable("a_clock")), gradient=Gradient(distance="V", **given_names)
        )


@pytest.mark.parametrize(
    ("part", "text"), [("input", "decai"), ("spike", "-2.5e-1f * decai"), ("jump", "V"), ("carry", "decay * decai")]
)
def test_an_expression_that_sees_no_constant_is_refused(part, text):
    """Else a compiler would say so, who knows no model there."""
    value = {part: {("V", "V") if part == "carry" else "V": text}}
    wrong = "V" if text == "V" else "decai"
    said = f"mine.gradient.{part}.V{'.V' if part == 'carry' else ''}: {text!r}: unknown name {wrong!r}; allowed: "
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said)):
        NeuronModel(
            "mine", "", state=(Variable("V"),), derived={"decay": models.Derived("exp(-dt_ms)")},
            gradient=Gradient("V", **value),
        )  # fmt: skip


def test_an_output_that_a_neuron_does_not_have_is_refused():
    with pytest.raises(ConfigurationError, match=r"^mine.gradient.output: unknown name 'y'; allowed: V\."):
        NeuronModel("mine", "", state=(Variable("V"),), gradient=Gradient(output="y"))
    with pytest.raises(ConfigurationError, match=r"^mine.gradient.trained: unknown name 'y'; allowed: V\."):
        NeuronModel("mine", "", state=(Variable("V"),), gradient=Gradient(output="V", trained={"V": "y"}))


@pytest.mark.parametrize(
    ("gradient", "said"),
    [
        (ReceptorGradient(input={"u": "1.0f"}), "mine.gradient: unknown name 'u'; allowed: r."),
        (ReceptorGradient(output={"r": "V"}), "mine.gradient.output.r: 'V': unknown name 'V'; allowed: "),
        (
            ReceptorGradient(carry={("r", "r"): "decai"}),
            "mine.gradient.carry.r.r: 'decai': unknown name 'decai'; allowed: ",
        ),
        (ReceptorGradient(direct="r"), "mine.gradient.direct: 'r': unknown name 'r'; allowed: "),
    ],
)
def test_what_a_receptor_does_not_have_is_refused(gradient, said):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said)):
        models.ReceptorModel(
            "mine", "", state=(Variable("r"),), derived={"decay": models.Derived("exp(-dt_ms)")}, gradient=gradient
        )


def test_what_arrives_has_the_gradient_of_all_currents_to_come():
    """Of the receptor r(t) = C r(t - 1) + b a(t), current = d a(t) + c . r(t): the transpose of its response."""
    receptor = models.ReceptorModel(
        "mine", "", state=(Variable("r"), Variable("q")),
        gradient=ReceptorGradient(
            input={"q": "0.7f"}, carry={("r", "r"): "0.9f", ("r", "q"): "0.4f", ("q", "q"): "0.5f"},
            output={"r": "1.5f", "q": "-0.2f"}, direct="0.3f",
        ),
    )  # fmt: skip
    network = Network(dt_ms=1.0)
    network.add_population("cells", 3, models.LIFSubtractive())
    network.add_projection("own", "cells", "cells", models.AllToAll(), receptor(), 0.1)
    carry, into, out = np.array([[0.9, 0.4], [0.0, 0.5]]), np.array([0.0, 0.7]), np.array([1.5, -0.2])
    response = [0.3 + out @ into, *(out @ np.linalg.matrix_power(carry, n) @ into for n in range(1, 6))]
    currents = [2.0, -1.0, 0.5, 0.0, 3.0, 1.0]
    body, later, found = receptor_back(0, network.projections["own"]).body, {"r": 0.0, "q": 0.0}, []
    for current in reversed(currents):
        names = {"hpcsnn_current": current} | {f"hpcsnn_p_{name}": value for name, value in later.items()}
        gradient, later = run(body, names, later)
        found.insert(0, gradient)
    expected = [sum(a * b for a, b in zip(response, currents[step:], strict=False)) for step in range(6)]
    assert found == pytest.approx(expected)


def backward(body: str, mlgenn: bool, psi: float, signal: float, later: dict[str, float], **constants: float):
    """The generated function in Python: the gradient of the step's input, and what the step before is told."""
    names = {"hpcsnn_mlgenn": mlgenn, "hpcsnn_psi": psi, "hpcsnn_signal": signal, **constants}
    return run(body, names | {f"hpcsnn_p_{name}": value for name, value in later.items()}, later)


def run(body: str, names: dict[str, object], later: dict[str, float]):
    """A generated function in Python, line by line: its value, and the adjoints that it leaves."""
    for line in body.replace(";", "").split("\n"):
        text = re.sub(r"\b(\d+\.\d+)f\b", r"\1", line.strip().removeprefix("const float "))
        text = re.sub(r"\(hpcsnn_mlgenn \? (.*) : (.*)\)\)$", r"((\1) if hpcsnn_mlgenn else (\2)))", text)
        if text.startswith("return "):
            return eval(text.removeprefix("return "), names), {name: names[f"hpcsnn_p_{name}"] for name in later}
        if not text.startswith("(void)"):
            exec(text, names)
    raise AssertionError("returns nothing")


def body_of(model: NeuronModel) -> str:
    population = Network(dt_ms=1.0).add_population("cells", 3, model())
    made = step_back(2, population)
    assert made.head.startswith("DEVICE float population_2_back(const bool hpcsnn_mlgenn, const float hpcsnn_psi, ")
    assert made.call.startswith("population_2_back(mlgenn, psi, signal[k], p_")
    return made.body


def linear(carry, jump, spike, into):
    """A neuron of three variables with these numbers."""

    def by_name(values):
        return {name: f"{value}f" for name, value in zip(VARIABLES, values, strict=True)}

    pairs = {(VARIABLES[a], VARIABLES[b]): f"{carry[a][b]}f" for a in range(3) for b in range(3)}
    return NeuronModel(
        "mine", "", state=tuple(map(Variable, VARIABLES)),
        gradient=Gradient("V", input=by_name(into), spike=by_name(spike), carry=pairs, jump=by_name(jump)),
    )  # fmt: skip


def matrices(*shape):
    return st.lists(NUMBERS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda numbers: np.array(numbers).reshape(shape)
    )


@settings(max_examples=60)
@given(matrices(3, 3), matrices(3), matrices(3), matrices(3), matrices(6), matrices(6).map(np.abs))
def test_going_back_gives_the_derivative_of_going_forward(carry, jump, spike, into, signal, psi):
    """Of the linear neuron whose spike is psi (spike . s): how sum_t signal(t) z(t) depends on each step's input."""

    def forward(current):
        total, state, before = 0.0, np.zeros(3), 0.0
        for step, now in enumerate(current):
            state = carry @ (state + jump * before) + into * now
            before = psi[step] * (spike @ state)
            total += signal[step] * before
        return total

    derivatives = [forward(unit) for unit in np.eye(6)]  # it is linear, and 0 without input
    body, later, found = body_of(linear(carry, jump, spike, into)), dict.fromkeys(VARIABLES, 0.0), []
    for step in reversed(range(6)):
        gradient, later = backward(body, False, psi[step], signal[step], later)
        found.insert(0, gradient)
    assert found == pytest.approx(derivatives, rel=1e-9, abs=1e-9)


def test_mlgenns_jump_decays_one_step_later():
    body, later = body_of(models.ALIFSubtractive), {"V": 0.5, "adaptation": 0.25}
    constants = {"decay": 0.9, "adaptation_decay": 0.8, "beta": 0.1}
    for mlgenn, of_jump in ((False, 0.8 * 0.25), (True, 0.25)):
        gradient, before = backward(body, mlgenn, 0.3, 2.0, later, **constants)
        heard = 0.3 * (2.0 + of_jump)
        assert before == pytest.approx({"V": heard + 0.9 * 0.5, "adaptation": -0.1 * heard + 0.8 * 0.25})
        assert gradient == before["V"]


def test_a_readout_hears_its_error_and_what_comes_later():
    gradient, later = backward(body_of(models.LeakyReadout), False, 1.0, 2.0, {"V": 0.5}, decay=0.9)
    assert gradient == later["V"] == pytest.approx(2.0 + 0.9 * 0.5)
