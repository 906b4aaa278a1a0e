"""What the commands show in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from hpcsnn.errors import shown
from hpcsnn.planning.memory import shown_bytes
from hpcsnn.terminal import terminal

# How tables look, and which statistics of a projection the terminal shows.
_PLAIN: dict[str, Any] = {"box": None, "pad_edge": False}
# Parts of the time of an exchange of spikes.
_EXCHANGE = {"wait": "waiting for other ranks", "transfer": "transfer of spikes", "accept": "accepting them"}
_RECENT_S = 10.0  # of shorter runs the rate of the last 10 s is that of the run
_SHOWN = (
    "synapses",
    "in_degree_mean",
    "weight_mean",
    "sigma_aff",
    "sigma_aff_weighted",
    "formed",
    "eliminated",
    "refused",
)


def print_summary(folder: Path, summary: dict[str, Any]) -> None:
    """What a run gave: speed, digest, rates and the main statistics of each projection; warnings."""
    console = terminal()
    wall_per_model_s = summary["wall_per_model_s"]
    steps, before = summary["steps"], summary["resumed_from_step"]
    simulated_s = summary["model_s"] * (steps - before) / max(steps, 1)
    console.print(
        f"{simulated_s:g} s of model time in {summary['wall_s']:.2f} s"
        + (f" ({1 / wall_per_model_s:.3g} x real time)" if wall_per_model_s else "")
        + (f", to {summary['model_s']:g} s" if before else "")
        + f"; digest {summary['digest'][:16]}…; results in {folder}",
        highlight=False,
    )
    if not summary["completed"]:
        console.print(
            f"stopped by {summary['stopped_by']} at {summary['model_s']:g} s; go on with: hpcsnn resume {folder}",
            style="yellow",
            soft_wrap=True,
        )
    recent = summary["model_s"] > _RECENT_S
    rates = ("rate (Hz)", *(["last 10 s (Hz)"] if recent else []))
    populations = Table("population", "neurons", "spikes", *rates, "CV", **_PLAIN)
    for name, values in summary["populations"].items():
        rates = (f"{values['rate_hz']:.2f}", *([f"{values['rate_last_10s_hz']:.2f}"] if recent else []))
        cv, n_recorded = values.get("interval_cv"), values.get("interval_cv_neurons")
        whose = f" of {n_recorded:,}" if n_recorded and n_recorded < values["size"] else ""
        counts = (f"{values['size']:,}", f"{values['spikes']:,}")
        populations.add_row(name, *counts, *rates, "-" if cv is None else f"{cv:.2f}{whose}")
    console.print(populations)
    projections = Table("projection", *summary["projections"], **_PLAIN)
    for statistic in _SHOWN:
        projections.add_row(statistic, *(_short(values[statistic]) for values in summary["projections"].values()))
    console.print(projections)


def _short(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def print_sizes(sizes: dict[str, Any]) -> None:
    """What a configuration will need: neurons, expected synapses and memory per rank; see `sizes_of`."""
    console, ranks = terminal(), sizes["ranks"]
    console.print(
        f"{sizes['description'] or 'network'}: seed {sizes['seed']}, {sizes['steps']:,} steps of {sizes['dt_ms']:g} ms",
        highlight=False,
    )
    populations = Table("population", "grid", "neurons", "model", "a rank", "known", **_PLAIN)
    for name, of in sizes["populations"].items():
        most, known = (f"{of[key]:,}" for key in ("most_of_a_rank", "most_known_to_a_rank"))
        populations.add_row(name, " x ".join(map(str, of["grid"])), f"{of['neurons']:,}", of["model"], most, known)
    console.print(populations)
    columns = ("from", "to", "synapses", "in-degree", "delay (ms)", "input", "rewiring")
    projections = Table("projection", *columns, **_PLAIN)
    for name, of in sizes["projections"].items():
        delays_ms = " .. ".join(f"{delay_ms:g}" for delay_ms in of["delays_ms"])
        delays_ms += f" + {of['dendritic_delay_ms']:g} dendritic" if of["dendritic_delay_ms"] else ""
        numbers = (f"{of['synapses']:,.0f}", f"{of['in_degree']:.2f}", delays_ms, f"{of['input_bits']} bits")
        projections.add_row(name, of["source"], of["target"], *numbers, of["rewiring"] or "-")
    console.print(projections)
    for name, of in sizes["projections"].items():
        if not of["input_vectorised"]:
            console.print(
                f"note: projections.{name}: weights from {of['smallest_weight']:g} up to {of['largest_weight']:g} take "
                f"sums of input beyond 2^51 of their unit, which make the update of {of['target']} slow where the "
                "processor has no AVX-512",
                style="yellow",
                soft_wrap=True,
            )
    console.print(
        f"{ranks} rank{'s' if ranks > 1 else ''}, "
        f"spikes exchanged every {sizes['exchange_every_ms']:g} ms; "
        f"about {shown_bytes(sizes['bytes_of_largest_rank'])} of arrays on the largest rank, "
        f"{shown_bytes(sizes['bytes_in_all'])} in all (beside 150 MB for each Python process); "
        f"a checkpoint takes a copy of {shown_bytes(sizes['bytes_of_checkpoint_copy'])} on that rank",
        highlight=False,
    )


def print_checkpoints(held: dict[str, Any]) -> None:
    """What a run directory holds; see `holdings_of`."""
    console, state = terminal(), "unfinished (no summary)"
    if "unreadable" in held:
        state = "unfinished (no summary that can be read)"
    elif held["state"] != "unfinished":
        done = "completed" if held["state"] == "completed" else f"stopped by {held['stopped_by']}"
        state = f"{done} at {held['model_s']:g} s, {held['ranks']} ranks, digest {held['digest'][:16]}…"
    console.print(f"{held['run']}: {state}", highlight=False)
    if (shares := held.get("exchange_shares")) and held["imbalance"] is not None:
        parts = ", ".join(f"{100 * shares[part]:.3g} % {name}" for part, name in _EXCHANGE.items())
        console.print(f"busiest rank {held['imbalance']:.2f} x the mean; of the time {parts}", highlight=False)
    table = Table("checkpoint", "at (s)", "files", "size", "record segments", "configuration", **_PLAIN)
    for of in held["checkpoints"]:
        if "damage" in of:
            table.add_row(str(of["step"]), of["damage"])
            continue
        numbers = (str(of["files"]), shown_bytes(of["bytes"]), str(of["record_segments"]))
        table.add_row(str(of["step"]), f"{of['model_s']:g}", *numbers, of["configuration_sha256"][:8])
    console.print(table)
    for left in held["set_aside"]:
        console.print(f"set aside, since it could not be read: {left}", highlight=False, soft_wrap=True)


def print_comparison(found: dict[str, Any]) -> None:
    """A table of numbers, and one of what differs between the configurations; see `as_plain`."""
    console = terminal(highlight=False)
    console.print(f"A: {found['A']}", f"B: {found['B']}", sep="\n", soft_wrap=True)
    numbers = Table("", **_PLAIN)
    for heading in ("A", "B", "B - A", "%"):
        numbers.add_column(heading, justify="right", no_wrap=True)
    for name, of in found["numbers"].items():
        share = f"{100 * of['difference'] / abs(of['A']):+.3g}" if of["A"] and of["difference"] else ""
        numbers.add_row(name, *(_of_either(of[key]) for key in ("A", "B", "difference")), share)
    console.print(numbers)
    if not found["configuration"]:
        console.print("configurations: equal")
        return
    settings = Table("configuration", "A", "B", **_PLAIN)
    for place, of in found["configuration"].items():
        settings.add_row(place, *("-" if of[key] is None else shown(of[key]) for key in ("A", "B")))
    console.print(settings)


def _of_either(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
