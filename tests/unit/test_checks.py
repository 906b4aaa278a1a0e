"""Names that a declaration may have, and parts that fit each other."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models import Parameter, RewiringRule, Variable
from hpcsnn.network.checks import check_name


@pytest.mark.parametrize("name", ["", "1a", "_a", "a-b", "a b", "a.b", "ä", "a\n", "a/b", None, 3])
def test_names_are_identifiers(name):
    with pytest.raises(ConfigurationError, match="use letters, digits and _, starting with a letter"):
        check_name("projections", name, ())


@settings(max_examples=25)
@example("and")
@example("int")
@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True))
def test_any_such_name_is_taken_once(name):
    check_name("populations", name, {f"{name}2"})
    with pytest.raises(ConfigurationError, match=f"^populations: name '{name}' is used twice$"):
        check_name("populations", name, {name: 1})
    if name.swapcase() != name:
        with pytest.raises(ConfigurationError, match=f"name '{name}' is '{name.swapcase()}' to file systems that know"):
            check_name("populations", name, {name.swapcase(): 1})


def declared(source=Grid(8, 8), target=Grid(8, 8), **projection):  # noqa: B008 (grids never change)
    network = Network()
    network.add_population("a", source, models.Poisson())
    network.add_population("b", target, models.LIF())
    given = {"connector": models.OneToOne(), "receptor": models.DeltaCurrent(), "weight": 0.1, **projection}
    return network.add_projection("ab", "a", "b", **given)


RULE = {"select": models.ALL_SYNAPSES, "eliminate": "false"}
UNFIT = [
    ({"connector": models.Gaussian(p_max=1, sigma=1), "source": Grid(8, 8, "open")}, "source grid with open borders"),
    ({"synapse": models.AdditiveSTDP(w_max=0.05)}, r"weight: 0\.1 is not allowed; must be in \[0, 0\.05\], the range"),
    ({"rewiring": models.Bamford(p_max=1, sigma=1, block_side=5)}, r"rewiring\.bamford\.block_side: 5 does not fit"),
    (
        {"rewiring": models.Bamford(p_max=1, sigma=1, block_side=4, every_ms=0.01)},
        r"rewiring\.bamford\.every_ms: 0\.01 is not allowed",
    ),
    ({"rewiring": RewiringRule("r", "", needs=("u",), **RULE)()}, r"rewiring\.r: needs a synapse with 'u'; static has"),
    (
        {"rewiring": RewiringRule("r", "", initial={"u": "1"}, **RULE)()},
        r"rewiring\.r: initial: unknown name 'u'; allowed: weight",
    ),
    (
        {"rewiring": RewiringRule("r", "", parameters={"weight": Parameter(1, "", "")}, **RULE)()},
        r"rewiring\.r: the name 'weight' is used twice",
    ),
    (
        {"rewiring": RewiringRule("r", "", target_variables=(Variable("V_mV"),), **RULE)()},
        r"rewiring\.r: the variable 'V_mV' is one of lif's too, the model of b",
    ),
    (
        {"rewiring": RewiringRule("r", "", trigger="stimulus", **RULE)()},
        r"rewiring\.r: updates at a change of the stimulus need a source population",
    ),
    (
        {"rewiring": RewiringRule("r", "", bound="w_mx", **RULE)()},
        r"rewiring\.r\.bound: 'w_mx' is not allowed; name 'w_mx' is not defined",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "message"), UNFIT, ids=[message for _, message in UNFIT])
def test_parts_that_do_not_fit_each_other(parts, message):
    with pytest.raises(ConfigurationError, match=rf"^projections\.ab\.?:? ?{message}"):
        declared(**parts)


def test_a_synapse_variable_may_not_be_called_as_the_delay_that_each_keeps():
    named = models.SynapseModel("named", "", variables=(Variable("weight"), Variable("delay_steps")))
    declared(synapse=named())
    with pytest.raises(ConfigurationError, match=r"variable 'delay_steps' is the delay's name; use another"):
        declared(synapse=named(), delay_ms=models.Uniform(1, 2))
