"""What the commands show of a training in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from hpcsnn.engine.learning.groups import check_even, tile_side
from hpcsnn.engine.learning.replicas import bytes_of_replica
from hpcsnn.network import Network
from hpcsnn.network.learning_fields import carried_bytes, played_bytes
from hpcsnn.planning.memory import RankSize, estimate, shown_bytes
from hpcsnn.runs.progress import clock
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.training_checkpoints import BEST, LAST, TrainingCheckpoints
from hpcsnn.terminal import terminal
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.trainer import samples_at_hand

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


def print_training_sizes(configuration: TrainingConfiguration, ranks: int) -> None:
    """What a training will need: neurons, expected synapses and memory; its data are not read."""
    console, network = terminal(), configuration.planned_network()
    sharing = check_even(configuration.ranks_per_network, ranks)
    # Every group of ranks has the whole network, and its share of a batch.
    sizes = [estimate(network, tile_side(network, sharing), rank, sharing) for rank in range(sharing)]
    steps = configuration.sample_steps
    long = f"samples of {steps:,} steps" if steps else "samples as long as its files say"
    what = (configuration.description or "training").rstrip(".")
    _print_line(
        console,
        f"{what}: seed {network.seed}, steps of {network.dt_ms:g} ms, data "
        f"{configuration.data_set.name}, {long}, {configuration.epochs} epochs in batches of {configuration.batch}",
    )
    _print_network(console, network, sizes)
    _print_memory(console, configuration, network, sizes, ranks)


def _print_line(console: Console, words: str) -> None:
    console.print(words, highlight=False, soft_wrap=True)


def _print_network(console: Console, network: Network, sizes: list[RankSize]) -> None:
    """Its populations and projections; `sizes` are those of the ranks that share it."""
    populations = Table("population", "neurons", "model", **_PLAIN)
    for name, population in network.populations.items():
        populations.add_row(name, f"{population.size:,}", population.model.name)
    console.print(populations)
    projections = Table("projection", "from", "to", "synapses", "of the pairs", "rewiring", **_PLAIN)
    for name, projection in network.projections.items():
        n, possible = sum(one.synapses[name] for one in sizes), projection.source.size * projection.target.size
        ends = (projection.source.name, projection.target.name)
        rule = projection.rewiring.name if projection.rewiring else "-"
        projections.add_row(name, *ends, f"{n:,}", f"{n / possible:.3g}", rule)
    console.print(projections)


def _print_memory(
    console: Console, configuration: TrainingConfiguration, network: Network, sizes: list[RankSize], ranks: int
) -> None:
    """Of the fullest rank by what it holds, and of all."""
    learning, sharing = network.learning, len(sizes)
    assert learning is not None
    size = max(sizes, key=lambda one: one.n_bytes)
    kept = f"in windows of {learning.window_steps:,} steps" if learning.windowed else "of one sample"
    at_hand = samples_at_hand(learning.sample_steps)
    played, n_groups = played_bytes(network, at_hand), ranks // sharing
    share = -(-configuration.batch // n_groups)
    # Those of training, and while there is an evaluation its own.
    carried = {"state of the places in a batch": 2 * carried_bytes(network, share)} if learning.carries_state else {}
    memory = {
        "neurons, spikes and input": size.n_bytes - size.wiring - size.learning,
        "synapses, with what the optimiser keeps": size.wiring,
        f"what training keeps {kept}, and gradients": size.learning,
        **carried,
        f"up to {at_hand} samples at hand, and 4 bytes a spike": played,
    }
    whose = "memory of a rank" if sharing == 1 else f"memory of the fullest of {sharing} ranks that share a network"
    table = Table(whose, "arrays", **_PLAIN)
    for what, n_bytes in memory.items():
        table.add_row(what, shown_bytes(n_bytes))
    console.print(table)
    in_all = n_groups * sum(one.n_bytes for one in sizes) + ranks * (played + sum(carried.values()))
    planned = "" if configuration.sample_steps else f", planned for {learning.sample_steps:,} steps"
    who, plays = f"{ranks} rank{'s' if ranks > 1 else ''}", "which a CPU core plays"
    on_gpu = f"; a GPU plays as many at a time as fit, with {shown_bytes(bytes_of_replica(network))} for each"
    grows = "memory does not grow with the batch"
    if learning.carries_state:
        grows, on_gpu = "memory grows with the batch by the state alone that is carried on", ""
    if sharing > 1:
        who, plays, on_gpu = f"{n_groups} group{'s' if n_groups > 1 else ''} of {sharing} ranks", "which are played", ""
    _print_line(
        console,
        f"{who} with {share} samples of a batch or fewer each, {plays} one after the other: {grows}; "
        f"about {shown_bytes(sum(memory.values()))} of arrays on each{planned}, {shown_bytes(in_all)} in all (beside "
        f"150 MB for each Python process, and the data: 8 bytes a spike){on_gpu}",
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


def print_trained(run: Path) -> None:
    """What the run directory of a training holds.

    Raises:
        StorageError: no run there.
    """
    directory = RunDirectory(run)
    directory.check_run()
    console = terminal()
    state = "unfinished (no summary)"
    if directory.summary.is_file():
        summary = directory.read_summary()
        state = f"stopped by {summary.get('stopped_by')} after {summary.get('epochs')} epochs"
        if summary.get("completed"):
            state = f"completed, {summary.get('epochs')} epochs, {_accuracies(summary)}"
    _print_line(console, f"{run}: a training, {state}")
    checkpoints = TrainingCheckpoints(run)
    table = Table("checkpoint", "epoch", "batches", "validation", "size", **_PLAIN)
    for role in (LAST, BEST):
        if not checkpoints.has(role):
            continue
        found = checkpoints.read(role)
        position = found.position
        best, of_loss = position["best_accuracy"], position.get("best_loss")
        shown = f"{best:.2%}" if best is not None else f"{of_loss:.4g}" if of_loss is not None else None
        best = f"best {shown} after epoch {position['best_epoch']}" if shown else "-"
        done = f"{position['epoch'] - 1} done" + (f" and {position['batch']} batches" if position["batch"] else "")
        table.add_row(role, done, f"{position['in_all']['batches']:,}", best, shown_bytes(found.path.stat().st_size))
    console.print(table)
