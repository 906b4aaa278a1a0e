"""Snippets between line directives: every line of a program leads back to who wrote it."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn.codegen.snippets import KERNELS, SnippetBook, numbered
from hpcsnn.models.snippet_text import cleaned

TEXTS = st.text(alphabet="ab;\n \t", max_size=12)
# Lines of kernels' text, which never look like directives.
OWN = st.text(alphabet="kx{} ", max_size=5)


def model(name="mine", **slots):
    view = SimpleNamespace(kind="rewiring rule", name=name, sees=("weight",), sees_in={"update": ("weight", "age")})
    vars(view).update(slots)
    return view


def places(source):
    """As a compiler counts: for each line that is no directive its file, the number of it there, and its text."""
    file, number = KERNELS, 1
    for line in source.split("\n"):
        directive = re.fullmatch(r'#line (\d+) "([\w-]+)"', line)
        if directive:
            number, file = int(directive[1]), directive[2]
            continue
        yield file, number, line
        number += 1


@given(st.lists(st.tuples(OWN, TEXTS), max_size=6), OWN)
def test_every_line_leads_back_to_its_snippet_or_its_kernel(pieces, last):
    book = SnippetBook()
    source = "\n".join([*(f"{own}\n{book.paste(model(update=text), 'update')}" for own, text in pieces), last])
    program = numbered(source)
    lines, texts = program.split("\n"), [snippet.text.split("\n") for snippet in book.snippets]
    seen = []
    for file, number, line in places(program):
        if file == KERNELS:
            assert lines[number - 1] == line, "a kernel's line has the number that it has in the whole"
        else:
            snippet = int(file.removeprefix("snippet-"))
            assert texts[snippet][number - 1] == line
            seen.append((snippet, number))
    for _, text in pieces:
        snippet = next(k for k, parts in enumerate(texts) if parts == cleaned(text).split("\n"))
        assert {(snippet, number + 1) for number in range(len(texts[snippet]))} <= set(seen)


@given(st.lists(st.sampled_from(["a;", " a;", "\n a;\n", "b;", "a; // b;"]), max_size=8))
def test_a_text_is_kept_once_however_often_it_is_pasted(texts):
    book = SnippetBook()
    pasted = [book.paste(model(update=text), "update") for text in texts]
    assert [snippet.text for snippet in book.snippets] == list(dict.fromkeys(map(cleaned, texts)))
    for text, one in zip(texts, pasted, strict=True):
        number = [snippet.text for snippet in book.snippets].index(cleaned(text))
        assert one.startswith(f'#line 1 "snippet-{number}"\n{cleaned(text)}\n')


def test_equal_texts_of_other_slots_and_models_are_other_snippets():
    book = SnippetBook()
    for name, slot in (("mine", "update"), ("mine", "form"), ("other", "update"), ("mine", "update")):
        book.paste(model(name, update="x;", form="x;"), slot)
    assert [snippet.where for snippet in book.snippets] == [
        "rewiring rule mine, update",
        "rewiring rule mine, form",
        "rewiring rule other, update",
    ]


def test_a_snippet_knows_what_its_slot_sees():
    book = SnippetBook()
    view = model(update="a;", form="b;", sums={"total": "c;"})
    view.sees_in["sums"] = ("in_degree",)
    book.paste(view, "update")
    book.paste(view, "form")
    book.paste(view, "sums.total", view.sums["total"])
    assert [snippet.sees for snippet in book.snippets] == [("weight", "age"), ("weight",), ("in_degree",)]
    assert [snippet.text for snippet in book.snippets] == ["a;", "b;", "c;"]


def without_directives(text):
    return "\n".join(line for line in text.split("\n") if not line.startswith("#line"))


@pytest.mark.parametrize(
    "text", ["a + 1", "\n    a\n    + 1\n", "a + 1  // return it", "a /* return */ + 1", "returned"]
)
def test_an_expression_is_returned(text):
    """On lines of its own, so that a comment at its end does not swallow what closes it."""
    value = without_directives(SnippetBook().value(model(form=text), "form"))
    assert value == f"return\n{cleaned(text)}\n;"


@pytest.mark.parametrize("text", ["return a;", "if (a) return b;\nreturn c;", "\n  return a; // done\n"])
def test_a_body_stays_as_it_is(text):
    assert without_directives(SnippetBook().value(model(form=text), "form")) == cleaned(text)


def test_a_slot_that_holds_several_texts_gives_the_one_that_is_named():
    book = SnippetBook()
    view = model(initial={"weight": "0.5f", "age": "return 3;"})
    assert book.value(view, "initial", view.initial["weight"]).startswith("return\n")
    assert not book.value(view, "initial", view.initial["age"]).startswith("return\n")
    assert [snippet.text for snippet in book.snippets] == ["0.5f", "return 3;"]
