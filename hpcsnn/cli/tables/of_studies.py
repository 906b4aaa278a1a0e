"""What ``hpcsnn scale`` and ``check --suggest-ranks`` show in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hpcsnn.jobs.studies.report import Report
from hpcsnn.jobs.studies.tables import narrow, short
from hpcsnn.terminal import terminal


def print_report(report: Report, paths: Sequence[Path], console: Console) -> None:
    """The table of a study, what a reader needs beside it, and the files that it left."""
    console.print(report.heading(), highlight=False, soft_wrap=True)
    if report.runs:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
        headings, rows = narrow(report.points, report.model)
        for name in headings:
            table.add_column(name.replace(" ", "\n"), justify="right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for note in report.notes():
        console.print(f"- {note}", highlight=False, soft_wrap=True)
    for path in paths:
        console.print(str(path), highlight=False, soft_wrap=True)


def print_suggestion(found: dict[str, Any]) -> None:
    """How many ranks pay, by how much more and fewer would, and why; see `suggestion_of`."""
    console = terminal(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("ranks", "real-time factor", "step (µs)", "efficiency"):  # all of them predicted
        table.add_column(name, justify="right")
    table.add_column("")
    for one in found["candidates"]:
        chosen = "<- suggested" if one["ranks"] == found["suggested_ranks"] else ""
        cells = (short(one["real_time_factor"]), short(one["step_s"] * 1e6), f"{one['efficiency']:.2f}")
        table.add_row(f"{one['ranks']:,}", *cells, chosen)
    console.print(table)
    ranks = found["suggested_ranks"]
    console.print(
        f"{ranks:,} rank{'s' if ranks > 1 else ''} pay{'s' if ranks == 1 else ''}: {found['why']}", soft_wrap=True
    )
    console.print(f"predicted from {found['study']}: {found['tested']}", soft_wrap=True)
