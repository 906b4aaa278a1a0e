"""What hpcsnn dry-run shows in a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from hpcsnn.planning.memory import shown_bytes
from hpcsnn.terminal import terminal


def print_dry_run(found: dict[str, Any]) -> None:
    """What a rank would do, as `hpcsnn.planning.dry_run.DryRun` has it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        f"rank {found['rank']:,} of {found['ranks']:,}, {found['steps']:,} steps": "",
        "processor time of a step": f"{found['cpu_us_per_step']:.2f} us",
        "set-up": f"{found['setup_s']:.2f} s",
        "memory": shown_bytes(found["memory_bytes"]),
        "neurons": f"{found['neurons']:,}",
        "sources of other ranks": f"{found['known_sources']:,}",
        "synapses": f"{found['synapses']:,}",
        "neighbours": f"{found['neighbours']:,}",
        "messages sent in a step": f"{found['messages_sent_per_step']:.3g}",
        "bytes sent in a step": f"{found['bytes_sent_per_step']:.4g}",
        "spikes sent in a step": f"{found['spikes_sent_per_step']:.3g}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    phases = Table(box=None, pad_edge=False)
    phases.add_column("where the time of a step goes")
    phases.add_column("us", justify="right")
    for name, us in found["phases_us_per_step"].items():
        if us:
            phases.add_row(name.replace("_", ", "), f"{us:.2f}")
    console = terminal()
    console.print(table)
    console.print()
    console.print(phases)
    console.print("Without the time to wait for other ranks and to bring words to them.", style="dim")
