"""Rates of a teacher, and files of them, that are refused."""

import numpy as np
import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.errors import DataError
from hpcsnn.training.teacher import Teacher, read_teacher
from support.learning import N_HIDDEN, classifier, learner, learning
from support.messages import as_pattern

TAUGHT = learner(classifier(), learning(rule=models.LocalTandem()))
RATES = np.zeros((3, N_HIDDEN))


def with_one(value):
    rates = RATES.copy()
    rates[1, 4] = value
    return rates


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (None, "teacher: missing; local_tandem needs rates in Hz of each sample and neuron of hidden"),
        ({"other": RATES}, "teacher: has other; must have the hidden populations: hidden"),
        ({}, "teacher: has nothing; must have the hidden populations: hidden"),
        (
            {"hidden": RATES[:, 1:]},
            f"teacher.hidden: has shape (3, {N_HIDDEN - 1}) of float64; must be numbers, (samples, {N_HIDDEN} neurons)",
        ),
        ({"hidden": RATES.astype(str)}, f"teacher.hidden: has shape (3, {N_HIDDEN}) of <U32; must be numbers"),
        (
            {"hidden": with_one(-1.0)},
            "teacher.hidden: -1.0 of sample 1, neuron 4 is not allowed; must be a rate in Hz, from 0 to 1e6",
        ),
        ({"hidden": with_one(np.nan)}, "teacher.hidden: nan of sample 1, neuron 4 is not allowed"),
    ],
)
def test_rates_that_are_none_are_refused(rates, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        Teacher(TAUGHT, rates)


def test_a_rule_that_asks_for_no_teacher_has_none():
    with pytest.raises(
        ConfigurationError, match=r"^teacher: is not allowed with e_prop, which asks for no teacher_rate$"
    ):
        Teacher(learner(), {"hidden": RATES})


def test_a_file_has_an_array_for_each_population(tmp_path):
    np.savez(tmp_path / "teacher.npz", hidden=RATES)
    np.testing.assert_array_equal(read_teacher(tmp_path / "teacher.npz")["hidden"], RATES)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "empty.npz").touch()
    (tmp_path / "text.npz").write_text("rates")
    np.save(tmp_path / "one.npy", RATES)
    for name in ("missing.npz", "empty.npz", "text.npz", "one.npy"):
        with pytest.raises(DataError, match=rf"^teacher: .*{name}: .*; must be a .npz file with an array per hidden"):
            read_teacher(tmp_path / name)
