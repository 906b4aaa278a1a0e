"""Metrics for TensorBoard: the curves of a line, event files, and what is said without the package that writes them."""

from __future__ import annotations

import importlib.util
import struct

import pytest

from hpcsnn.errors import ConfigurationError
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_run import run_training
from hpcsnn.training.tensorboard import curves
from support.small_trainings import small_training
from support.stand_in_trainer import StandInTrainer


def test_a_line_is_as_many_curves_as_it_has_numbers():
    line = {
        "kind": "epoch", "epoch": 3, "batch": 12, "batches": 12, "samples": 360, "loss": 2, "samples_per_s": None,
        "synapses": {"a": 10, "b": 20},
    }  # fmt: skip
    assert dict(curves(line)) == {"epoch/loss": 2.0, "epoch/synapses/a": 10.0, "epoch/synapses/b": 20.0}


def test_without_the_package_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hpcsnn.training.tensorboard.find_spec", lambda _: None)
    with pytest.raises(
        ConfigurationError, match=r"^tensorboard: true is not allowed without the package tensorboardX; pip"
    ):
        small_training(tmp_path, tensorboard=True)


def records(file):
    """The events of a file: length (8 bytes), its checksum (4), the event, its checksum (4)."""
    data, place = file.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        yield data[place + 12 : place + 12 + length]
        place += length + 16


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="needs tensorboardX")
def test_a_training_leaves_every_number_of_its_metrics(tmp_path):
    configuration = small_training(tmp_path, tensorboard=True)
    run_training(configuration, tmp_path / "run", Setting(figures=False), make_trainer=StandInTrainer)
    (file,) = (tmp_path / "run" / "tensorboard").iterdir()
    written = list(records(file))
    found = [(tag, value) for line in read_metrics(tmp_path / "run" / "metrics.jsonl") for tag, value in curves(line)]
    of_scalars = [record for record in written if any(tag.encode() in record for tag, _ in found)]
    assert len(of_scalars) == len(found) > 100
    for record, (tag, value) in zip(of_scalars, found, strict=True):
        assert tag.encode() in record
        assert struct.pack("<f", value) in record
