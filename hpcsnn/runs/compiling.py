"""The kernels that a run or a training will need, compiled before it begins: ``hpcsnn compile``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hpcsnn.codegen.program import Program, generate
from hpcsnn.configuration.schema import Configuration
from hpcsnn.devices import HostDevice, cuda
from hpcsnn.devices.gpus import find_gpus
from hpcsnn.engine.learning.groups import check_even
from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Network
from hpcsnn.network.learning import trained_projections
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.learnt import Learnt
from hpcsnn.training.rasters import that_plays

# All numbers of ranks beyond one have the same program.
_SEVERAL = 2


@dataclass(frozen=True)
class Wanted:
    """A program that will be loaded, and what for."""

    what: str
    program: Program


@dataclass(frozen=True)
class Compiled:
    """A file of compiled kernels: what for, where it lies, and how long it took (None: it was there already)."""

    what: str
    path: Path
    took_s: float | None


def capabilities_of(text: str | None) -> list[int]:
    """Compute capabilities (90 for 9.0) as ``80,90`` or ``8.0,9.0`` names them; None: that of the GPU here.

    Raises:
        ConfigurationError: something else, or None without a GPU.
    """
    if text is None:
        gpus = find_gpus()
        if not gpus.identities:
            raise ConfigurationError(
                f"--compute-capability: must be given, since there is no GPU to use here ({gpus.none_because}): 80 for "
                "A100, 90 for H100 and H200; nvidia-smi --query-gpu=compute_cap --format=csv says it on a node that "
                "has one"
            )
        return [cuda.capability_here()]
    words = text.replace(" ", "").split(",")
    if not all(re.fullmatch(r"[1-9]\d{1,2}|[1-9]\d?\.\d", word, flags=re.ASCII) for word in words):
        raise ConfigurationError(f"--compute-capability: {text!r} is not allowed; must be such as 80, 90 or 8.0,9.0")
    return list(dict.fromkeys(int(word.replace(".", "")) for word in words))


def programs_of(configuration: Configuration | TrainingConfiguration, ranks: int | None) -> Iterator[Wanted]:
    """All programs that a run or a training loads.

    Args:
        ranks: that it is started on; None: one, and any number of several.

    Raises:
        ConfigurationError: what cannot be run or trained.
        DataError: data that must be read to know how long samples are, and cannot.
    """
    if isinstance(configuration, TrainingConfiguration):
        yield from _of_training(configuration, ranks)
        return
    network = configuration.network()
    for n_ranks in (1, _SEVERAL) if ranks is None else (ranks,):
        yield Wanted("the run on one rank" if n_ranks == 1 else "the run on several ranks", generate(network, n_ranks))


def _of_training(configuration: TrainingConfiguration, ranks: int | None) -> Iterator[Wanted]:
    sharing = configuration.ranks_per_network
    check_even(sharing, sharing if ranks is None else ranks)
    # Whether samples are recorded in windows goes by their length, which some data have to be read to know.
    unknown = configuration.sample_steps is None and configuration.window_steps is not None
    learning = (
        configuration.learning_network(configuration.load_data().train.n_steps)
        if unknown
        else configuration.planned_network()
    )
    if learning.hypercolumns is not None:
        for n_ranks in (1, _SEVERAL) if ranks is None else (ranks,):
            what = "the training on one rank" if n_ranks == 1 else "the training on several ranks"
            yield Wanted(what, generate(learning, n_ranks))
    else:
        yield Wanted("the training", generate(learning, sharing))
    if sharing > 1 and ranks is None:
        yield Wanted("its evaluation on one rank", generate(learning, 1))
    yield Wanted("its figures", generate(_of_figures(configuration, learning), 1))


def _of_figures(configuration: TrainingConfiguration, learning: Network) -> Network:
    """The trained network as it plays a sample: without a synapse or a spike, which make no other kernels."""
    none, weights = np.zeros(0, np.int32), np.zeros(0, np.float32)
    given = configuration.network()
    by_rule = learning.hypercolumns is not None
    learnt = given.projections.values() if by_rule else trained_projections(learning)
    synapses = {one.name: {"pre": none, "post": none, "weight": weights} for one in learnt}
    trained = Learnt(0, synapses, {}).network(given, configuration.readout)
    return that_plays(trained, none, none)


def compile_on_host(programs: Iterable[Wanted]) -> Iterator[Compiled]:
    """Compile programs for CPUs like this one, each once.

    Raises:
        DeviceError: no compiler, or an error of the compiler's.
    """
    device, told = HostDevice(), set[Path]()
    for one in programs:
        there, start = device.find(one.program), time.perf_counter()
        path = device.compile(one.program)
        if path not in told:
            told.add(path)
            yield Compiled(one.what, path, None if there else time.perf_counter() - start)


def compile_for_gpus(programs: Iterable[Wanted], compute_capabilities: Sequence[int]) -> Iterator[Compiled]:
    """Compile programs for GPUs of compute capabilities, each once; needs no GPU.

    Raises:
        DeviceError: no NVRTC, or an error of the compiler's.
    """
    from hpcsnn.devices import cuda

    told = set[Path]()
    for one in programs:
        for capability in compute_capabilities:
            there, start = cuda.find_for(capability, one.program.kernels), time.perf_counter()
            path = cuda.compile_for(capability, one.program.kernels, one.program.snippets)
            if path not in told:
                told.add(path)
                for_gpus = f"{one.what}, GPUs of compute capability {capability / 10:.1f}"
                yield Compiled(for_gpus, path, None if there else time.perf_counter() - start)
