"""A trained network is the simulator's: on a sample it spikes as it did for the trainer."""

from __future__ import annotations

import numpy as np

from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_run import trainer_of
from hpcsnn.training.rasters import raster_of
from support.small_trainings import small_training


def test_a_sample_spikes_as_it_did_in_training(tmp_path):
    configuration = small_training(tmp_path)
    data = configuration.load_data()
    trainer = trainer_of(configuration, data.train.n_steps, Setting(device="cpu"))
    for first in (0, 40):
        trainer.train_batch(data.train.select(range(first, first + 40)))
    seconds = data.test.n_steps * configuration.dt_ms * 1e-3
    total = 0
    for index in (0, 7, 23):
        raster = raster_of(trainer.network, data.test, index, "cpu")
        assert set(raster) == {"input", "hidden"}
        events = slice(*data.test.first_event[index : index + 2])
        np.testing.assert_array_equal(raster["input"][0], data.test.event_steps[events])
        np.testing.assert_array_equal(raster["input"][1], data.test.event_channels[events])
        played = trainer.evaluate(data.test.select([index])).hidden_hz["hidden"]
        assert len(raster["hidden"][0]) == round(played * seconds * 6)
        total += len(raster["hidden"][0])
    assert total > 20
