"""What a run says of itself while it goes: a clock, a line, and a file for those who watch."""

from __future__ import annotations

import io
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from hpcsnn import Network, models
from hpcsnn.phases import doing
from hpcsnn.ranks.communicator import Alone
from hpcsnn.runs.progress import Progress, bar_and_line, clock, end_written, name_phases, phases_written, progress_line
from hpcsnn.storage.run_directory import RunDirectory

STATE = {
    "model_s": 12.345, "end_s": 60.0, "speed": 1234.5678, "left_s": 3723.4, "synapses": 1234567,
    "rates_hz": {"source": 20.04, "target": 0.0},
}  # fmt: skip


@settings(max_examples=40)
@given(st.floats(0, 1e7))
def test_a_clock_is_read_back_to_the_second(seconds):
    parts = [int(part) for part in clock(seconds).split(":")]
    assert abs(sum(part * 60**power for power, part in enumerate(reversed(parts))) - seconds) <= 0.5
    assert all(part < 60 for part in parts[1:])
    assert all(len(part) == 2 for part in clock(seconds).split(":")[1:])
    assert len(parts) == (3 if round(seconds) >= 3600 else 2)


def test_a_line_says_where_the_run_is():
    assert progress_line(STATE) == (
        "12.35 of 60 s  1.23e+03 x real time  1:02:03 left  1,234,567 synapses  source 20.0, target 0.0 Hz"
    )


class Store:
    def __init__(self):
        self.n = 0

    def n_synapses(self):
        return self.n


class StandIn:
    """What `Progress` asks of a simulation: 10 and 5 neurons, one projection; two ranks alike."""

    def __init__(self, rank=0):
        self.network = Network(dt_ms=1.0)
        self.network.add_population("a", 10, models.Poisson())
        self.network.add_population("b", 5, models.LIF())
        self.network.add_projection("ab", "a", "b", models.AllToAll(), models.DeltaCurrent(), 1.0)
        self.rank, self.step, self.state, self.communicator = rank, 0, self, Alone()
        self.stores, self.spikes = {"ab": Store()}, {"a": 0, "b": 0}

    @property
    def time_ms(self):
        return float(self.step)

    def total_spikes(self, population):
        return self.spikes[population]

    def sum_over_ranks(self, values):
        return 2 * values

    def advance(self, steps, a, b, synapses):
        self.step += steps
        self.spikes["a"] += a
        self.spikes["b"] += b
        self.stores["ab"].n = synapses


def written(folder):
    return json.loads((folder / "progress.json").read_text())


def test_the_file_says_rates_since_the_last_look_and_what_is_left(tmp_path):
    simulation, text = StandIn(), io.StringIO()
    simulation.advance(1000, 500, 5, 3)  # a run that goes on from 1 s
    with Progress(Console(file=text), 5000.0, RunDirectory(tmp_path)) as progress:
        progress.update(simulation)
        first = written(tmp_path)
        assert (first["step"], first["model_s"], first["end_s"], first["synapses"]) == (1000, 1.0, 5.0, 6)
        assert (first["speed"], first["rates_hz"]) == (0.0, {"a": 0.0, "b": 0.0}), "nothing has been seen yet"
        simulation.advance(500, 50, 5, 4)
        progress.update(simulation)
        simulation.advance(1500, 150, 0, 8)
        progress.update(simulation, last=True)
        last = written(tmp_path)
        progress.update(simulation, last=True)
        assert written(tmp_path)["rates_hz"] == last["rates_hz"], "nothing went on since: the rates are those before"
    assert (last["step"], last["synapses"]) == (3000, 16)
    # Two ranks: 300 spikes of 10 neurons in 1.5 s; the half second before is not counted again.
    assert last["rates_hz"] == {"a": pytest.approx(20.0), "b": 0.0}
    assert last["speed"] > 0
    assert last["left_s"] == pytest.approx((5.0 - 3.0) / last["speed"])
    assert text.getvalue() == "", "a log file should not drown in lines"


def lines(folder):
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def test_lines_say_how_a_run_went_with_its_phases_and_its_end(tmp_path, monkeypatch):
    simulation, directory = StandIn(), RunDirectory(tmp_path)
    now = iter(range(100_000))
    monkeypatch.setattr("hpcsnn.runs.progress.time.perf_counter", lambda: 10.0 * next(now))
    with phases_written(directory, quiet=False), doing("compiling kernels"):
        with Progress(Console(file=io.StringIO()), 9000.0, directory) as progress:
            for _ in range(1000):
                simulation.advance(9, 10, 5, 3)
                progress.update(simulation)
            progress.update(simulation, last=True)
        with phases_written(directory, quiet=True), doing("drawing figures"):
            pass
    with doing("not heard"):
        end_written(directory, "SIGTERM")
    first, *told, figures, end = lines(tmp_path)
    assert (first["phase"], figures["phase"]) == ("compiling kernels", "drawing figures")
    assert (end["phase"], end["stopped_by"]) == ("stopped", "SIGTERM")
    assert {line["phase"] for line in told} == {"simulating"}
    assert {key: value for key, value in told[-1].items() if key != "phase"} == written(tmp_path)
    assert [line["step"] for line in told] == sorted(line["step"] for line in told)
    # An update looks at the clock a few times, each 10 s later: beyond 6,000 s, a line comes every 60 s.
    assert 100 < len(told) <= 1000


def test_a_line_in_a_terminal_is_live_and_gone_at_the_end(tmp_path):
    text = io.StringIO()
    with Progress(Console(file=text, force_terminal=True, width=150), 10.0, RunDirectory(tmp_path)) as progress:
        simulation = StandIn()
        simulation.advance(5, 1, 1, 7)
        progress.update(simulation)
        shown = text.getvalue()
    assert "\x1b[2K" in text.getvalue()[len(shown) :], "the line is erased"


@pytest.mark.parametrize(("rank", "quiet"), [(1, False), (0, True)])
def test_other_ranks_take_part_and_show_nothing(rank, quiet, tmp_path):
    text, simulation = io.StringIO(), StandIn(rank)
    with Progress(Console(file=text, force_terminal=True), 10.0, RunDirectory(tmp_path), quiet) as progress:
        progress.update(simulation, last=True)
    assert list(tmp_path.iterdir()) == []


def in_terminal(width=80):
    return Console(file=io.StringIO(), force_terminal=True, width=width, legacy_windows=False, _environ={})


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("done", [0.0, 0.5, 1.0])
def test_a_line_never_wraps(width, done):
    console = in_terminal(width)
    with console.capture() as capture:
        console.print(bar_and_line(done, progress_line(STATE)), end="")
    (line,) = capture.get().rstrip("\n").split("\n")
    assert "━" in line
    assert ("…" in line) == (width < 120)


def comes(console, words):
    """What a thread draws some times a second."""
    for _ in range(1000):
        if words in console.file.getvalue():
            return True
        time.sleep(0.03)
    return False


def test_phases_are_named_while_they_last():
    console = in_terminal()
    with name_phases(console):
        with doing("wiring"):
            assert comes(console, "wiring")
            with doing("compiling kernels"):
                assert comes(console, "compiling kernels")
            console.file.truncate(0)
            assert comes(console, "wiring")
            assert "compiling" not in console.file.getvalue()
        with doing("drawing figures"):
            assert comes(console, "drawing figures")
    with doing("not heard"):
        assert "not heard" not in console.file.getvalue()


def test_phases_end_where_they_fail():
    console = in_terminal()
    with name_phases(console):
        with pytest.raises(ValueError, match="that"), doing("wiring"):
            raise ValueError("that")
        with doing("drawing figures"):
            assert comes(console, "drawing figures")


def test_phases_are_no_lines_of_a_file():
    console = Console(file=io.StringIO())
    with name_phases(console), doing("wiring"):
        pass
    assert console.file.getvalue() == ""
