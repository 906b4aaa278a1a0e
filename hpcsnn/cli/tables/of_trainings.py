"""What the commands show of a training in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from hpcsnn.planning.memory import shown_bytes
from hpcsnn.runs.progress import clock
from hpcsnn.terminal import terminal

_PLAIN: dict[str, Any] = {"box": None, "pad_edge": False}


def print_training(folder: Path, summary: dict[str, Any]) -> None:
    """What a training came to: accuracy, time, digest, and the synapses of each projection."""
    console = terminal()
    words = f"{summary['epochs']} epochs, {summary['batches']:,} batches in {clock(summary['wall_s'])}"
    if summary.get("ended_early"):
        words += f" (ended early: no better on validation since epoch {summary['best_epoch']})"
    words += f", {1e3 * summary['seconds_per_sample']:.3g} ms a sample"
    _print_line(console, f"{words}; digest {summary['digest'][:16]}…; results in {folder}")
    if not summary["completed"]:
        console.print(
            f"stopped by {summary['stopped_by']} after {summary['epochs']} epochs; go on with: hpcsnn resume {folder}",
            style="yellow",
            soft_wrap=True,
        )
    else:
        console.print(_accuracies(summary), style="bold", highlight=False, soft_wrap=True)
    table = Table("projection", "synapses", "of the pairs", "rewired", **_PLAIN)
    for name, values in summary["projections"].items():
        share = f"{values['connectivity']:.3g}"
        table.add_row(name, f"{values['synapses']:,}", share, f"{values['rewired']:,}")
    console.print(table)
    if summary["populations"]:
        rates = ", ".join(f"{name} {values['rate_hz']:.1f} Hz" for name, values in summary["populations"].items())
        _print_line(console, f"mean rates while tested: {rates}")


def _accuracies(summary: dict[str, Any]) -> str:
    if summary["test_accuracy"] is None:
        words = f"test loss {summary['test_loss']:.4g}"
        if summary["test_error"] is not None:
            words += f", {summary['test_error']:.2%} of the targets' squares"
        if summary["best_validation_loss"] is not None:
            words += f"; best on validation {summary['best_validation_loss']:.4g}, after epoch {summary['best_epoch']}"
        return words
    words = f"test accuracy {summary['test_accuracy']:.2%}"
    if summary["best_validation_accuracy"] is not None:
        words += f"; best on validation {summary['best_validation_accuracy']:.2%}, after epoch {summary['best_epoch']}"
    return words


def print_training_sizes(sizes: dict[str, Any]) -> None:
    """What a training will need; see `training_sizes_of`."""
    console, steps = terminal(), sizes["sample_steps"]
    long = f"samples of {steps:,} steps" if steps else "samples as long as its files say"
    what = (sizes["description"] or "training").rstrip(".")
    _print_line(
        console,
        f"{what}: seed {sizes['seed']}, steps of {sizes['dt_ms']:g} ms, data "
        f"{sizes['data']}, {long}, {sizes['epochs']} epochs in batches of {sizes['batch']}",
    )
    populations = Table("population", "neurons", "model", **_PLAIN)
    for name, of in sizes["populations"].items():
        populations.add_row(name, f"{of['neurons']:,}", of["model"])
    console.print(populations)
    projections = Table("projection", "from", "to", "synapses", "of the pairs", "rewiring", **_PLAIN)
    for name, of in sizes["projections"].items():
        numbers = (f"{of['synapses']:,}", f"{of['connectivity']:.3g}")
        projections.add_row(name, of["source"], of["target"], *numbers, of["rewiring"] or "-")
    console.print(projections)
    _print_memory(console, sizes)


def _print_line(console: Console, words: str) -> None:
    console.print(words, highlight=False, soft_wrap=True)


def _print_memory(console: Console, sizes: dict[str, Any]) -> None:
    """Of the fullest rank by what it holds, and of all."""
    sharing, ranks, carries = sizes["ranks_per_network"], sizes["ranks"], "carried" in sizes["bytes_of"]
    kept = f"in windows of {sizes['window_steps']:,} steps" if sizes["window_steps"] else "of one sample"
    words = {
        "neurons": "neurons, spikes and input",
        "synapses": "synapses, with what the optimiser keeps",
        "kept": f"what training keeps {kept}, and gradients",
        "carried": "state of the places in a batch",
        "hypercolumns": "probabilities and weights of hypercolumns, silent ones included, and a batch of samples",
        "played": f"up to {sizes['samples_at_hand']} samples at hand, and 4 bytes a spike",
    }
    whose = "memory of a rank" if sharing == 1 else f"memory of the fullest of {sharing} ranks that share a network"
    table = Table(whose, "arrays", **_PLAIN)
    for what, n_bytes in sizes["bytes_of"].items():
        table.add_row(words[what], shown_bytes(n_bytes))
    console.print(table)
    if "hypercolumns" in sizes["bytes_of"]:
        share = f"{ranks} ranks share" if ranks > 1 else "1 rank has"
        in_all = f"{shown_bytes(sizes['bytes_in_all'])} in all"
        beside = "beside 150 MB for each Python process, and the data: 8 bytes a spike"
        _print_line(console, f"{share} the hypercolumns, and each sees all samples; {in_all} ({beside})")
        return
    planned = "" if sizes["sample_steps"] else f", planned for {sizes['planned_sample_steps']:,} steps"
    who, plays = f"{ranks} rank{'s' if ranks > 1 else ''}", "which a CPU core plays"
    on_gpu = f"; a GPU plays as many at a time as fit, with {shown_bytes(sizes['bytes_of_replica'])} for each"
    grows = "memory does not grow with the batch"
    if carries:
        grows, on_gpu = "memory grows with the batch by the state alone that is carried on", ""
    if sharing > 1:
        n_groups = ranks // sharing
        who, plays, on_gpu = f"{n_groups} group{'s' if n_groups > 1 else ''} of {sharing} ranks", "which are played", ""
    _print_line(
        console,
        f"{who} with {sizes['most_samples_of_a_rank']} samples of a batch or fewer each, {plays} one after the other: "
        f"{grows}; about {shown_bytes(sizes['bytes_of_fullest_rank'])} of arrays on each{planned}, "
        f"{shown_bytes(sizes['bytes_in_all'])} in all (beside 150 MB for each Python process, and the data: 8 bytes a "
        f"spike){on_gpu}",
    )


def print_evaluation(run: Path, role: str, evaluation: dict[str, Any]) -> None:
    """How good a network is, class by class."""
    console = terminal()
    labels, predictions = (np.array(evaluation[key], dtype=np.int64) for key in ("labels", "predictions"))
    names, accuracy, error = evaluation["class_names"], evaluation["accuracy"], evaluation["error"]
    words = "" if accuracy is None else f"accuracy {accuracy:.2%} of {len(labels):,} test samples, "
    words += f"loss {evaluation['loss']:.4g}"
    words += "" if error is None else f", {error:.2%} of the targets' squares"
    words += "" if accuracy is not None else f", of {evaluation['n_samples']:,} test samples"
    _print_line(
        console,
        f"{run}, {role} checkpoint (after {evaluation['batches']:,} batches, digest {evaluation['digest'][:16]}…): "
        f"{words}",
    )
    if accuracy is None:
        return
    table = Table("class", "samples", "right", "most often taken for", **_PLAIN)
    for label, name in enumerate(names):
        taken = np.bincount(predictions[labels == label], minlength=len(names))
        n, right = int(taken.sum()), int(taken[label])
        taken[label] = 0
        other = f"{names[int(taken.argmax())]} ({taken.max() / n:.0%})" if taken.any() else "-"
        table.add_row(str(name), f"{n:,}", f"{right / n:.1%}" if n else "-", other)
    console.print(table)


def print_trained(held: dict[str, Any]) -> None:
    """What the run directory of a training holds; see `training_holdings_of`."""
    console = terminal()
    state = "unfinished (no summary)"
    if held["state"] != "unfinished":
        state = f"stopped by {held.get('stopped_by')} after {held.get('epochs')} epochs"
    if held["state"] == "completed":
        state = f"completed, {held.get('epochs')} epochs, {_accuracies(held)}"
    _print_line(console, f"{held['run']}: a training, {state}")
    table = Table("checkpoint", "epoch", "batches", "validation", "size", **_PLAIN)
    for role, of in held["checkpoints"].items():
        best, of_loss = of["best_validation_accuracy"], of["best_validation_loss"]
        shown = f"{best:.2%}" if best is not None else f"{of_loss:.4g}" if of_loss is not None else None
        best = f"best {shown} after epoch {of['best_epoch']}" if shown else "-"
        done = f"{of['epochs_done']} done" + (f" and {of['batch']} batches" if of["batch"] else "")
        table.add_row(role, done, f"{of['batches']:,}", best, shown_bytes(of["bytes"]))
    console.print(table)
