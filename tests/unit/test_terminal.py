"""What is printed stays text, wherever it is from: no sequence reaches the terminal, and no markup is carried out."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hpcsnn.terminal import printable, terminal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("σ_aff → 3 · 4…\n\tdone", "σ_aff → 3 · 4…\n\tdone"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\x08", "a\\rb\\x08"),
        ("abc\u202edef\u200b", "abc\\u202edef\\u200b"),
        ("name\udc9b", "name\\udc9b"),
        ("1\u2009000\u00a0Hz", "1\u2009000\u00a0Hz"),
    ],
)
def test_what_does_not_print_is_written_out(text, expected):
    assert printable(text) == expected


@given(st.text(st.characters(codec=None)))
def test_nothing_else_is_changed_and_once_is_enough(text):
    said = printable(text)
    assert all(sign.isprintable() or sign.isspace() for sign in said)
    assert not set(said) & {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}
    assert printable(said) == said
    if text.isprintable():
        assert said == text
    said.encode()  # surrogates could not be


HOSTILE = "x\x1b[2J[bold]y[/bold][link=file:///]z[/link]:smile:\x9b1m"
SHOWN = "x\\x1b[2J[bold]y[/bold][link=file:///]z[/link]:smile:\\x9b1m"


def table():
    table = Table("a", HOSTILE, box=None)
    table.add_row(HOSTILE, Text(HOSTILE))
    return table


@pytest.mark.parametrize("made", [lambda: HOSTILE, lambda: Text(HOSTILE), table], ids=["text", "rich text", "table"])
@pytest.mark.parametrize("colours", [False, True])
def test_a_console_prints_it_as_text(made, colours):
    file = io.StringIO()
    terminal(file=file, width=400, force_terminal=colours, highlight=False).print(made(), style="red")
    said = file.getvalue()
    assert SHOWN in said
    assert "\x1b[2J" not in said
    assert "\x9b" not in said
    assert ("\x1b[31m" in said) == colours, "its own colours stay"


def test_a_live_view_prints_it_as_text():
    file = io.StringIO()
    with Live(Text(HOSTILE), console=terminal(file=file, width=400, force_terminal=True), auto_refresh=False) as live:
        live.refresh()
    assert SHOWN in file.getvalue()
    assert "\x1b[2J" not in file.getvalue()


def test_markup_of_ones_own_is_asked_for():
    file = io.StringIO()
    terminal(file=file, markup=True, force_terminal=True, highlight=False).print("[bold]a[/bold]\x07")
    assert file.getvalue() == "\x1b[1ma\x1b[0m\\x07\n"
