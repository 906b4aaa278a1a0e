"""Networks and samples of hpcsnn from those of the slow programs, and the other way round."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcsnn import Network, models
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from support.trained_nets import INPUT, Batch, Dense, Net, Neurons, Outcome, Regularisation, decay

Rewiring = dict[str, Any]


def network_of(
    net: Net,
    n_inputs: int,
    rewiring: Rewiring | None = None,
    seed: int = 1,
    receptors: dict[str, Any] | None = None,
    delays_ms: dict[str, Any] | None = None,
) -> Network:
    """With a time step of 1 ms; every synapse is listed, with its weight."""
    network = Network(seed=seed, dt_ms=1.0)
    network.add_population(INPUT, n_inputs, models.SampleInput())
    for name, its in net.populations.items():
        network.add_population(name, its.size, _model(its))
    bias = {"bias": net.bias.tolist()} if len(set(net.bias.tolist())) > 1 else {"bias": float(net.bias[0])}
    network.add_population(net.readout, len(net.bias), models.LeakyReadout(tau_m_ms=_tau(net.alpha_out)), bias)
    for name, projection in net.projections.items():
        pre, post = np.nonzero(projection.mask)
        listed = models.ExplicitList(
            pre=pre.tolist(), post=post.tolist(), weight=projection.weights[pre, post].tolist()
        )
        network.add_projection(
            name, projection.source, projection.target, listed, (receptors or {}).get(name, models.DeltaCurrent()), 0.0,
            models.Trained(w_max=20.0), delay_ms=(delays_ms or {}).get(name) or float(projection.delay_steps),
            rewiring=(rewiring or {}).get(name),
        )  # fmt: skip
    return network


def _tau(alpha: float) -> float:
    return float(-1 / np.log(alpha))


def _model(its: Neurons) -> Any:
    common = {"tau_m_ms": _tau(its.alpha), "V_threshold": its.v_threshold, "refractory_ms": float(its.refractory_steps)}
    if its.beta == 0:
        return models.LIFSubtractive(**common)
    return models.ALIFSubtractive(**common, beta=its.beta, tau_adaptation_ms=_tau(its.rho))


def net_of(network: Network, trainer: Trainer, readout: str = "output") -> Net:
    """As a trainer has it now."""
    populations, dt = {}, network.dt_ms
    for name, population in network.populations.items():
        values = population.model.values
        if population.is_source or name == readout:
            continue
        adapts = {}
        if "beta" in values:
            adapts = {"beta": values["beta"], "rho": decay(values["tau_adaptation_ms"], dt)}
        populations[name] = Neurons(
            population.size, decay(values["tau_m_ms"], dt), values["V_threshold"],
            round(values["refractory_ms"] / dt), **adapts,
        )  # fmt: skip
    projections = {}
    for name, projection in network.projections.items():
        rows = trainer.synapses(name)
        weights = np.zeros((projection.source.size, projection.target.size))
        mask = np.zeros(weights.shape, bool)
        weights[rows["pre"], rows["post"]], mask[rows["pre"], rows["post"]] = rows["weight"], True
        assert mask.sum() == len(rows["pre"])
        source = INPUT if projection.source.is_source else projection.source.name
        projections[name] = Dense(source, projection.target.name, weights, mask, projection.delay_steps)
    alpha_out = decay(network.populations[readout].model.values["tau_m_ms"], dt)
    return Net(populations, projections, trainer.neurons(readout)["bias"].astype(float), alpha_out, readout)


def samples_of(batch: Batch, n_classes: int, dt_ms: float = 1.0) -> Samples:
    sample, step, channel = np.nonzero(batch.spikes)
    n_samples, n_steps, n_channels = batch.spikes.shape
    first = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=n_samples))])
    scored = np.full(n_samples, batch.first_scored_step)
    return Samples(
        first, step, channel, n_channels, n_steps, dt_ms, batch.labels, n_classes, first_scored_step=scored
    )  # fmt: skip


def rule_of(pairing: str, regularisation: Regularisation, dt_ms: float = 1.0) -> Any:
    return models.EProp(
        pairing=pairing, regularisation=regularisation.strength, rate_hz=regularisation.rate * 1000 / dt_ms,
        tau_rate_ms=dt_ms * _tau(regularisation.decay),
    )  # fmt: skip


def dense_gradients(net: Net, trainer: Trainer, samples: Samples) -> Outcome:
    """What a trainer says of gradients, as the slow programs do."""
    found = trainer.gradients(samples)
    gradients = {}
    for name, projection in net.projections.items():
        gradients[name] = np.zeros(projection.mask.shape)
        rows = found[name]
        gradients[name][rows["pre"], rows["post"]] = rows["gradient"]
        assert len(rows["pre"]) == projection.mask.sum()
        assert projection.mask[rows["pre"], rows["post"]].all()
    none = np.zeros(0)
    return Outcome({}, none, none, none, gradients, found[net.readout]["bias"])
