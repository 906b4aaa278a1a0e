"""Sweeps: what varies, a run directory for each combination, and what is kept of it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.errors import StorageError
from hpcsnn.jobs.sweeps import Sweep, parse_vary, read_sweep


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("seed=1..3", "seed", [1, 2, 3]),
        ("seed=-2..0", "seed", [-2, -1, 0]),
        ("seed=5..5", "seed", [5]),
        ("scale=1,2,4", "scale", [1, 2, 4]),
        ("projections.ff.weight=0.1,1e-3,2.5e+1", "projections.ff.weight", [0.1, 0.001, 25.0]),
        ("projections.ff.rows_grow=true,false", "projections.ff.rows_grow", [True, False]),
        ("projections.ff.synapse=static,additive_stdp", "projections.ff.synapse", ["static", "additive_stdp"]),
        ("description=a=b,c", "description", ["a=b", "c"]),
    ],
)
def test_what_varies_is_a_span_or_a_list(text, key, values):
    assert parse_vary(text) == (key, values)
    assert [type(value) for value in parse_vary(text)[1]] == [type(value) for value in values]


@settings(max_examples=40)
@given(st.integers(-100, 100), st.integers(-100, 100))
def test_a_span_goes_upwards(first, last):
    text = f"seed={first}..{last}"
    if first <= last:
        assert parse_vary(text) == ("seed", list(range(first, last + 1)))
    else:
        with pytest.raises(ConfigurationError, match=rf"^--vary '{re.escape(text)}': must go upwards"):
            parse_vary(text)


@pytest.mark.parametrize("text", ["seed", "=1", "seed=", "seed=1,,2", "seed=1,1", "seed=1..10001", "seed=1,[", "a={"])
def test_what_cannot_vary_is_refused_with_what_was_given(text):
    with pytest.raises(ConfigurationError, match=rf"^--vary {re.escape(repr(text))}: "):
        parse_vary(text)


def a_sweep(folder, config="topomap", overrides=("scale=2",), **vary):
    return Sweep(folder, config, list(overrides), vary or {"seed": [1, 2], "projections.ff.rows_grow": [True, False]})


def test_every_combination_is_a_run_directory_that_says_what_it_is(tmp_path):
    members = list(a_sweep(tmp_path).members())
    assert [(path.relative_to(tmp_path).as_posix(), settings) for path, settings in members] == [
        (",".join(settings), settings)
        for settings in (
            [f"seed={seed}", f"projections.ff.rows_grow={grow}"]
            for seed, grow in itertools.product((1, 2), ("true", "false"))
        )
    ]


def test_a_member_is_the_configuration_with_its_own_values(tmp_path):
    sweep = a_sweep(tmp_path, seed=[3, 4], tile=[2])
    made = [sweep.configuration(settings) for _, settings in sweep.members()]
    assert [(one.seed, one.tile, one.scale) for one in made] == [(3, 2, 2), (4, 2, 2)]
    spread = a_sweep(tmp_path, **{"projections.ff.weight": [0.1, 0.05]})
    for value, (_, own) in zip((0.1, 0.05), spread.members(), strict=True):
        assert spread.configuration(own).projections["ff"].weight == value


VALUES = st.lists(st.text("ab/.%2F", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)


@settings(max_examples=40)
@given(VALUES)
def test_no_value_leads_out_of_the_sweeps_folder_or_to_anothers_run(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp() / "sweep"
    paths = [path for path, _ in a_sweep(folder, key=values).members()]
    assert len(set(paths)) == len(values)
    assert {path.parent for path in paths} == {folder}
    for path, value in zip(paths, values, strict=True):
        if re.fullmatch(r"[a-z_]\w*", value) and value not in ("true", "false", "null"):
            assert path.name == f"key={value}", "as it is typed, where a file may be called so"


def test_a_sweep_is_read_as_it_was_written_and_grows_by_more_values(tmp_path):
    with pytest.raises(StorageError, match=r"no sweep here \(there is no sweep\.json\)"):
        read_sweep(tmp_path)
    a_sweep(tmp_path, seed=[2, 1], scale=[1]).write()
    a_sweep(tmp_path, seed=[3, 2], scale=[2, 1]).write()
    read = read_sweep(tmp_path)
    assert (read.config, read.overrides, read.folder) == ("topomap", ["scale=2"], tmp_path)
    assert read.vary == {"seed": [2, 1, 3], "scale": [1, 2]}, "new values come behind those that are there"


def test_keys_in_another_order_would_be_other_run_directories(tmp_path):
    a_sweep(tmp_path, seed=[1], scale=[1]).write()
    with pytest.raises(StorageError, match="holds a sweep over seed, scale, in this order; give another --out"):
        a_sweep(tmp_path, scale=[1], seed=[1]).write()
    assert list(read_sweep(tmp_path).vary) == ["seed", "scale"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"config": "deep_r", "seed": [1]}, "holds a sweep of topomap scale=2; give another --out"),
        ({"overrides": ("scale=3",), "seed": [1]}, "holds a sweep of topomap scale=2; give another --out"),
        ({"tile": [1]}, "holds a sweep over seed, in this order; give another --out"),
        ({"seed": [1], "tile": [1]}, "holds a sweep over seed, in this order; give another --out"),
    ],
)
def test_another_sweep_is_not_mixed_in(other, message, tmp_path):
    a_sweep(tmp_path, seed=[1]).write()
    with pytest.raises(StorageError, match=re.escape(message)):
        a_sweep(tmp_path, **other).write()
    assert read_sweep(tmp_path).vary == {"seed": [1]}
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(StorageError, match=r"sweep\.json: cannot be read: "):
        read_sweep(tmp_path)


@pytest.mark.parametrize("text", ["'010'", "'1:30'", "on", "'true'", "'1e5'", "a", "'null'"])
def test_a_varied_text_reaches_the_run_as_it_was_given(text, tmp_path):
    _, (value,) = parse_vary(f"description={text}")
    sweep = Sweep(tmp_path, "topomap", [], {"description": [value]})
    ((_, settings),) = sweep.members()
    assert sweep.configuration(settings).description == value == text.strip("'")
