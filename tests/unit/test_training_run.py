"""A training around the network: order, metrics, checkpoints, going on in mid-epoch; a stand-in does the learning."""

from __future__ import annotations

import json
import os
import signal
from inspect import signature

import numpy as np
import pytest

from hpcsnn.errors import ConfigurationError, DamageError, RunBusyError, StorageError
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_run import evaluate_training, resume_training, run_training, trainer_of
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.training_checkpoints import BEST, LAST, TrainingCheckpoints
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.order import epoch_order
from hpcsnn.training.trainer import Trainer
from support.small_trainings import small_training
from support.stand_in_trainer import StandInTrainer

QUIET = Setting(figures=False)
# Of 96 samples a quarter is held out; ten a batch.
BATCHES = 8


class KilledError(Exception):
    """What ends a training from within, without a word to it."""


def trained(folder, *overrides, name="run", after_batch=None, **changed):
    """The summary of a small training in ``folder/name``."""
    configuration = small_training(folder, *overrides, **changed)
    return run_training(
        configuration, folder / name, QUIET, make_trainer=lambda *of: StandInTrainer(*of, after_batch=after_batch)
    )


def resumed(run, **options):
    return resume_training(run, QUIET, make_trainer=StandInTrainer, **options)


def interrupted_after(folder, batches, number=signal.SIGTERM, **changed):
    """A training that was sent a signal within a batch; its summary."""
    return trained(
        folder, name="cut", after_batch=lambda n: os.kill(os.getpid(), number) if n == batches else None, **changed
    )


def without_clocks(run):
    return [{**line, "samples_per_s": None} for line in read_metrics(run / "metrics.jsonl")]


def same(one, other):
    """Whether two summaries say the same, but for time."""
    of_time = ("date", "seconds_per_sample", "wall_s", "resumed_from_batch")
    return {k: v for k, v in one.items() if k not in of_time} == {k: v for k, v in other.items() if k not in of_time}


@pytest.mark.parametrize(("key", "value"), [("batch", 7), ("window_steps", 3), ("carry_state", True)])
def test_what_a_trainer_takes_comes_from_the_configuration(key, value, tmp_path, monkeypatch):
    """Each keyword that a configuration has a key for is handed on; none is its default here."""
    given = {}
    alike = TrainingConfiguration.model_fields.keys() & signature(Trainer).parameters.keys()
    monkeypatch.setattr("hpcsnn.training.trainer.Trainer", lambda *_, **keywords: given.update(keywords))
    trainer_of(small_training(tmp_path, f"{key}={str(value).lower()}"), 10, QUIET)
    assert given[key] == value
    assert set(given) >= alike - {"readout"}


def test_the_order_of_an_epoch_is_a_permutation_that_seed_and_epoch_fix():
    orders = [tuple(epoch_order(seed, epoch, 50)) for seed in (1, 2**64 - 1) for epoch in (1, 2)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] == tuple(epoch_order(1, 1, 50))
    assert epoch_order(3, 1, 8).tolist() == [5, 3, 6, 7, 0, 4, 1, 2], "in every version of NumPy"


def test_what_a_training_leaves(tmp_path):
    summary = trained(tmp_path)
    run = tmp_path / "run"
    assert json.loads((run / "summary.json").read_text()) == summary
    assert (summary["epochs"], summary["batches"], summary["completed"]) == (3, 3 * BATCHES, True)
    assert summary["synapses"] == {"input_to_hidden": 16, "hidden_to_output": 4}
    moved = sum(batch % 7 for batch in range(1, 3 * BATCHES + 1))
    assert summary["rewired"] == {"input_to_hidden": moved, "hidden_to_output": moved}
    assert summary["projections"]["input_to_hidden"]["connectivity"] == 16 / 48
    assert 0 < summary["seconds_per_sample"] < 1
    lines = read_metrics(run / "metrics.jsonl")
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["validation_accuracy"] for line in epochs].index(summary["best_validation_accuracy"]) + 1 == (
        summary["best_epoch"]
    )
    groups = [line for line in lines if line["kind"] == "batches"]
    assert [line["batch"] for line in groups] == 3 * list(range(1, BATCHES + 1))
    assert [line["samples"] for line in groups[:BATCHES]] == [*(7 * [10]), 2]
    of_first = [(line["loss"], line["samples"]) for line in groups[:BATCHES]]
    assert epochs[0]["loss"] == pytest.approx(sum(loss * n for loss, n in of_first) / 72)
    assert epochs[0]["learning_rate"] == 0.01
    answers = json.loads((run / "evaluation.json").read_text())
    assert np.mean(np.array(answers["labels"]) == np.array(answers["predictions"])) == summary["test_accuracy"]
    progress = json.loads((run / "progress.json").read_text())
    assert (progress["done"], progress["left_s"], progress["epoch"], progress["batch"]) == (1.0, 0.0, 3, BATCHES)


def test_metrics_have_the_learning_rate_of_their_last_batch(tmp_path):
    """It halves behind each epoch, of 8 batches."""
    course = {"learning_rate": 0.01, "schedule": "step", "decay_epochs": 1, "decay_to": 0.5}
    trained(tmp_path, optimiser={"adam": course})
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert {(line["epoch"], line["learning_rate"]) for line in lines} == {(1, 0.01), (2, 0.005), (3, 0.0025)}


def test_lines_of_metrics_stay_few_where_batches_are_many(tmp_path):
    trained(tmp_path, batch=1, epochs=1, data={"delayed_xor": {"train_samples": 400, "test_samples": 4}})
    groups = [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "batches"]
    assert {line["batches"] for line in groups} == {6}
    assert sum(line["samples"] for line in groups) == 300


@pytest.mark.parametrize("batches", [1, 5, BATCHES, 2 * BATCHES + 3])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, batches):
    straight = trained(tmp_path)
    stopped = interrupted_after(tmp_path, batches)
    assert (stopped["completed"], stopped["stopped_by"], stopped["batches"]) == (False, "SIGTERM", batches)
    assert stopped["test_accuracy"] is None
    again = resumed(tmp_path / "cut")
    assert again["resumed_from_batch"] == batches
    assert same(again, straight)
    assert without_clocks(tmp_path / "cut") == without_clocks(tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_other_signals_stop_it_too(tmp_path, number):
    assert interrupted_after(tmp_path, 3, number)["stopped_by"] == signal.Signals(number).name


@pytest.mark.parametrize("batches", [BATCHES + 1, 2 * BATCHES - 1])
def test_a_training_that_was_killed_goes_on_from_its_last_epoch(tmp_path, batches):
    """Its metrics run on behind the checkpoint; what is beyond it is written again."""

    def kill(n):
        if n == batches:
            raise KilledError

    straight = trained(tmp_path)
    with pytest.raises(KilledError):
        trained(tmp_path, name="cut", after_batch=kill)
    assert not (tmp_path / "cut" / "summary.json").exists()
    again = resumed(tmp_path / "cut")
    assert again["resumed_from_batch"] == BATCHES
    assert same(again, straight)
    assert without_clocks(tmp_path / "cut") == without_clocks(tmp_path / "run")


def test_checkpoints_within_epochs_come_by_the_clock(tmp_path):
    def kill(n):
        if n == BATCHES + 3:
            raise KilledError

    straight = trained(tmp_path)
    with pytest.raises(KilledError):
        trained(tmp_path, "checkpoint_every=0.001ms-wall", name="cut", after_batch=kill)
    again = resumed(tmp_path / "cut")
    assert again["resumed_from_batch"] == BATCHES + 2
    assert same(again, straight)


def test_more_epochs_go_on_from_the_end(tmp_path):
    longer = trained(tmp_path, epochs=4)
    trained(tmp_path, name="cut")
    assert resumed(tmp_path / "cut")["nothing_to_do"]
    more = resumed(tmp_path / "cut", epochs=4)
    assert same(more, longer)
    with pytest.raises(ConfigurationError, match="epochs: 2 is not allowed; 4 are done: give at least as many"):
        resumed(tmp_path / "cut", epochs=2)


def test_the_best_and_the_last_network_are_kept_and_no_other(tmp_path):
    summary = trained(tmp_path)
    assert 1 <= summary["best_epoch"] < 3, "else this test says nothing"
    run = tmp_path / "run"
    last = evaluate_training(run, QUIET, LAST, make_trainer=StandInTrainer)
    best = evaluate_training(run, QUIET, BEST, make_trainer=StandInTrainer)
    assert (last["digest"], last["accuracy"]) == (summary["digest"], summary["test_accuracy"])
    assert best["batches"] == BATCHES * summary["best_epoch"]
    assert best["digest"] != last["digest"]
    assert len(list((run / "checkpoints").glob("*.zarr*"))) == 2


def test_without_validation_the_last_network_is_the_best(tmp_path):
    summary = trained(tmp_path, validation=0)
    assert (summary["best_validation_accuracy"], summary["best_epoch"]) == (None, 3)
    best = evaluate_training(tmp_path / "run", QUIET, BEST, make_trainer=StandInTrainer)
    assert best["digest"] == summary["digest"]


def test_a_changed_configuration_is_refused(tmp_path):
    interrupted_after(tmp_path, 3)
    path = tmp_path / "cut" / "config.yaml"
    path.write_text(path.read_text().replace("batch: 10\n", "batch: 12\n"))
    with pytest.raises(
        ConfigurationError, match=r"^batch: 10 in the checkpoint, 12 in .*; a resumed training may change"
    ):
        resumed(tmp_path / "cut")


def test_windows_may_change(tmp_path):
    """They change no bit."""
    straight = trained(tmp_path)
    interrupted_after(tmp_path, 3)
    path = tmp_path / "cut" / "config.yaml"
    path.write_text(path.read_text().replace("window_steps: null\n", "window_steps: 4\n"))
    assert resumed(tmp_path / "cut")["digest"] == straight["digest"]


def test_damage_is_told(tmp_path):
    interrupted_after(tmp_path, 3)
    group = TrainingCheckpoints(tmp_path / "cut").read(LAST).path
    whole = group.read_bytes()
    for damaged in (whole[:-1] + b"!", whole[:-1], b""):
        group.write_bytes(damaged)
        with pytest.raises(DamageError, match=rf"{group.name}: is not as it was written"):
            resumed(tmp_path / "cut")
    group.unlink()
    with pytest.raises(DamageError, match=rf"{group.name}: cannot be read: No such file or directory"):
        resumed(tmp_path / "cut")


def test_metrics_that_were_cut_are_told(tmp_path):
    interrupted_after(tmp_path, 3)
    (tmp_path / "cut" / "metrics.jsonl").write_text("")
    with pytest.raises(StorageError, match=r"metrics\.jsonl: has 0 bytes, and had \d+ when the last checkpoint"):
        resumed(tmp_path / "cut")


def test_a_run_without_a_checkpoint_says_so(tmp_path):
    def kill(_):
        raise KilledError

    with pytest.raises(KilledError):
        trained(tmp_path, name="cut", after_batch=kill)
    with pytest.raises(StorageError, match="no last checkpoint of a training here"):
        resumed(tmp_path / "cut")


def test_one_job_writes_at_a_time(tmp_path):
    interrupted_after(tmp_path, 3)
    with RunDirectory(tmp_path / "cut").lock(), pytest.raises(RunBusyError):
        resumed(tmp_path / "cut")


def test_a_run_that_is_there_is_kept_unless_it_is_to_be_replaced(tmp_path):
    trained(tmp_path)
    with pytest.raises(StorageError, match="holds a run already"):
        trained(tmp_path)
    configuration = small_training(tmp_path, epochs=1)
    summary = run_training(configuration, tmp_path / "run", QUIET, True, make_trainer=StandInTrainer)
    assert summary["epochs"] == 1
    assert len(read_metrics(tmp_path / "run" / "metrics.jsonl")) == BATCHES + 1


def test_a_checkpoint_of_as_many_batches_never_takes_the_others_place(tmp_path):
    """One within an epoch and one at its end: a kill between two renames leaves one of them whole."""
    checkpoints = TrainingCheckpoints(tmp_path)
    for epoch in (1, 2):
        partial = checkpoints.begin(8)
        partial.write_text(str(epoch))
        checkpoints.commit(partial, {"epoch": epoch}, {}, best=epoch == 1)
    last, best = checkpoints.read(LAST), checkpoints.read(BEST)
    assert (last.position["epoch"], last.path.read_text()) == (2, "2")
    assert (best.position["epoch"], best.path.read_text()) == (1, "1")
    left = checkpoints.begin(9)
    left.write_text("")
    assert checkpoints.begin(9) == left
    assert not left.exists()


# With this rate the small training gets no better after its second epoch or so.
PATIENT = {"epochs": 30, "patience": 2}


def test_a_training_ends_early_once_it_gets_no_better(tmp_path):
    summary = trained(tmp_path, **PATIENT)
    epochs = [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "epoch"]
    accuracies = [line["validation_accuracy"] for line in epochs]
    best = max(accuracies)
    assert summary["best_epoch"] == accuracies.index(best) + 1
    assert summary["epochs"] == len(epochs) == summary["best_epoch"] + 2 < 30
    assert (summary["completed"], summary["ended_early"]) == (True, True)
    assert summary["test_accuracy"] is not None
    progress = json.loads((tmp_path / "run" / "progress.json").read_text())
    assert (progress["done"], progress["epochs"], progress["left_s"]) == (1.0, len(epochs), 0.0)
    assert resumed(tmp_path / "run")["nothing_to_do"]
    assert resumed(tmp_path / "run", epochs=40)["nothing_to_do"], "patience goes on, and not more epochs"
    assert not trained(tmp_path, name="whole")["ended_early"]


def test_an_early_end_is_the_same_after_a_stop(tmp_path):
    straight = trained(tmp_path, **PATIENT)
    batches = straight["batches"] - BATCHES + 3
    stopped = interrupted_after(tmp_path, batches, **PATIENT)
    assert stopped["completed"] is False
    again = resumed(tmp_path / "cut")
    assert (again["resumed_from_batch"], again["ended_early"]) == (batches, True)
    assert same(again, straight)
    assert without_clocks(tmp_path / "cut") == without_clocks(tmp_path / "run")


def test_more_patience_goes_on(tmp_path):
    longer = trained(tmp_path, epochs=30, patience=3)
    trained(tmp_path, name="cut", **PATIENT)
    path = tmp_path / "cut" / "config.yaml"
    path.write_text(path.read_text().replace("patience: 2\n", "patience: 3\n"))
    assert same(resumed(tmp_path / "cut"), longer)


def test_patience_needs_samples_that_are_held_out(tmp_path):
    with pytest.raises(ConfigurationError, match="patience: 2 is not allowed without validation; it counts epochs by"):
        small_training(tmp_path, patience=2, validation=0)
    with pytest.raises(ConfigurationError, match="patience: 0 is not allowed; must be a whole number >= 1"):
        small_training(tmp_path, patience=0)
