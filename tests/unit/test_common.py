"""What all commands make of errors: one message, an exit code that says whether another try may help, no rank left."""

from __future__ import annotations

import errno
import os

import pytest
import typer

from hpcsnn.cli.common import FAILED, FAULT, REFUSED, reported
from hpcsnn.errors import ConfigurationError, DeviceError, HpcsnnError, RunBusyError, SimulationError, StorageError
from hpcsnn.ranks.communicator import Alone


class OneOfTwo(Alone):
    """A rank that has a fellow, and notes how it ended all."""

    size = 2

    def __init__(self, rank):
        self.rank, self.aborted = rank, []

    def abort(self, code):
        self.aborted.append(code)


def ended_with(error, ranks=None):
    with pytest.raises(typer.Exit) as leave, reported(ranks):
        raise error
    return leave.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("seed: -1 is not allowed"), REFUSED),
        (StorageError("run: holds a run already"), REFUSED),
        (RunBusyError("run: another hpcsnn is writing here"), FAULT),
        (DeviceError("no C++ compiler"), FAILED),
        (SimulationError("V_mV = nan"), FAILED),
        (HpcsnnError("something"), FAILED),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_error_is_one_message_and_a_code(error, code, capsys):
    assert ended_with(error) == code
    said = capsys.readouterr()
    assert said.err == f"error: {error or 'interrupted'}\n" or said.err == "error: interrupted\n"
    assert said.out == ""


def test_codes_differ_where_another_try_may_help():
    assert len({FAILED, REFUSED, FAULT, 0}) == 4


def test_a_fault_that_nobody_foresaw_shows_where_it_came_from(capsys):
    assert ended_with(ZeroDivisionError("by zero")) == FAULT
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert "ZeroDivisionError: by zero" in said


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_that_find_the_same_in_a_configuration_say_it_once(rank, capsys):
    ranks = OneOfTwo(rank)
    assert ended_with(ConfigurationError("wrong"), ranks) == REFUSED
    assert capsys.readouterr().err == ("error: wrong\n" if rank == 0 else "")
    assert ranks.aborted == [], "each ends by itself"


def test_a_rank_that_fails_alone_says_which_it_is_and_takes_the_others_along(capsys):
    ranks = OneOfTwo(1)
    assert ended_with(SimulationError("V_mV = nan"), ranks) == FAILED
    assert capsys.readouterr().err == "error: rank 1: V_mV = nan\n"
    assert ranks.aborted == [FAILED]


def test_markup_in_a_message_is_text(capsys):
    ended_with(ConfigurationError("[bold]x[/bold] [3, 4]"))
    assert capsys.readouterr().err == "error: [bold]x[/bold] [3, 4]\n"


def test_what_ends_a_command_on_purpose_passes():
    for leave in (typer.Exit(7), SystemExit(8)):
        with pytest.raises(type(leave)) as passed, reported():
            raise leave
        assert passed.value is leave
    with reported():
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_the_system_refuses_is_told_wherever_it_happens(number, capsys):
    assert ended_with(OSError(number, os.strerror(number), "runs/a/file")) == REFUSED
    assert capsys.readouterr().err == f"error: runs/a/file: {os.strerror(number)}\n"
    assert ended_with(OSError(number, os.strerror(number))) == REFUSED
    assert "Traceback" not in capsys.readouterr().err


def test_what_nobody_foresaw_has_its_traceback(capsys):
    assert ended_with(OSError(errno.EIO, "Input/output error", "runs/a/file")) == FAULT
    assert "Traceback" in capsys.readouterr().err
