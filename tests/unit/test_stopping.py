"""Signals that ask for a stop are noted, agreed on, and nobody's business afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hpcsnn.ranks.communicator import Alone
from hpcsnn.runs.stopping import StopSignals

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class AmongOthers(Alone):
    """A rank whose fellows have received these signals (0: none)."""

    def __init__(self, *others):
        self._others = others

    def most(self, value):
        return max(*self._others, value)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_noted_and_does_nothing_else(number):
    with StopSignals(Alone()) as signals:
        assert signals.agreed() is None
        signal.raise_signal(number)
        assert signals.agreed() == number.name
        assert signals.agreed() == number.name, "it stays"


def test_the_last_of_several_is_told():
    with StopSignals(Alone()) as signals:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        assert signals.agreed() == "SIGTERM"


@pytest.mark.parametrize(
    ("own", "others", "agreed"),
    [
        (None, (0, 0), None),
        (None, (0, signal.SIGUSR2), "SIGUSR2"),
        (signal.SIGINT, (0, 0), "SIGINT"),
        (signal.SIGINT, (signal.SIGTERM, 0), "SIGTERM"),
        (signal.SIGTERM, (signal.SIGINT, 0), "SIGTERM"),
    ],
)
def test_all_ranks_agree_on_one_signal_whoever_received_it(own, others, agreed):
    with StopSignals(AmongOthers(*others)) as signals:
        if own is not None:
            signal.raise_signal(own)
        assert signals.agreed() == agreed


def test_a_second_interrupt_leaves_at_once_and_no_other_signal_does():
    codes = []
    with StopSignals(Alone(), leave=codes.append) as signals:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.raise_signal(number)
        assert codes == []
        assert signals.agreed() == "SIGUSR2"
        signal.raise_signal(signal.SIGINT)
        assert codes == [130]


def test_two_interrupts_while_a_kernel_runs_count_as_two():
    """Python's handler runs once for both of them: the pipe tells."""
    codes = []
    with StopSignals(Alone(), leave=codes.append):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            # Blocked, two would be one to the kernel too; so the second one's number goes into the pipe itself.
            signal.raise_signal(signal.SIGINT)
            wakeup = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(wakeup)
            os.write(wakeup, bytes([signal.SIGINT]))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        assert codes == [130]


def open_files():
    """The numbers of this process's open files, where the system tells."""
    folder = Path("/proc/self/fd")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_afterwards_everything_is_as_it_was():
    def mine(*_):
        raise AssertionError("nobody sends one")

    before = {number: signal.signal(number, mine) for number in SIGNALS}
    reading, writing = os.pipe2(os.O_NONBLOCK)
    woken = signal.set_wakeup_fd(writing)
    try:
        before_it = open_files()
        with pytest.raises(ZeroDivisionError), StopSignals(Alone()):
            signal.raise_signal(signal.SIGUSR1)
            raise ZeroDivisionError
        assert [signal.getsignal(number) for number in SIGNALS] == [mine] * len(SIGNALS)
        assert signal.set_wakeup_fd(writing) == writing
        assert open_files() == before_it, "no pipe stays open"
    finally:
        signal.set_wakeup_fd(woken)
        os.close(reading)
        os.close(writing)
        for number, handler in before.items():
            signal.signal(number, handler)
