"""What the configuration of a training may say beside its network: data, loss, optimiser, rule, and how long."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from hpcsnn.configuration.files import load_as, parse_as, trains
from hpcsnn.configuration.model_specs import ModelSpec, configured, named_values
from hpcsnn.configuration.schema import (
    Configuration,
    NetworkConfiguration,
    Part,
    Positive,
    ProjectionConfig,
    Step,
    Truth,
)
from hpcsnn.configuration.times import Every
from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.connectors import FixedProbability
from hpcsnn.models.registry import OF_TRAININGS
from hpcsnn.network import Network
from hpcsnn.network.learning import Learning
from hpcsnn.network.learning_network import learning_network
from hpcsnn.network.recording.recorders import recorders, without_recorders
from hpcsnn.phases import doing
from hpcsnn.training.data.data_set import SAMPLE_COUNTS, DataSet, LoadedData, checked_settings
from hpcsnn.training.data.registry import find_data_set
from hpcsnn.training.tensorboard import check_tensorboard

_EPOCH = "epoch"
# Steps that are planned for where only files tell how long samples are: more than most data sets have, at 1 ms.
_STEPS_UNKNOWN = 2000
# What messages call a data set or an encoding, and what is below it.
_OF_DATA = {"one": "name", "its": "values", "named": "a name"}


class TrainingConfiguration(NetworkConfiguration):
    """A whole training.

    ``data`` is a data set, ``data_folder`` where its files are (null: where a package puts them), ``encoding`` how its
    values become spikes (null: as the data set has it), ``readout`` the population that answers. ``batch`` is in
    samples, ``validation`` the part of the training samples that is held out; after ``patience`` epochs in which the
    network did no better on them than before, training ends (null: never). ``connectivity`` is the p of every
    fixed_probability connector (null: as they say). ``ranks_per_network`` ranks share one network, which may be too
    large for one of them, and groups of so many share out the samples. What gradients need of each step is recorded for
    ``window_steps`` steps of a sample at a time (null: for the whole sample). With ``carry_state`` a sample begins with
    the state in which the one before it in its place of the batch has ended. ``teacher`` is a ``.npz`` file with the
    rates in Hz of each training sample and hidden neuron, for rules that ask for them. A checkpoint is written after
    every epoch, and with ``checkpoint_every`` in wall time (``10min-wall``) also on the way. With ``tensorboard`` the
    metrics are there too.
    """

    COMMAND: ClassVar[str] = "train"
    TRAINS: ClassVar[bool] = True

    dt_ms: Step = 1.0
    data: ModelSpec
    data_folder: str | None = None
    encoding: ModelSpec = None
    readout: str
    loss: ModelSpec = "cross_entropy"
    optimiser: ModelSpec = Field(default_factory=lambda: {"adam": {}})
    learning: ModelSpec = Field(default_factory=lambda: {"e_prop": {}})
    batch: Positive = 128
    epochs: Positive = 10
    validation: Part = 0.1
    patience: Positive | None = None
    connectivity: Part | None = None
    ranks_per_network: Positive = 1
    window_steps: Positive | None = None
    carry_state: Truth = False
    teacher: str | None = None
    checkpoint_every: str = _EPOCH
    tensorboard: Truth = False

    def connector_of(self, projection: ProjectionConfig) -> ModelSpec:
        """The connector that a projection comes to have, with `connectivity` for its p."""
        if self.connectivity is None or not _is_fixed_probability(projection.connector):
            return projection.connector
        given = projection.connector.get(FixedProbability.name) if isinstance(projection.connector, dict) else None
        return {FixedProbability.name: {**(given if isinstance(given, dict) else {}), "p": self.connectivity}}

    def network(self) -> Network:
        """The network to be trained, as it is at first. What its populations and projections ask to ``record`` is
        recorded of the trained network, as it runs: here it is checked and left out.

        Raises:
            ConfigurationError: anything that does not fit, naming the field, the value and what is allowed.
        """
        sparse = any(_is_fixed_probability(one.connector) for one in self.projections.values())
        if self.connectivity is not None and not sparse:
            raise ConfigurationError(
                f"connectivity: {self.connectivity:g} is not allowed; it is the p of fixed_probability connectors, and "
                "no projection has one"
            )
        network = super().network()
        if self.readout not in network.populations:
            raise ConfigurationError(unknown_name("readout", self.readout, network.populations))
        if self.records:  # which must be there once it is trained, when nothing is rewired any more
            trained = copy(network)
            trained.projections = {name: replace(one, rewiring=None) for name, one in network.projections.items()}
            recorders(trained)
        return without_recorders(network)

    @property
    def records(self) -> bool:
        """Whether it says what the trained network records as it runs."""
        asked = [one.record for one in self.populations.values()] + [one.record for one in self.projections.values()]
        return any(asked)

    def learning_network(self, n_steps: int) -> Network:
        """The network as it is simulated while it learns from samples of so many steps.

        Raises:
            ConfigurationError: as `network`; or something in it that cannot be trained.
        """
        models = self.models
        parts = (models["learning"], models["optimiser"], models["loss"])
        by = Learning(self.readout, n_steps, *parts, window_steps=self.window_steps, carries_state=self.carry_state)
        return learning_network(self.network(), by)

    @property
    def ranks_of_network(self) -> int:
        """Ranks that share one network."""
        return self.ranks_per_network

    def planned_network(self) -> Network:
        """As `learning_network`; of samples whose length is not known, 2,000 steps."""
        return self.learning_network(self.sample_steps or _STEPS_UNKNOWN)

    def check(self) -> None:
        """See that all of it fits together, but for the data, which are not read.

        Raises:
            ConfigurationError: anything that does not fit, naming the field, the value and what is allowed.
        """
        super().check()
        if self.validation == 1.0:
            raise ConfigurationError("validation: 1.0 is not allowed; must leave samples to train on: below 1")
        if self.patience is not None and self.validation == 0.0:
            raise ConfigurationError(
                f"patience: {self.patience} is not allowed without validation; it counts epochs by what is held out"
            )
        if self.tensorboard:
            check_tensorboard()
        _ = self.checkpoint_every_s, self.models, self._data_values()

    @property
    def checkpoint_every_s(self) -> float | None:
        """Wall seconds between checkpoints within an epoch; None: only at its end.

        Raises:
            ConfigurationError: neither ``epoch`` nor a wall time.
        """
        if self.checkpoint_every == _EPOCH:
            return None
        allowed = "must be epoch, or a wall time such as 10min-wall, to write checkpoints within epochs too"
        try:
            every_s = Every.parse(self.checkpoint_every).wall_s
        except ConfigurationError:
            every_s = None
        if every_s is None:
            raise ConfigurationError(f"checkpoint_every: {self.checkpoint_every!r} is not allowed; {allowed}")
        return every_s

    @property
    def models(self) -> dict[str, Configured[Any]]:
        """Loss, optimiser and learning rule, by these names.

        Raises:
            ConfigurationError: an unknown one, or a value that is not allowed.
        """
        return {kind: configured(kind, kind, getattr(self, kind)) for kind in OF_TRAININGS}

    def own_models(self) -> list[tuple[str, ModelSpec]]:
        """(kind, model) of loss, optimiser and learning rule."""
        return [(kind, getattr(self, kind)) for kind in OF_TRAININGS]

    @property
    def data_set(self) -> DataSet:
        """The data set, not read yet."""
        return self._data_values()[0]

    @property
    def sample_steps(self) -> int | None:
        """Steps of each sample; None: the data have to be read to know."""
        data_set, values = self._data_values()
        return data_set.sample_steps(values, self.dt_ms)

    def load_data(self) -> LoadedData:
        """Read or make the data, as spikes.

        Raises:
            ConfigurationError: a setting of the data that is not allowed.
            DataError: a file is missing, or is not what its format says.
        """
        data_set, values = self._data_values()
        folder = None if self.data_folder is None else Path(self.data_folder)
        with doing(f"reading {data_set.name}"):
            return data_set.load(values, folder, self.seed, self.dt_ms)

    def _data_values(self) -> tuple[DataSet, dict[str, Any]]:
        """The data set and all its settings, with those of its encoding."""
        name, values = named_values("data", self.data, **_OF_DATA)
        data_set = find_data_set(name)
        encoders = {one.name: one for one in data_set.encoders}
        complete = checked_settings(f"data.{name}", values, {**SAMPLE_COUNTS, **data_set.parameters})
        if not encoders:
            if self.encoding is not None:
                raise ConfigurationError(f"encoding: {self.encoding!r} is not allowed; {name} has spikes: must be null")
            return data_set, complete
        encoder, encoding = named_values("encoding", self.encoding or data_set.encoder, **_OF_DATA)
        if encoder not in encoders:
            raise ConfigurationError(unknown_name("encoding", encoder, encoders))
        complete |= checked_settings(f"encoding.{encoder}", encoding, encoders[encoder].parameters)
        return data_set, complete | {"encoder": encoder}

    def resolved(self) -> dict[str, Any]:
        """The configuration with every default written out, as plain YAML types; populations and projections last."""
        plain = super().resolved()
        plain |= {kind: model.described() for kind, model in self.models.items()}
        data_set, values = self._data_values()
        encoder = values.pop("encoder", None)
        of_encoder = next((one.parameters for one in data_set.encoders if one.name == encoder), {})
        plain["encoding"] = None if encoder is None else {encoder: {name: values.pop(name) for name in of_encoder}}
        plain["data"] = {data_set.name: values}
        plain["teacher"] = None if self.teacher is None else str(Path(self.teacher).resolve())
        return plain


def load_training(
    path: str | Path, overrides: Iterable[str] = (), *, trust: bool = False, of_run: bool = False
) -> TrainingConfiguration:
    """As `load_configuration`, the configuration of a training.

    Raises:
        ConfigurationError: as `load_configuration`; or it is that of a run.
    """
    return load_as(TrainingConfiguration, path, overrides, trust=trust, of_run=of_run)


def parse_training(raw: Mapping[str, Any], folder: Path = Path()) -> TrainingConfiguration:
    """As `parse_configuration`, the configuration of a training.

    Raises:
        ConfigurationError: one line for each thing that is wrong.
    """
    return parse_as(TrainingConfiguration, raw, folder)


def data_at(folder: Path | None) -> list[str]:
    """The override by which a training's data are in a folder; of None, none."""
    return [] if folder is None else [f"data_folder={json.dumps(str(folder.resolve()), ensure_ascii=False)}"]


def load_either(
    path: str | Path, overrides: Iterable[str] = (), *, trust: bool = False, of_run: bool = False
) -> Configuration | TrainingConfiguration:
    """The configuration of a run or of a training, whichever it is; raises as `load_configuration`."""
    if trains(path):
        return load_training(path, overrides, trust=trust, of_run=of_run)
    return load_as(Configuration, path, overrides, trust=trust, of_run=of_run)


def _is_fixed_probability(connector: ModelSpec) -> bool:
    named = connector if isinstance(connector, str) else next(iter(connector), None) if connector else None
    return named == FixedProbability.name
