"""What counts of a snippet's text: indentation does not, comments do not, and a body is what returns."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import models
from hpcsnn.models.snippet_text import cleaned, is_body, without_comments

# Lines as people write them, without tabs and without spaces at the end.
LINES = st.lists(
    st.text(alphabet="ab =;(){}/*+ ", max_size=8).map(lambda line: line.rstrip(" ")), min_size=1, max_size=6
)
# A text in pieces: code without slashes, and comments of both kinds, each ended.
CODE = st.text(alphabet="ab*;\n .", max_size=6)
COMMENTS = st.one_of(
    st.text(alphabet="ab*/ ", max_size=6).map(lambda text: f"//{text}\n"),
    st.text(alphabet="ab/\n ", max_size=6).map(lambda text: f"/*{text}*/"),
)


@given(LINES, st.integers(0, 7), st.integers(0, 3), st.integers(0, 3))
def test_indentation_and_blank_lines_around_do_not_count(lines, indent, before, after):
    text = "\n".join(lines)
    around = "\n" * before + textwrap.indent(text, " " * indent) + "\n" * after
    assert cleaned(around) == cleaned(text)


@given(LINES)
def test_what_is_inside_stays_as_it_was_written(lines):
    """Every line but blank ones at both ends, each short of the same number of spaces."""
    kept = cleaned("\n".join(lines)).split("\n")
    inner = list(lines)
    while len(inner) > 1 and not inner[-1]:
        inner.pop()
    while len(inner) > 1 and not inner[0]:
        inner.pop(0)
    assert len(kept) == len(inner)
    short = {len(line) - len(left) for line, left in zip(inner, kept, strict=True) if line}
    assert len(short) <= 1
    for line, left in zip(inner, kept, strict=True):
        assert line.endswith(left)
        assert not line[: len(line) - len(left)].strip()
    assert not kept[0].startswith(" ") or any(left and not left.startswith(" ") for left in kept)
    assert cleaned("\n".join(kept)) == "\n".join(kept)


def test_a_tab_is_as_wide_as_it_looks():
    """A compiler counts columns of what is pasted: a tab would be one of them, and eight on the screen."""
    assert cleaned("\tweight = 1;\n        age = 2;") == "weight = 1;\nage = 2;"
    assert "\t" not in cleaned("a =\t2;\n\tb\t= 3;")


@given(st.lists(st.tuples(CODE, COMMENTS), max_size=5), CODE)
def test_a_comment_is_a_blank(pieces, last):
    """What is left is the code, in order, with a blank, or the end of the line, where each comment was."""
    text = "".join(code + comment for code, comment in pieces) + last
    left = "".join(code + (" \n" if comment.startswith("//") else " ") for code, comment in pieces) + last
    assert without_comments(text) == left


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("0.5f * weight", False),
        ("return 0.5f;", True),
        ("if (weight > 0.0f) return weight;\nreturn 0.0f;", True),
        ("(weight > 0)\n    ? 1.0f\n    : returned", False),
        ("no_return + 1", False),
        ("1.0f  // return nothing", False),
        ("/* we could return\n here */ 1.0f", False),
        ("/* now */return 1.0f;", True),
        ("return/**/1.0f;", True),
        ("", False),
    ],
)
def test_a_body_is_what_has_a_return(text, body):
    assert is_body(text) == body


@pytest.mark.parametrize(
    ("snippets", "says"),
    [
        ({"threshold": "V > limit", "reset": "random.next();"}, True),
        ({"update": "V = chance(random());"}, True),
        ({"update": "// random, step and all\nV = 0.5f * V;"}, False),
        ({"update": "randomly = 1.0f; /* random */"}, False),
    ],
)
def test_a_neuron_mentions_words_of_each_snippet_and_none_of_comments(snippets, says):
    model = models.NeuronModel("mine", "", **{"threshold": "V > 1.0f", **snippets})
    assert model.mentions("random") is says
