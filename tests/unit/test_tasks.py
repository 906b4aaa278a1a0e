"""Dask tasks by this process's threads: results in order, errors as they are, progress as far as it goes."""

from __future__ import annotations

import io

import pytest
from dask.delayed import delayed
from rich.console import Console

from hpcsnn.analysis.tasks import compute


def console():
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def test_results_come_in_the_order_of_the_tasks():
    tasks = [delayed(pow)(number, 2) for number in range(30)]
    assert compute(tasks, None, console(), "squares") == [number**2 for number in range(30)]
    assert compute([], None, console(), "nothing") == []


def test_tasks_may_build_on_each_other():
    first = delayed(sum)([1, 2, 3])
    assert compute([delayed(pow)(first, 2), first], None, console(), "sums") == [36, 6]


def test_what_a_task_raises_is_raised():
    def broken():
        raise KeyError("which")

    with pytest.raises(KeyError, match="which"):
        compute([delayed(broken)()], None, console(), "trouble")


def test_progress_says_what_is_done():
    screen = console()
    compute([delayed(pow)(number, 2) for number in range(3)], None, screen, "reading checkpoints")
    assert "reading checkpoints" in screen.file.getvalue()
