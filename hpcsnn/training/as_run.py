"""A trained network as the configuration of a run, of which nothing is a training's any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpcsnn.configuration.files import parse_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.models.connectors import ExplicitList
from hpcsnn.models.stimuli import SpikeArray
from hpcsnn.network import Network
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.learnt import Learnt

_OF_NETWORK = ("seed", "dt_ms", "scale")


def source_of(network: Network) -> str:
    """The population that samples are given to."""
    return next(name for name, population in network.populations.items() if population.is_source)


def run_of_training(
    training: TrainingConfiguration,
    learnt: Learnt,
    samples: Samples | None,
    overrides: Iterable[str] = (),
    folder: Path = Path(),
) -> Configuration:
    """The trained network as it runs: its source plays samples one after the other, and every population's spikes are
    recorded, or those that its ``record`` names, and what else that names.

    Nothing is set back between two samples, and no projection is rewired. Synapses and biases are listed one by one, so
    the configuration needs neither the training nor its data.

    Args:
        samples: what the source plays; None: it is silent, unless `overrides` say what it does.
        overrides: as of `load_configuration`, laid over all of it.
        folder: that of the training's configuration, from which models of users' files are looked for.

    Raises:
        ConfigurationError: an override that is not allowed.
    """
    plain, network = training.resolved(), training.network()
    trained = learnt.network(network, training.readout)
    raw: dict[str, Any] = {key: plain[key] for key in _OF_NETWORK}
    raw["description"] = f"Trained: {training.description}".rstrip(": ")
    raw |= {"populations": plain["populations"], "projections": plain["projections"]}
    for population in raw["populations"].values():
        population["record_spikes"] = "spikes" not in population["record"]
    of_model = {variable.name for variable in network.populations[training.readout].state}
    learnt_values = {name: values.tolist() for name, values in learnt.readout.items() if name in of_model}
    raw["populations"][training.readout]["initial"] |= learnt_values
    for name, projection in raw["projections"].items():
        projection["rewiring"] = None
        if name in learnt.synapses:
            values = trained.projections[name].connector.values
            projection["connector"] = {ExplicitList.name: {key: column.tolist() for key, column in values.items()}}
            projection["weight"] = network.projections[name].weight
    if samples is not None:
        raw["populations"][source_of(network)]["model"] = {SpikeArray.name: _played(samples)}
        raw["duration_ms"] = len(samples) * samples.n_steps * samples.dt_ms
    return parse_configuration(raw, folder, overrides)


def _played(samples: Samples) -> dict[str, Any]:
    """Neurons and times of the spikes of samples that follow each other."""
    sample = samples.first_event.searchsorted(range(len(samples.event_steps)), side="right") - 1
    steps = sample * samples.n_steps + samples.event_steps
    return {"neurons": samples.event_channels.tolist(), "times_ms": (steps * samples.dt_ms).tolist()}
