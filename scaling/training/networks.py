"""Networks and samples that training is measured on; peers read them from files, so that all have the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hpcsnn import Network
from hpcsnn.errors import HpcsnnError
from hpcsnn.models import (
    AllToAll,
    DeltaCurrent,
    FixedProbability,
    LeakyReadout,
    LIFSubtractive,
    Normal,
    SampleInput,
    Trained,
)
from hpcsnn.training.data.registry import find_data_set
from hpcsnn.training.data.samples import Samples

DT_MS = 1.0
# Of Spiking Heidelberg Digits: cochlear channels, classes, and about as many spikes and steps as a sample has.
SHD: dict[str, int] = {"n_channels": 700, "n_steps": 1000, "n_events": 8000, "n_classes": 20}
SHD_HIDDEN = 512
# About as many spikes and steps as N-MNIST has, on which NEST shows its e-prop; none in the first step, for NEST.
N_MNIST: dict[str, int] = {"n_channels": 784, "n_steps": 300, "n_events": 4000, "n_classes": 10, "first_step": 1}
IMAGE_HIDDEN = 128
# Weights that are drawn for fewer inputs could be beyond the range of `trained`.
_FEWEST_INPUTS = 4
# NEST takes the threshold away after the step's decay, not before it.
LIF_AS_IN_NEST = replace(
    LIFSubtractive, name="lif_as_in_nest", reset="V -= V_threshold / decay; silent_steps = refractory_steps;"
)


def classifier(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    connectivity: float,
    recurrent: float = 0.0,
    model: Any = LIFSubtractive,
    rule: Any = None,
    seed: int = 1,
) -> Network:
    """Input, one hidden population and a readout that hears all of it.

    Weights have the variance 1 / (in-degree), so that a sparse network fires as a dense one does: a silent one is
    cheaper to train.

    Args:
        connectivity: of the input to the hidden population; 1 is dense.
        recurrent: of the hidden population to itself; 0 is none.
        model: of the hidden neurons.
        rule: configured rewiring of both, or None.
    """
    network = Network(seed, DT_MS)
    network.add_population("input", n_inputs, SampleInput())
    network.add_population("hidden", n_hidden, model())
    network.add_population("output", n_outputs, LeakyReadout())
    for name, source, p in (("input_hidden", "input", connectivity), ("recurrent", "hidden", recurrent)):
        if p > 0.0:
            connector = FixedProbability(p=p) if p < 1.0 else AllToAll()
            weight = Normal(0.0, max(p * network.populations[source].size, _FEWEST_INPUTS) ** -0.5)
            network.add_projection(
                name, source, "hidden", connector, DeltaCurrent(), weight, synapse=Trained(), rewiring=rule
            )
    weight = Normal(0.0, n_hidden**-0.5)
    network.add_projection("hidden_output", "hidden", "output", AllToAll(), DeltaCurrent(), weight, synapse=Trained())
    return network


def random_samples(
    n_samples: int, n_channels: int, n_steps: int, n_events: int, n_classes: int, first_step: int = 0, seed: int = 1
) -> Samples:
    """Samples of exactly `n_events` spikes each, anywhere from `first_step` on, with labels at random."""
    random = np.random.default_rng(seed)
    places = (n_steps - first_step) * n_channels
    events = np.concatenate([random.choice(places, n_events, replace=False) for _ in range(n_samples)])
    return Samples.from_events(
        np.repeat(np.arange(n_samples), n_events),
        (events // n_channels + first_step) * DT_MS,
        events % n_channels,
        labels=random.integers(0, n_classes, n_samples),
        n_channels=n_channels,
        duration_ms=n_steps * DT_MS,
        dt_ms=DT_MS,
        n_classes=n_classes,
    )


def images() -> tuple[Samples, str]:
    """Fashion-MNIST's training images, a spike a bright pixel, or as many spikes at random; and which of them."""
    try:
        return find_data_set("fashion_mnist").load({}, None, 1, DT_MS).train, "Fashion-MNIST"
    except HpcsnnError:
        like = {"n_channels": 784, "n_steps": 80, "n_events": 331, "n_classes": 10}
        return random_samples(12_000, **like), "random spikes in place of Fashion-MNIST, which is not installed"


def written(samples: Samples, path: Path, **more: Any) -> None:
    """A NumPy archive of samples that needs nothing of hpcsnn to read, with `more` arrays."""
    names = ("first_event", "event_steps", "event_channels", "labels", "n_channels", "n_steps", "n_classes")
    np.savez(path, **{name: np.asarray(getattr(samples, name)) for name in names}, **more)


def read(path: Path) -> Samples:
    """What `written` wrote."""
    with np.load(path) as file:
        names = ("first_event", "event_steps", "event_channels")
        sizes = {name: int(file[name]) for name in ("n_channels", "n_steps", "n_classes")}
        return Samples(**{name: file[name] for name in names}, labels=file["labels"], dt_ms=DT_MS, **sizes)
