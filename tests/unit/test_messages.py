"""What pydantic finds wrong, in one line for each thing: field, value, what is allowed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hpcsnn.configuration.messages import explained
from hpcsnn.configuration.schema import Configuration, PopulationConfig, ProjectionConfig

PROJECTION = {"source": "a", "target": "a", "connector": "one_to_one", "receptor": "delta_current", "weight": 1}


def problems(raw):
    with pytest.raises(ValidationError) as error:
        Configuration.model_validate(raw)
    return [explained(problem) for problem in error.value.errors()]


@pytest.mark.parametrize(
    ("place", "owner"),
    [("configuration", Configuration), ("populations.a", PopulationConfig), ("projections.aa", ProjectionConfig)],
)
def test_an_unknown_key_is_told_with_those_of_its_own_place(place, owner):
    raw = {"populations": {"a": {"model": "lif", "size": 3}}, "projections": {"aa": dict(PROJECTION)}}
    {"configuration": raw, "populations.a": raw["populations"]["a"], "projections.aa": raw["projections"]["aa"]}[place][
        "zzz"
    ] = 1
    assert problems(raw) == [f"{place}: unknown name 'zzz'; allowed: {', '.join(sorted(owner.model_fields))}."]


def test_missing_keys_and_the_nearest_name():
    raw = {"populations": {"a": {"modle": "lif"}}, "projections": {"aa": {"source": "a"}}}
    said = problems(raw)
    assert said[0] == "populations.a.model: missing"
    assert said[1].startswith("populations.a: unknown name 'modle'; allowed: ")
    assert said[1].endswith(" Did you mean 'model'?")
    assert said[2:] == [f"projections.aa.{name}: missing" for name in ("target", "connector", "receptor")]


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("dt_ms", "x", "dt_ms: 'x' is not allowed; must be a number > 0 (a number of milliseconds)"),
        ("dt_ms", True, "dt_ms: True is not allowed; must be a number > 0 (a number of milliseconds)"),
        ("seed", 0.5, "seed: 0.5 is not allowed; must be a whole number >= 0 and <= 2^64 - 1"),
        ("exchange_block", 0, "exchange_block: 0 is not allowed; must be a whole number >= 1"),
        ("checkpoint_every", 5, "checkpoint_every: 5 is not allowed; input should be a valid string"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_unit(field, value, line):
    assert problems({"populations": {}, field: value}) == [line]


def test_units_are_told_by_the_end_of_the_fields_name():
    """Whoever brings another pydantic model: the end of a name is the unit."""

    def problem(field):
        return {"loc": ("a", field), "type": "float_type", "msg": "Input should be a number", "input": "x"}

    ends = {
        "tau_ms": " (a number of milliseconds)", "rate_hz": " (a number of hertz)", "V_mV": " (a number of millivolts)",
        "ms": "", "terms": "", "weight": "",
    }  # fmt: skip
    for field, end in ends.items():
        assert explained(problem(field)) == f"a.{field}: 'x' is not allowed; input should be a number{end}"


def test_types_within_unions_are_no_part_of_the_field():
    said = problems({"populations": {"a": {"model": "lif", "grid": [16, "x"]}}})
    assert [line.partition(":")[0] for line in said] == ["populations.a.grid.1"]
