"""YAML 1.2 by its core schema: what is read, what is refused and where, and what is written."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.configuration.yaml_text import (
    MOST_BYTES,
    MOST_COPIED,
    MOST_DEPTH,
    MOST_DIGITS,
    read_yaml,
    read_yaml_file,
    write_yaml,
)


def value_of(text):
    return read_yaml("my.yaml", text)[0]


def refusal(text, known=None):
    with pytest.raises(ConfigurationError) as error:
        read_yaml("my.yaml", text, known)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Numbers of YAML 1.2, where 1.1 has another or none.
        ("010", 10), ("0100", 100), ("08", 8), ("0o17", 15), ("0x1F", 31), ("-7", -7), ("+7", 7),
        ("1e3", 1000.0), ("1E-3", 0.001), ("-2.e1", -20.0), ("+.5", 0.5), (".5e1", 5.0), ("1.", 1.0),
        (".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf),
        # Texts of YAML 1.2, of which 1.1 makes something else.
        ("1:30", "1:30"), ("on", "on"), ("Off", "Off"), ("yes", "yes"), ("n", "n"), ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2020-13-45", "2020-13-45"), ("2020-01-01", "2020-01-01"), ("0o8", "0o8"), ("-0x1", "-0x1"), ("=", "="),
        ("inf", "inf"), ("nan", "nan"), ("-.nan", "-.nan"), ("1e", "1e"), (".", "."), ("tRUE", "tRUE"),
        ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("'010'", "010"), ('"true"', "true"), ("|\n  12\n", "12\n"),
        ("! 12", "12"), ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 1", 1.0), ("!!bool true", True),
        ("!!null ~", None), ("!!seq [1]", [1]), ("!!map {a: 1}", {"a": 1}), ("%YAML 1.2\n---\n010\n", 10),
    ],
)  # fmt: skip
def test_a_scalar_is_what_the_core_schema_says(text, value):
    read = value_of(text)
    assert (type(read), read) == (type(value), value)


def test_not_a_number_is_a_number():
    assert math.isnan(value_of(".nan"))


@given(st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False)))
def test_what_python_writes_of_a_number_is_read_as_it(number):
    read = value_of(repr(number))
    assert (type(read), read) == (type(number), number)


def test_a_key_is_the_text_that_stands_there():
    assert value_of("{on: 1, null: 2, 010: 3, 1.5: 4, 'x y': 5, ~: 6}") == {
        "on": 1, "null": 2, "010": 3, "1.5": 4, "x y": 5, "~": 6,
    }  # fmt: skip


SEED = frozenset({"seed"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "a.b: is given twice; a key may stand once (my.yaml, lines 2 and 4)"),
        ("a: [{b: 1,\n b: 1}]", "a.b: is given twice; a key may stand once (my.yaml, lines 1 and 2)"),
        ("a: 1\n'a': 1\n", "a: is given twice; a key may stand once (my.yaml, lines 1 and 2)"),
        ("a:\n  <<: {b: 1}\n  <<: {c: 1}\n", "a.<<: is given twice; a key may stand once (my.yaml, lines 2 and 3)"),
        ("a: {<<: [1]}", "a.<<: is not allowed; must be a mapping, whose keys are taken where they are not given"
                         " (my.yaml, line 1)"),
        ("a:\n  !!int x", "a: is no !!int (my.yaml, line 2)"),
        ("a: !!int 1.5", "a: is no !!int (my.yaml, line 1)"),
        ("a: !!bool x", "a: is no !!bool (my.yaml, line 1)"),
        ("a: !!float x", "a: is no !!float (my.yaml, line 1)"),
        ("a: !!null x", "a: is no !!null (my.yaml, line 1)"),
        ("a: !!seq x", "a: the tag !!seq is not one of a single value (my.yaml, line 1)"),
        ("a: !!map [1]", "a: the tag !!map is not that of a seq (my.yaml, line 1)"),
        *(
            (f"a: {tag} x", "a: has a tag that is not allowed; allowed: !!null, !!bool, !!int, !!float, !!str, !!seq, "
                            "!!map (my.yaml, line 1)")
            for tag in ("!!timestamp", "!!python/name:os.system", "!mine", "!!binary", "!<int>")
        ),
        ("? [1]\n: 2\n", "my.yaml: a key must be a text, not a list, a mapping, an anchor or an alias (line 1)"),
        ("a: {&b c: 1}", "a: a key must be a text, not a list, a mapping, an anchor or an alias (my.yaml, line 1)"),
        ("{!!int 1: 2}", "my.yaml: a key must be a text without a tag (line 1)"),
        ("a: *b", "a: is an alias of an anchor that is not there (my.yaml, line 1)"),
        ("a: &b\n  c: [*b]", "a.c: is an alias of what it stands in, which would have no end (my.yaml, line 2)"),
        ("a: " + "9" * 5000, f"a: is a number of 5000 characters; at most {MOST_DIGITS} (my.yaml, line 1)"),
        ("a: 0." + "9" * 5000, f"a: is a number of 5002 characters; at most {MOST_DIGITS} (my.yaml, line 1)"),
        ("a: 1e999", "a: is a number beyond the largest, 1.8e308 (my.yaml, line 1)"),
        ("--- 1\n--- 2\n", "my.yaml: has a second document; there may be one (line 2)"),
        ("%YAML 1.1\n---\n010\n", "my.yaml: %YAML 1.1 is not allowed; hpcsnn reads YAML 1.2 (line 1)"),
        ("a:\n- \x07", "my.yaml: not YAML: a character that is not allowed (line 2)"),
        ("a:\n- \ud800", "my.yaml: not YAML: a character that is not allowed (line 2)"),
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_no_data_is_refused_with_its_place(text, said):
    assert refusal(text) == said


def test_a_mistake_of_syntax_is_told_with_its_line_and_path():
    said = refusal("seed: 1\na:\n  b: [1, 2\n  c: 3\n")
    assert said.startswith("a.b: not YAML: ")
    assert said.endswith(": 'c: 3' (my.yaml, line 4)")


@pytest.mark.parametrize(
    "secret", ["user: [hunter2\n", "hunter2: 1\nhunter2: 2\n", "a: &b {hunter2: *b}\n", "'hunter2"]
)
def test_of_a_foreign_file_nothing_is_quoted(secret):
    """Whoever can name a file in a configuration should not be shown what is in it."""
    assert "hunter2" not in refusal(secret, SEED)
    assert refusal(secret, SEED).startswith("my.yaml: ")
    assert "hunter2" in refusal("seed: 1\n" + secret.replace("'hunter2", "[hunter2"), SEED)


# -- without end -----------------------------------------------------------------------------------------------------


def nested(levels):
    return "a: " + "[" * levels + "]" * levels


def test_nesting_has_an_end():
    assert value_of(nested(MOST_DEPTH - 1))
    for levels in (MOST_DEPTH, 20_000):
        assert refusal(nested(levels)) == f"a: is nested more than {MOST_DEPTH} deep (my.yaml, line 1)"
    assert refusal("- " * 20_000) == f"my.yaml: is nested more than {MOST_DEPTH} deep (line 1)"


def test_aliases_do_not_nest_deeper_than_what_they_stand_in():
    half = MOST_DEPTH // 2
    fits = "a: &a " + "[" * half + "]" * half + "\nb: " + "[" * (half - 1) + "*a" + "]" * (half - 1)
    assert value_of(fits)
    deeper = "a: &a " + "[" * half + "]" * half + "\nb: &b [*a]\nc: " + "[" * (half - 1) + "*b" + "]" * (half - 1)
    assert refusal(deeper) == f"c: is nested more than {MOST_DEPTH} deep (my.yaml, line 3)"


def test_an_alias_is_a_copy_of_its_own():
    read = value_of("a: &a {x: [1]}\nb: *a\nc: &c 5\nd: *c\n")
    read["b"]["x"].append(2)
    assert read == {"a": {"x": [1]}, "b": {"x": [1, 2]}, "c": 5, "d": 5}


def test_aliases_stand_for_so_many_values_and_no_more():
    """A tenth of ten powers of ten: counted, and not waited for."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    for level in range(1, 12):
        bomb += f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n"
    said = f"is an alias too many: aliases may stand for {MOST_COPIED} values in all"
    assert refusal(bomb) == f"a6: {said} (my.yaml, line 7)"
    # A list of nine copies holds nine times as many values as one of them, and itself.
    sizes = [10]
    for _ in range(5):
        sizes.append(1 + 9 * sizes[-1])
    assert 9 * sum(sizes[:5]) <= MOST_COPIED < 9 * sum(sizes[:6])
    assert list(value_of("".join(bomb.splitlines(keepends=True)[:6]))) == [f"a{level}" for level in range(6)]


def test_a_merge_key_takes_what_is_not_given_before_and_behind_it():
    read, places = read_yaml("my.yaml", "a: &a {x: 1, y: 2}\nb:\n  x: 3\n  <<: *a\n  z: 4\nc: {<<: *a}\n'<<': 5\n")
    assert read == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2, "z": 4}, "c": {"x": 1, "y": 2}, "<<": 5}
    assert [str(places.below["b"].below[key]) for key in "xyz"] == [f"my.yaml, line {line}" for line in (3, 1, 5)]


def test_long_comments_and_lists_are_read(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("# " + "x" * 1_000_000 + "\n" + "# x\n" * 100_000 + "a: [" + ",".join(["0.25"] * 100_000) + "]\n")
    read, places = read_yaml_file(file, SEED)
    assert read == {"a": [0.25] * 100_000}
    assert str(places.below["a"]) == f"{file}, line 100002"


def test_a_file_has_an_end_and_is_utf8(tmp_path):
    file = tmp_path / "my.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    with pytest.raises(ConfigurationError) as error:
        read_yaml_file(file, SEED)
    assert str(error.value) == f"{file}: has more than {MOST_BYTES} bytes, the most that hpcsnn reads of a YAML file"
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigurationError) as error:
        read_yaml_file(file, SEED)
    assert str(error.value) == f"{file}: not YAML: no text in UTF-8 (line 2)"
    file.write_bytes("\ufeffa: \N{GREEK SMALL LETTER SIGMA}\n".encode())
    assert read_yaml_file(file, SEED)[0] == {"a": "\N{GREEK SMALL LETTER SIGMA}"}
    with pytest.raises(ConfigurationError, match=r"gone\.yaml: cannot be read: No such file"):
        read_yaml_file(tmp_path / "gone.yaml", SEED)


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab01-+.:,[]{}&*!<>|?#%'\"~ \n\t\x00\ud800é"), max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        value_of(text)
    except ConfigurationError as error:
        assert str(error).endswith(")")


# -- writing ---------------------------------------------------------------------------------------------------------

LOOKS = [
    "on", "off", "yes", "y", "true", "null", "~", "", "1:30", "010", "08", "0o17", "0x1f", "1e5", "1e-3", "+.5", "-.5",
    "1_000", ".inf", ".nan", "2020-01-01", "2020-13-45", "<<", "=", "!!int 3", "&a", "*a", "- a", "? a", "a: b", "#",
    "%", " a ", "a\n", "\n", "a\n\n b", "\t", "'", '"', "\u2028", "\x85", "\ufeff", "é", "\U0001f9e0", "\x00", "\x7f",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(LOOKS), st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False), TEXTS,
)  # fmt: skip
DATA = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def typed(value):
    """A value with its types, so that 1, 1.0 and True differ, and 0.0 and -0.0."""
    if isinstance(value, dict):
        return {key: typed(one) for key, one in value.items()}
    return [typed(one) for one in value] if isinstance(value, list) else (type(value).__name__, repr(value))


@settings(max_examples=300)
@given(DATA)
def test_what_is_written_is_read_as_it_was(data):
    assert typed(value_of(write_yaml(data))) == typed(data)


@pytest.mark.parametrize("text", LOOKS)
def test_texts_that_look_like_something_else_are_written_in_quotes(text):
    assert value_of(write_yaml({text: [text]})) == {text: [text]}
    assert yaml.safe_load(write_yaml({text: [text]})) == {text: [text]}, "for readers of YAML 1.1 too"


def test_values_that_are_one_object_are_written_where_they_stand():
    shared = [1, 2]
    assert write_yaml({"a": shared, "b": shared}) == "a:\n- 1\n- 2\nb:\n- 1\n- 2\n"
