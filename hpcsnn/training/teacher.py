"""Rates that a teacher, such as a trained network without spikes, has for each hidden neuron in each sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, DataError
from hpcsnn.network import Network
from hpcsnn.network.learning import hidden_populations
from hpcsnn.training.data.samples import Samples


class Teacher:
    """What hidden neurons are taught.

    Args:
        network: what learns (`hpcsnn.network.learning_network.learning_network`).
        rates_hz: by hidden population the rates, shape (n_samples, n_neurons), of the samples with the ids 0, 1, ..;
            None: there is no teacher.

    Raises:
        ConfigurationError: rates that the rule does not ask for, or none where it does; of another population, shape or
            value than is allowed; names them.
    """

    def __init__(self, network: Network, rates_hz: Mapping[str, Any] | None) -> None:
        learning = network.learning
        assert learning is not None
        rule = learning.rule.model
        self._rates: dict[str, NDArray[np.float32]] = {}
        if not rule.mentions("teacher_rate"):
            if rates_hz is not None:
                raise ConfigurationError(f"teacher: is not allowed with {rule.name}, which asks for no teacher_rate")
            return
        hidden = {one.name: one.size for one in hidden_populations(network)}
        if rates_hz is None:
            raise ConfigurationError(
                f"teacher: missing; {rule.name} needs rates in Hz of each sample and neuron of {', '.join(hidden)}"
            )
        if set(rates_hz) != set(hidden):
            raise ConfigurationError(
                f"teacher: has {', '.join(sorted(rates_hz)) or 'nothing'}; must have the hidden populations: "
                f"{', '.join(hidden)}"
            )
        for name, size in hidden.items():
            self._rates[name] = _checked(name, rates_hz[name], size) * np.float32(network.dt_ms * 1e-3)
        counts = {name: len(rates) for name, rates in self._rates.items()}
        if len(set(counts.values())) > 1:
            raise ConfigurationError(f"teacher: has rates of {counts} samples; must be of the same ones")

    def of(self, samples: Samples) -> dict[str, NDArray[np.float32]]:
        """By hidden population the rates, in spikes a step, of these samples: shape (n_samples, n_neurons).

        Raises:
            ConfigurationError: there are none of a sample; names its id.
        """
        for name, rates in self._rates.items():
            last = int(samples.ids.max(initial=-1))
            if last >= len(rates):
                raise ConfigurationError(
                    f"teacher.{name}: has rates of {len(rates)} samples; must be of all, and there is one of id {last}"
                )
        return {name: rates[samples.ids] for name, rates in self._rates.items()}


def read_teacher(path: Path) -> dict[str, NDArray[Any]]:
    """The rates in a ``.npz`` file, an array for each hidden population.

    Raises:
        DataError: it is not there, or no such file.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array without a name")
        with file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"teacher: {path}: {why}; must be a .npz file with an array per hidden population") from None


def _checked(name: str, given: Any, size: int) -> NDArray[np.float32]:
    rates = np.asarray(given)
    if rates.ndim != 2 or rates.shape[1] != size or rates.dtype.kind not in "fiu":
        raise ConfigurationError(
            f"teacher.{name}: has shape {rates.shape} of {rates.dtype}; must be numbers, (samples, {size} neurons)"
        )
    wrong = np.argwhere(~(np.isfinite(rates) & (rates >= 0) & (rates <= 1e6)))
    if len(wrong):
        sample, neuron = wrong[0].tolist()
        raise ConfigurationError(
            f"teacher.{name}: {rates[sample, neuron]} of sample {sample}, neuron {neuron} is not allowed; must be a "
            "rate in Hz, from 0 to 1e6"
        )
    return rates.astype(np.float32)
