"""One measurement of hpcsnn's training in this process: ``python -m scaling.training.measure CASE FOLDER`` prints JSON.

FOLDER has the samples that `scaling.training` made. Times are of samples, after others that warm up; set-up is not in.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcsnn.models import Adam, ALIFSubtractive, DeepRByGradient, EProp
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from scaling.training.networks import IMAGE_HIDDEN, LIF_AS_IN_NEST, SHD_HIDDEN, classifier, read, written

L1 = 0.01
WARM_UP = 16
# Of the network that NEST trains too.
NEST_HIDDEN, NEST_INPUT, NEST_RECURRENT, NEST_BATCH = 150, 0.25, 0.01, 16
SYNAPSES = ("input_hidden", "recurrent", "hidden_output")


def timed(call: Callable[[], Any], n_samples: int) -> dict[str, float]:
    """CPU and wall seconds a sample of one call."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    call()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return {"cpu_s": cpu_s / n_samples, "wall_s": wall_s / n_samples}


def n_synapses(trainer: Trainer, names: tuple[str, ...]) -> int:
    """Of these projections together."""
    return sum(len(trainer.synapses(name)["weight"]) for name in names)


def recurrent(
    samples: Samples, connectivity: float, comm: Any = None, rule: Any = None, learning: Any = None
) -> Trainer:
    """The trainer of the network of SHD's size, `connectivity` of input and recurrent synapses."""
    inputs, classes = samples.n_channels, samples.n_classes
    network = classifier(inputs, SHD_HIDDEN, classes, connectivity, connectivity, ALIFSubtractive, rule)
    return Trainer(network, "output", samples.n_steps, learning=learning, batch=len(samples), comm=comm, device="cpu")


def feed_forward(samples: Samples, connectivity: float, rule: Any = None, learning: Any = None) -> Trainer:
    """The trainer of the network for images."""
    network = classifier(samples.n_channels, IMAGE_HIDDEN, samples.n_classes, connectivity, rule=rule)
    return Trainer(network, "output", samples.n_steps, learning=learning, batch=128, device="cpu")


def shd(folder: Path, connectivity: float) -> dict[str, Any]:
    """A batch, and its evaluation."""
    samples = read(folder / "shd.npz")
    trainer = recurrent(samples, connectivity)
    trainer.train_batch(samples.select(np.arange(WARM_UP)))
    train = timed(lambda: trainer.train_batch(samples), len(samples))
    found: list[Any] = []
    evaluation = timed(lambda: found.append(trainer.evaluate(samples)), len(samples))
    rates = {"hidden_hz": found[0].hidden_hz["hidden"], "synapses": n_synapses(trainer, SYNAPSES)}
    return {"train": train, "evaluate": evaluation, **rates}


def images(folder: Path, connectivity: float, n_samples: int | None = None) -> dict[str, Any]:
    """An epoch of the images, or of the first `n_samples`."""
    samples = read(folder / "images.npz")
    if n_samples is not None:
        samples = samples.select(np.arange(min(n_samples, len(samples))))
    trainer = feed_forward(samples, connectivity)
    trainer.train_batch(samples.select(np.arange(WARM_UP)))
    train = timed(lambda: trainer.fit(samples, 1), len(samples))
    rate = trainer.evaluate(samples.select(np.arange(512))).hidden_hz["hidden"]
    synapses = n_synapses(trainer, ("input_hidden", "hidden_output"))
    return {"train": train, "hidden_hz": rate, "synapses": synapses, "n_samples": len(samples)}


def paired(static: Trainer, deep_r: Trainer, batches: list[Samples]) -> dict[str, Any]:
    """Both on each batch, in turn, either first in half of them: the median of how much more CPU the second takes.

    ``own`` is what the rule's own step takes, by all else: the two networks part, and neurons of one may fire more.
    """
    more, seconds, rewired = [], {static: 0.0, deep_r: 0.0}, 0
    own: list[float] = []
    rewire = deep_r.simulation.rewire

    def clocked(projection: str) -> None:
        own.append(-time.process_time())
        rewire(projection)
        own[-1] += time.process_time()

    deep_r.simulation.rewire = clocked  # type: ignore[method-assign]
    for number, batch in enumerate(batches):
        took = {}
        for trainer in (static, deep_r) if number % 2 else (deep_r, static):
            cpu_s = time.process_time()
            result = trainer.train_batch(batch)
            took[trainer] = time.process_time() - cpu_s
            rewired += sum(result.rewired.values())
            if number >= 2:
                seconds[trainer] += took[trainer]
        if number >= 2:
            more.append(took[deep_r] / took[static] - 1.0)
        else:
            own.clear()
    return {
        "added": statistics.median(more),
        "added_in_all": seconds[deep_r] / seconds[static] - 1.0,
        "own": sum(own) / (seconds[deep_r] - sum(own)),
        "rewired_a_batch": rewired / len(batches),
    }


def deep_r(folder: Path) -> dict[str, Any]:
    """DEEP R against static wiring, of images at 10 % and, in batches of 32, of SHD's size at 5 %."""
    rule = DeepRByGradient(l1=L1)
    samples = read(folder / "images.npz")
    order = np.random.default_rng(1).permutation(len(samples))
    batches = [samples.select(order[first : first + 128]) for first in range(0, 6000, 128)]
    found = {"images": paired(feed_forward(samples, 0.1), feed_forward(samples, 0.1, rule), batches)}
    samples = read(folder / "shd.npz")
    few = [samples.select(np.arange(first, first + 32)) for first in range(0, len(samples), 32)] * 4
    found["shd"] = paired(recurrent(samples, 0.05), recurrent(samples, 0.05, rule=rule), few)
    return found


def beside_nest(folder: Path) -> dict[str, Any]:
    """The network and the samples of `scaling.peers.nest_eprop`, as often as to take a tenth of a second."""
    samples = read(folder / "nest.npz")
    samples = samples.select(np.arange(NEST_BATCH))
    trainer = small(samples)
    trainer.train_batch(samples)
    train = timed(lambda: [trainer.fit(samples, 1) for _ in range(10)], 10 * len(samples))
    rate = trainer.evaluate(samples).hidden_hz["hidden"]
    return {"train": train, "hidden_hz": rate, "synapses": n_synapses(trainer, SYNAPSES)}


def small(samples: Samples) -> Trainer:
    """The trainer of the network that NEST trains too: as many inputs, spikes and steps as N-MNIST has."""
    network = classifier(samples.n_channels, NEST_HIDDEN, samples.n_classes, NEST_INPUT, NEST_RECURRENT, LIF_AS_IN_NEST)
    # So slowly that it is the same network after any number of batches.
    slow = Adam(learning_rate=1e-7)
    return Trainer(network, "output", samples.n_steps, optimiser=slow, batch=NEST_BATCH, device="cpu")


def for_nest(samples: Samples, path: Path) -> Trainer:
    """Write samples and that network with its weights for `scaling.peers.nest_eprop`; returns its trainer."""
    trainer = small(samples)
    rows = {name: trainer.synapses(name) for name in SYNAPSES}
    columns = {f"{name}_{column}": rows[name][column] for name in rows for column in ("pre", "post", "weight")}
    written(samples, path, n_hidden=NEST_HIDDEN, **columns)
    return trainer


def online(folder: Path, data: str, connectivity: float, n_samples: int) -> dict[str, Any]:
    """The same batch by an eligibility of each synapse in every step, and by its spikes, as often as takes a while."""
    samples = read(folder / f"{data}.npz")
    samples = samples.select(np.arange(n_samples))
    make = recurrent if data == "shd" else feed_forward
    measured: dict[str, Any] = {}
    for gradient, times in (("online", 1), ("events", 8)):
        trainer = make(samples, connectivity, learning=EProp(gradient=gradient))
        trainer.gradients(samples.select(np.arange(1)))
        measured[gradient] = timed(partial(_repeated, trainer.gradients, samples, times), times * n_samples)
    rate = trainer.evaluate(samples).hidden_hz["hidden"]
    names = SYNAPSES if data == "shd" else ("input_hidden", "hidden_output")
    return {**measured, "hidden_hz": rate, "synapses": n_synapses(trainer, names)}


def _repeated(call: Callable[[Samples], Any], samples: Samples, times: int) -> None:
    for _ in range(times):
        call(samples)


def ranks(folder: Path, connectivity: float) -> dict[str, Any]:
    """A batch, on the ranks of this job: CPU of the rank that takes most."""
    comm = MPI.COMM_WORLD
    samples = read(folder / "shd.npz")
    trainer = recurrent(samples, connectivity, comm)
    trainer.train_batch(samples.select(np.arange(WARM_UP)))
    comm.Barrier()
    n_batches = 1 if connectivity == 1.0 else 4
    took = timed(lambda: [trainer.train_batch(samples) for _ in range(n_batches)], n_batches * len(samples))
    return {
        "train": {name: comm.allreduce(value, MPI.MAX) for name, value in took.items()},
        "digest": trainer.digest(),
    }


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "shd 0.01": lambda folder: shd(folder, 0.01),
    "shd 0.05": lambda folder: shd(folder, 0.05),
    "shd 1": lambda folder: shd(folder, 1.0),
    "images 0.1": lambda folder: images(folder, 0.1),
    "images 1": lambda folder: images(folder, 1.0, 12_000),
    "online shd 0.01": lambda folder: online(folder, "shd", 0.01, 16),
    "online shd 1": lambda folder: online(folder, "shd", 1.0, 4),
    "online images 0.01": lambda folder: online(folder, "images", 0.01, 512),
    "online images 1": lambda folder: online(folder, "images", 1.0, 64),
    "deep_r": deep_r,
    "nest": beside_nest,
    "ranks 0.01": lambda folder: ranks(folder, 0.01),
    "ranks 1": lambda folder: ranks(folder, 1.0),
}

if __name__ == "__main__":
    measured = CASES[sys.argv[1]](Path(sys.argv[2]))
    if MPI.COMM_WORLD.Get_rank() == 0:
        print(json.dumps(measured))
