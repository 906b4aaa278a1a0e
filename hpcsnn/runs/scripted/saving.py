"""A running network written to one file, all ranks together."""

from __future__ import annotations

import shutil
from pathlib import Path

from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import StorageError
from hpcsnn.ranks.world import on_every_rank, on_first_rank
from hpcsnn.storage.network_store import WHOLE, join_part, write_part
from hpcsnn.storage.packed.zip_file import Written, close
from hpcsnn.storage.snapshot import take_snapshot


def write_network(path: Path, simulation: Simulation) -> None:
    """Write the network as it stands to a new file at `path`; a collective call.

    Raises:
        StorageError: there is such a file, no such folder, or it cannot be written; on all ranks, and nothing is left.
        SimulationError: a variable is not finite; likewise.
    """
    snapshot, ranks, rank = take_snapshot(simulation), simulation.communicator, simulation.rank
    folder = path.with_name(f"{path.name}.partial")

    def prepare() -> None:
        if path.exists() or path.is_symlink():
            raise StorageError(f"{path}: is there already; give another path, or remove it")
        folder.mkdir()

    def end(parts: list[Written]) -> None:
        close(folder / WHOLE, parts)
        (folder / WHOLE).rename(path)

    on_first_rank(ranks, prepare)
    try:
        written = on_every_rank(ranks, lambda: write_part(folder, snapshot, rank, simulation.n_ranks))
        parts = ranks.gather(written)
        on_every_rank(ranks, lambda: join_part(folder, parts, rank))
        on_first_rank(ranks, lambda: end(parts))
    finally:
        on_first_rank(ranks, lambda: shutil.rmtree(folder, ignore_errors=True))
