"""One training from configuration to run directory, and its resumption: ``hpcsnn train`` and ``resume``, on every rank.

It stands in `runs` and not in `training`: what it shares with a simulation's run (setting, stop signals, clock, who
writes) is here, and `training` stays a library that knows no run directory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hpcsnn.devices import HostDevice, choose_device
from hpcsnn.devices.base import Device
from hpcsnn.engine.learning.groups import check_even, tile_side
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.learning.optimisers import learning_rate
from hpcsnn.phases import doing
from hpcsnn.planning.available_memory import check_memory
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.runs.experiment import Setting, lock_for_all, say_why_no_gpu
from hpcsnn.runs.progress import name_phases, phases_written
from hpcsnn.runs.resuming import differences
from hpcsnn.runs.stopping import StopSignals
from hpcsnn.runs.training_metrics import Metrics
from hpcsnn.runs.training_position import Position, Tally
from hpcsnn.runs.training_progress import TrainingProgress
from hpcsnn.runs.training_results import TrainingResults, evaluated
from hpcsnn.storage.leftovers import remove_leftovers
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.training_checkpoints import BEST, LAST, TrainingCheckpoints
from hpcsnn.training.configuration import TrainingConfiguration, data_at, load_training, parse_training
from hpcsnn.training.data.data_set import LoadedData
from hpcsnn.training.interface import AnyTrainer, Evaluation, ReadOutBySamples
from hpcsnn.training.order import epoch_order
from hpcsnn.training.teacher import read_teacher

# What a resumed training may have otherwise than the one that wrote the checkpoint.
MAY_CHANGE = (
    "description",
    "epochs",
    "patience",
    "window_steps",
    "checkpoint_every",
    "data_folder",
    "tensorboard",
    "ranks_per_network",
)
# Lines of metrics an epoch, but for the one of the epoch as a whole.
_LINES = 50

MakeTrainer = Callable[[TrainingConfiguration, int, Setting], AnyTrainer]


def trainer_of(configuration: TrainingConfiguration, n_steps: int, setting: Setting) -> AnyTrainer:
    """The trainer of a configuration's network, for samples of so many steps, on these ranks; a collective call."""
    device = choose_device(setting.device, setting.ranks)
    setting.say(f"each rank on {device.name}" if setting.ranks.size > 1 else f"on {device.name}")
    say_why_no_gpu(device, setting)
    chosen = configuration.models
    if "unsupervised" in chosen:
        return _unsupervised_trainer(configuration, n_steps, setting, device)
    # All that compiles kernels, which a message about data need not wait for.
    from hpcsnn.training.trainer import Trainer

    if isinstance(device, HostDevice):  # a GPU's memory is its own
        network, sharing = configuration.learning_network(n_steps), configuration.ranks_per_network
        check_memory(network, tile_side(network, check_even(sharing, setting.ranks.size)), setting.ranks, sharing)
    return Trainer(
        configuration.network(),
        configuration.readout,
        n_steps,
        loss=chosen["loss"],
        optimiser=chosen["optimiser"],
        learning=chosen["learning"],
        batch=configuration.batch,
        comm=setting.ranks,
        device=device,
        ranks_per_network=configuration.ranks_per_network,
        window_steps=configuration.window_steps,
        carry_state=configuration.carry_state,
        teacher=None if configuration.teacher is None else read_teacher(Path(configuration.teacher)),
    )


def _unsupervised_trainer(
    configuration: TrainingConfiguration, n_steps: int, setting: Setting, device: Device
) -> AnyTrainer:
    from hpcsnn.training.unsupervised.layer_network import TILE
    from hpcsnn.training.unsupervised.trainer import UnsupervisedTrainer

    if isinstance(device, HostDevice):
        check_memory(configuration.learning_network(n_steps), TILE, setting.ranks, setting.ranks.size)
    rule, readout = configuration.models["unsupervised"], configuration.readout
    network, batch = configuration.network(), configuration.batch
    return UnsupervisedTrainer(network, readout, rule, batch=batch, comm=setting.ranks, device=device)


def _prepared(
    configuration: TrainingConfiguration, setting: Setting, make_trainer: MakeTrainer
) -> tuple[LoadedData, AnyTrainer]:
    with configuration.places.told():
        data = configuration.load_data()
        trainer = make_trainer(configuration, data.train.n_steps, setting)
        if isinstance(trainer, ReadOutBySamples):
            trainer.read_out_by(data.train.split(configuration.validation, configuration.seed)[0])
        return data, trainer


def run_training(
    configuration: TrainingConfiguration,
    out: Path,
    setting: Setting,
    overwrite: bool = False,
    make_trainer: MakeTrainer = trainer_of,
) -> dict[str, Any]:
    """Train to the configured end and leave a run directory; a collective call.

    Returns:
        The summary, as in ``summary.json``, on every rank.

    Raises:
        HpcsnnError: configuration, data, device or storage errors.
    """
    directory = RunDirectory(out)
    with ExitStack() as stack:
        stack.enter_context(name_phases(setting.console))
        on_first_rank(setting.ranks, lambda: directory.check_free(overwrite))
        data, trainer = _prepared(configuration, setting, make_trainer)
        if configuration.records:
            setting.say(f"nothing is recorded while it trains; of the trained network: hpcsnn run --from {out}")
        # Only now, so that what cannot run leaves no folder.
        lock_for_all(stack, directory, setting)
        on_first_rank(setting.ranks, lambda: directory.clear(overwrite))
        stack.enter_context(phases_written(directory, quiet=setting.ranks.rank != 0))
        on_first_rank(setting.ranks, lambda: directory.write_configuration(configuration))
        return _Training(configuration, data, trainer, directory, setting, Position()).carry_out()


def resume_training(
    run: Path,
    setting: Setting,
    epochs: int | None = None,
    trust: bool = False,
    data_folder: Path | None = None,
    make_trainer: MakeTrainer = trainer_of,
) -> dict[str, Any]:
    """Go on from a training's last checkpoint, on whatever ranks and device there are now; a collective call.

    Args:
        epochs: new number of them; None: as configured.
        trust: as of `load_training`.
        data_folder: where the data's files are now; None: as configured.

    Returns:
        The summary, on every rank; of a training that is at its end as it is there, with ``nothing_to_do``.

    Raises:
        HpcsnnError: nothing to go on from, a change of the configuration that is not allowed, and all that
            `run_training` raises.
    """
    directory = RunDirectory(run)
    with ExitStack() as stack:
        stack.enter_context(name_phases(setting.console))
        on_first_rank(setting.ranks, directory.check_run)
        lock_for_all(stack, directory, setting)
        overrides = [*data_at(data_folder), *([] if epochs is None else [f"epochs={epochs}"])]
        configuration = load_training(directory.configuration, overrides, trust=trust, of_run=True)
        checkpoint = on_first_rank(setting.ranks, lambda: TrainingCheckpoints(run).read(LAST))
        _check_unchanged(checkpoint.configuration, configuration, directory)
        position = Position.of_plain(checkpoint.position)
        if position.epoch > configuration.epochs + 1:
            raise ConfigurationError(
                f"epochs: {configuration.epochs} is not allowed; {position.epoch - 1} are done: give at least as many"
            )
        if _is_over(position, configuration) and directory.summary.is_file():
            summary = on_first_rank(setting.ranks, directory.read_summary)
            if summary.get("completed") and summary.get("epochs") == position.epoch - 1:
                early = position.epoch <= configuration.epochs
                goes_on = f"more patience in {directory.configuration}" if early else "--epochs"
                setting.say(f"{run}: complete after {position.epoch - 1} epochs: nothing to do; {goes_on} goes on")
                return {**summary, "nothing_to_do": True}
        stack.enter_context(phases_written(directory, quiet=setting.ranks.rank != 0))
        data, trainer = _prepared(configuration, setting, make_trainer)
        trainer.restore(checkpoint.path)
        on_first_rank(setting.ranks, lambda: remove_leftovers(directory.path))
        on_first_rank(setting.ranks, lambda: directory.write_configuration(configuration))
        return _Training(configuration, data, trainer, directory, setting, position).carry_out()


def _is_over(position: Position, configuration: TrainingConfiguration) -> bool:
    """Whether all epochs are done, or as many as there is patience for went by without getting better."""
    if position.epoch > configuration.epochs:
        return True
    waited = position.epoch - 1 - (position.best_epoch or 0)
    return configuration.patience is not None and position.batch == 0 and waited >= configuration.patience


def _check_unchanged(before: dict[str, Any], now: TrainingConfiguration, directory: RunDirectory) -> None:
    changed = differences(parse_training(before, directory.path).resolved(), now.resolved(), MAY_CHANGE)
    if changed:
        where, was, is_now = changed[0]
        raise ConfigurationError(
            f"{where}: {was!r} in the checkpoint, {is_now!r} in {directory.configuration}; a resumed training may "
            f"change only {', '.join(MAY_CHANGE)}, ranks and device: change it back, or start a new one"
        )


class _Training:
    """A training that is under way, on one rank."""

    def __init__(
        self,
        configuration: TrainingConfiguration,
        data: LoadedData,
        trainer: AnyTrainer,
        directory: RunDirectory,
        setting: Setting,
        position: Position,
    ) -> None:
        self._configuration, self._data, self._trainer = configuration, data, trainer
        self._directory, self._setting, self._position = directory, setting, position
        self._ranks = setting.ranks
        self._train, self._held_out = data.train.split(configuration.validation, configuration.seed)
        self._n_batches = -(-len(self._train) // configuration.batch)
        self._checkpoints = TrainingCheckpoints(directory.path)
        self._results = TrainingResults(configuration, data, trainer, directory, setting, position)
        self._ranks_s_before, self._own_s = position.ranks_s, 0.0

    def carry_out(self) -> dict[str, Any]:
        """Train, leave what it came to."""
        if not len(self._train):
            raise ConfigurationError(f"validation: {self._configuration.validation:g} leaves no sample to train on")
        self._results.announce(len(self._train), len(self._held_out))
        started = time.perf_counter()
        first_batch = self._position.in_all.batches
        with self._progress() as progress, self._metrics() as metrics:
            self._synapses = self._results.synapse_counts()
            stopped_by = self._epochs(progress, metrics)
            progress.update(self._position, self._synapses, self._results.possible, last=True)
            if stopped_by is not None:
                self._write_checkpoint(best=False)
        self._sum_seconds()
        wall_s = time.perf_counter() - started
        return self._results.leave(stopped_by, wall_s, first_batch)

    def _metrics(self) -> Metrics:
        return Metrics(self._directory, self._position, self._ranks, self._configuration.tensorboard)

    def _progress(self) -> TrainingProgress:
        console, epochs = self._setting.console, self._configuration.epochs
        return TrainingProgress(console, epochs, self._n_batches, self._directory, quiet=self._ranks.rank != 0)

    def _epochs(self, progress: TrainingProgress, metrics: Metrics) -> str | None:
        """All epochs that are left, or up to where all ranks agree to stop: then the signal's name."""
        position = self._position
        self._last_written = time.monotonic()
        with StopSignals(self._ranks) as signals:
            while not _is_over(position, self._configuration):
                order = epoch_order(self._configuration.seed, position.epoch, len(self._train))
                while position.batch < self._n_batches:
                    self._batch(order, metrics)
                    progress.update(position, self._synapses, self._results.possible)
                    stopped_by = signals.agreed()
                    if stopped_by is not None:
                        return stopped_by
                    if self._due():
                        self._write_checkpoint(best=False)
                evaluation, best = self._end_epoch(metrics)
                progress.update(position, self._synapses, self._results.possible, evaluation, epoch_ends=True)
                position.begin_epoch()
                self._write_checkpoint(best)
                stopped_by = signals.agreed()
                if stopped_by is not None and not _is_over(position, self._configuration):
                    return stopped_by
        progress.ends_after(position.epoch - 1)
        return None

    def _batch(self, order: Any, metrics: Metrics) -> None:
        """One batch, and a line of metrics if it is the last of its group."""
        position, size = self._position, self._configuration.batch
        samples = self._train.select(order[position.batch * size : (position.batch + 1) * size])
        started = time.perf_counter()
        result = self._trainer.train_batch(samples, self._n_batches)
        seconds = time.perf_counter() - started
        self._own_s += seconds
        position.add(result, seconds)
        group = max(1, self._n_batches // _LINES)
        if position.batch % group == 0 or position.batch == self._n_batches:
            self._synapses = self._results.synapse_counts()
            metrics.write({"kind": "batches", **self._where(), **position.in_group.described()})
            position.in_group = Tally()

    def _end_epoch(self, metrics: Metrics) -> tuple[Evaluation | None, bool]:
        """Validate, and whether it is the best so far. Without samples held out the last is the best."""
        position, evaluation, best = self._position, None, True
        line = {"kind": "epoch", **self._where(), **position.in_epoch.described()}
        if len(self._held_out):
            evaluation = self._trainer.evaluate(self._held_out)
            line |= {"validation_loss": float(evaluation.loss), "validation_accuracy": evaluation.accuracy}
            line |= {"hidden_hz": {name: float(rate) for name, rate in evaluation.hidden_hz.items()}}
            best = evaluation.is_better_than(position.best_accuracy, position.best_loss)
        if best:
            position.best_epoch = position.epoch
            position.best_accuracy = evaluation.accuracy if evaluation else None
            position.best_loss = evaluation.loss if evaluation else None
        metrics.write(line)
        return evaluation, best

    def _where(self) -> dict[str, Any]:
        position, configuration = self._position, self._configuration
        optimiser, batch = configuration.models.get("optimiser"), max(position.in_all.batches, 1)
        rate = None
        if optimiser is not None:
            rate = learning_rate(optimiser, configuration.dt_ms, batch, self._n_batches)
        return {"epoch": position.epoch, "batch": position.batch, "synapses": self._synapses, "learning_rate": rate}

    def _due(self) -> bool:
        """Whether it is time for a checkpoint within an epoch; a collective call."""
        every_s = self._configuration.checkpoint_every_s
        if every_s is None:
            return False
        return on_first_rank(self._ranks, lambda: time.monotonic() - self._last_written >= every_s)

    def _write_checkpoint(self, best: bool) -> None:
        """A collective call."""
        self._sum_seconds()
        position = self._position
        partial = on_first_rank(self._ranks, lambda: self._checkpoints.begin(position.in_all.batches))
        self._trainer.save(partial)
        plain, resolved = position.as_plain(), self._configuration.resolved()
        on_first_rank(self._ranks, lambda: self._checkpoints.commit(partial, plain, resolved, best))
        self._last_written = time.monotonic()

    def _sum_seconds(self) -> None:
        self._position.ranks_s = self._ranks_s_before + sum(self._ranks.gather(self._own_s))


def evaluate_training(
    run: Path,
    setting: Setting,
    role: str = BEST,
    trust: bool = False,
    data_folder: Path | None = None,
    make_trainer: MakeTrainer = trainer_of,
) -> dict[str, Any]:
    """What the best or the last network of a training answers to the test samples; a collective call.

    As many ranks share a network as did in the training, or the largest part of them that makes whole groups.

    Args:
        data_folder: where the data's files are now; None: as configured.

    Returns:
        As ``evaluation.json``, with the checkpoint's ``epoch``, ``batches`` and ``digest``.

    Raises:
        HpcsnnError: no training here, no such checkpoint, and all that `run_training` raises.
    """
    directory = RunDirectory(run)
    on_first_rank(setting.ranks, directory.check_run)
    configuration = load_training(directory.configuration, data_at(data_folder), trust=trust, of_run=True)
    checkpoint = on_first_rank(setting.ranks, lambda: TrainingCheckpoints(run).read(role))
    _check_unchanged(checkpoint.configuration, configuration, directory)
    sharing = math.gcd(configuration.ranks_per_network, setting.ranks.size)
    configuration = configuration.model_copy(update={"ranks_per_network": sharing})
    with name_phases(setting.console):
        data, trainer = _prepared(configuration, setting, make_trainer)
        trainer.restore(checkpoint.path)
        with doing("testing"):
            evaluation = evaluated(trainer.evaluate(data.test), configuration, data)
    position = Position.of_plain(checkpoint.position)
    return {"epoch": position.epoch, "batches": position.in_all.batches, "digest": trainer.digest(), **evaluation}
