"""Dask tasks with a progress bar: by this process's threads, or by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dask.base import compute as compute_here
from dask.callbacks import Callback
from dask.delayed import Delayed
from dask.threaded import get as by_threads
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hpcsnn.errors import ConfigurationError

_CONNECT_S = 10


def compute(tasks: Sequence[Delayed], scheduler: str | None, console: Console, doing: str) -> list[Any]:
    """Results of `tasks`, in order.

    Args:
        scheduler: address of a Dask scheduler (``tcp://host:8786``) whose workers see the same files; None: the threads
            of this process.
        console, doing: where progress is shown, and of what.

    Raises:
        ConfigurationError: no scheduler at that address.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(doing, total=None)
        if scheduler is not None:
            return _on_cluster(tasks, scheduler, progress, bar)
        with Callback(
            start_state=lambda graph, _: progress.update(bar, total=len(graph)),
            posttask=lambda *_: progress.advance(bar),
        ):
            # Asked for by name, Dask would load its clusters to see whether there is one.
            return list(compute_here(*tasks, scheduler=by_threads))


def _on_cluster(tasks: Sequence[Delayed], scheduler: str, progress: Progress, bar: Any) -> list[Any]:
    from distributed import Client, as_completed  # takes a second that only this path needs

    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"--scheduler: {scheduler!r}: no Dask scheduler answers there ({error}); start one with `dask scheduler` "
            "and workers with `dask worker ADDRESS` on machines that see the run directory"
        ) from None
    with client:
        futures = client.compute(list(tasks))
        progress.update(bar, total=len(futures))
        for _ in as_completed(futures, loop=client.loop):
            progress.advance(bar)
        return list(client.gather(futures))
