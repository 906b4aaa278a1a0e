"""A network whose synapses, weights and delays come from files and arrays, on grids that end at their sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from hpcsnn import Grid, Network, models

N_SOURCES, TARGETS = 60, Grid(12, 6, "open")


def made_lists(seed: int = 1) -> dict[str, NDArray[Any]]:
    """Distinct pairs in no order, with weights and delays in whole tenths of ms."""
    random = np.random.default_rng(seed)
    source, target = np.divmod(random.permutation(N_SOURCES * TARGETS.size)[:700], TARGETS.size)
    weight = random.integers(1, 400, 700) / 64
    return {"source": source, "target": target, "weight": weight, "delay_ms": random.integers(2, 30, 700) / 10}


def write_lists(folder: Path) -> None:
    """The same as ``lists.npz``, and as ``matrix.npz`` in CSC without delays."""
    lists = made_lists()
    np.savez_compressed(folder / "lists.npz", **lists)
    entries = lists["weight"], (lists["source"], lists["target"])
    scipy.sparse.save_npz(folder / "matrix.npz", scipy.sparse.coo_array(entries, (N_SOURCES, TARGETS.size)).tocsc())


def listed_network(folder: Path) -> Network:
    """Files with and without delays, and values beside a file, a list, and a connector without one."""
    network, current = Network(seed=5), models.ExponentialCurrent()
    network.add_population("noise", N_SOURCES, models.Poisson(rate_hz=100), record_spikes=True)
    network.add_population("cells", TARGETS, models.LIF(), {"V_mV": models.Normal(-60, 5)}, record_spikes=True)
    of_synapses = (np.arange(700) % 17 + 1) / 10
    of_targets = np.arange(TARGETS.size)
    for name, file, delay_ms in (("lists", "lists.npz", None), ("matrix", "matrix.npz", of_synapses)):
        network.add_projection(
            name, "noise", "cells", models.ListedInFile(file=folder / file), current, delay_ms=delay_ms
        )
    listed = models.ExplicitList(pre=[5, 1, 9], post=[3, 3, 71], weight=[4.0, -2.0, 8.0])
    network.add_projection("listed", "cells", "cells", listed, current, 1.0, delay_ms=[0.3, 1.2, 0.7])
    network.add_projection(
        "of_targets", "noise", "cells", models.FixedProbability(p=0.3), current, of_targets / 32,
        delay_ms=(of_targets % 9 + 1) / 10,
    )  # fmt: skip
    rule = models.LocalProposals(block_side=6, attempts=40, sigma=1.0, p_form=0.5, every_ms=0.5)
    network.add_projection("near", "cells", "cells", models.Gaussian(p_max=0.9, sigma=0.5), current, 0.1, rewiring=rule)
    return network
