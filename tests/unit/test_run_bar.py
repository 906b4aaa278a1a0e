"""A bar for whoever waits: after two seconds, where somebody looks, and gone at the end."""

from __future__ import annotations

import io
import sys

import pytest

from hpcsnn import run_bar
from hpcsnn.run_bar import RunBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, wanted=True, seconds_each=0.1):
    """What is written during 40 looks, so many seconds after each other, and at the end."""
    now = iter(range(1000))
    monkeypatch.setattr(run_bar, "perf_counter", lambda: next(now) * seconds_each)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with RunBar(100, 500, 0.5, wanted) as bar:
        for look in range(1, 41):
            bar.at(100 + 10 * look)
        during = stream.getvalue()
    return during, stream.getvalue()[len(during) :]


def test_it_is_there_after_two_seconds_and_gone_at_the_end(monkeypatch):
    during, after = shown(monkeypatch, Terminal())
    assert " 50 %" in during
    assert "0.15 s" in during
    assert " 45 %" not in during, "before two seconds nothing is drawn"
    assert "\x1b[2K" in after, "the line is erased"
    assert shown(monkeypatch, Terminal(), seconds_each=0.04) == ("", ""), "over in less"


@pytest.mark.parametrize(("stream", "wanted"), [(io.StringIO(), True), (Terminal(), False)])
def test_it_is_nowhere_else(stream, wanted, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert shown(monkeypatch, stream, wanted) == ("", "")
