"""What a training has learnt, as arrays: its digest, its group on disk, and the network that has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.digest import fingerprint
from hpcsnn.engine.learning.groups import in_order
from hpcsnn.errors import DamageError, StorageError
from hpcsnn.models.connectors import ExplicitList
from hpcsnn.models.parameters import GivenValues
from hpcsnn.network import Network

Columns = Mapping[str, NDArray[Any]]
_MEANINGS = {
    "pre": "source neuron",
    "post": "target neuron",
    "feedback": "weight by which an output's error comes back",
}


@dataclass(frozen=True)
class Learnt:
    """What a training has learnt, or the part of it that one of the ranks has which share a network.

    Attributes:
        batches: how many it has learnt from.
        synapses: of each projection that is trained ``pre``, ``post``, ``weight`` and the optimiser's variables,
            (n_synapses,) each, by post, then pre.
        readout: what is trained of the readout's neurons, and its optimiser's variables, by name, in the order of ids.
        feedback: by hidden population the weights that errors come back by, where these learn, and the optimiser's
            variables of them, (neurons, outputs) each.
        carried: where state is carried on from sample to sample, that of each place in a batch, by array, (places,
            slots, values) each; see `hpcsnn.engine.learning.lanes`.
    """

    batches: int
    synapses: Mapping[str, Columns]
    readout: Columns
    feedback: Mapping[str, Columns] = field(default_factory=dict)
    carried: Columns = field(default_factory=dict)

    def digest(self) -> str:
        """One SHA-256 of all of it: equal for equal bits, whatever ranks."""
        return digest_of(self.batches, [self.fingerprints()])

    def fingerprints(self) -> dict[str, int]:
        """What the digest is made from, by what it is of; those of parts add up, modulo 2^64."""
        record: dict[str, int] = {}
        for name, columns in self.synapses.items():
            ends = [columns["pre"].astype(np.int32), columns["post"].astype(np.int32)]
            own = [columns[one] for one in sorted(columns) if one not in ("pre", "post")]
            record[name] = fingerprint([*ends, *own])
        if self.readout:
            record["readout"] = fingerprint([self.readout[name] for name in sorted(self.readout)])
        for population, arrays in self.feedback.items():
            pairs = np.indices(arrays["feedback"].shape, dtype=np.int32).reshape(2, -1)
            own = [arrays[name].ravel() for name in sorted(arrays)]
            record[f"feedback of {population}"] = fingerprint([*pairs, *own])
        for name, values in self.carried.items():
            words = np.ascontiguousarray(values).view(np.uint32).reshape(len(values), -1)
            record[f"carried {name}"] = fingerprint(
                [*np.indices(words.shape, dtype=np.int32).reshape(2, -1), words.ravel()]
            )
        return record

    @classmethod
    def joined(cls, parts: Sequence[Learnt]) -> Learnt:
        """All that the ranks have which share a network; the first one has the readout."""
        first = parts[0]
        if len(parts) == 1:
            return first
        synapses = {
            name: in_order([dict(part.synapses[name]) for part in parts], "post", "pre") for name in first.synapses
        }
        return replace(first, synapses=synapses)

    def write(self, path: Path) -> None:
        """Write it as a zipped Zarr group."""
        import zarr
        from zarr.storage import ZipStore

        parts = {"readout": self.readout}
        parts |= {f"projections/{name}": columns for name, columns in self.synapses.items()}
        parts |= {f"feedback/{name}": arrays for name, arrays in self.feedback.items()}
        parts |= {"carried": self.carried} if self.carried else {}
        with ZipStore(path, mode="w") as store:
            facts = {"batches_done": self.batches, "digest": self.digest()}
            group = zarr.create_group(store, attributes=facts, zarr_format=3)
            for part, arrays in parts.items():
                for name, values in arrays.items():
                    dimensions = _dimensions(part, name, arrays)
                    group.create_array(
                        f"{part}/{name}", data=np.ascontiguousarray(values), dimension_names=dimensions,
                        attributes={"long_name": _MEANINGS.get(name, name)},
                    )  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Learnt:
        """The reverse of `write`.

        Raises:
            StorageError: there is none.
            DamageError: it is not what was written: its digest is another.
        """
        import zarr
        from zarr.storage import ZipStore

        try:
            store = ZipStore(path, mode="r")  # whose `with` needs a file that could be opened
            group: Any = zarr.open_group(store, mode="r")
            synapses = {name: _columns(of) for name, of in group["projections"].groups()}
            readout = _columns(group["readout"]) if "readout" in group else {}
            feedback = {name: _columns(of) for name, of in group["feedback"].groups()} if "feedback" in group else {}
            digest, batches = str(group.attrs["digest"]), int(group.attrs["batches_done"])
            carried = _columns(group["carried"]) if "carried" in group else {}
            learnt = cls(batches, synapses, readout, feedback, carried)
            found = learnt.digest()
            store.close()
        except (KeyError, OSError, ValueError, TypeError, BadZipFile) as error:
            raise StorageError(f"{path}: is no training, or is damaged: {error}") from None
        if found != digest:
            raise DamageError(f"{path}: is damaged: what it holds has the digest {found}, not {digest}")
        return learnt

    def network(self, given: Network, readout: str) -> Network:
        """A network as it was given, with the weights, wiring and biases that were learnt."""
        other = Network(given.seed, given.dt_ms)
        for name, population in given.populations.items():
            initial = dict(population.initial)
            if name == readout:
                of_model = {variable.name for variable in population.state}
                initial |= {key: values for key, values in self.readout.items() if key in of_model}
            other.add_population(name, population.grid, population.model, initial, population.record_spikes)
        for name, projection in given.projections.items():
            connector, delay_ms = projection.connector, _as_given(projection.delay_ms)
            weight = _as_given(projection.weight if projection.weights is None else projection.weights)
            if not projection.has_weight:
                weight = None
            if name in self.synapses:
                rows = self.synapses[name]
                connector = ExplicitList(pre=rows["pre"], post=rows["post"], weight=rows["weight"])
                weight = projection.weight
            other.add_projection(
                name, projection.source.name, projection.target.name, connector, projection.receptor, weight,
                projection.synapse, delay_ms, projection.rewiring, None, True, projection.record_events,
                projection.dendritic_delay_ms,
            )  # fmt: skip
            # No weight is drawn any more; but the unit of input goes by it, and with another one bits would be others.
            other.projections[name] = replace(other.projections[name], weights=projection.weights)
        return other


def _as_given(value: Any) -> Any:
    """What `Network.add_projection` was given for it."""
    return value.values if isinstance(value, GivenValues) else value


def digest_of(batches: int, parts: Sequence[Mapping[str, int]]) -> str:
    """The digest of what was learnt from so many batches, from the fingerprints of all its parts."""
    totals = {name: sum(part[name] for part in parts) % 2**64 for name in parts[0]}
    return hashlib.sha256(json.dumps({"batches": batches, **totals}, sort_keys=True).encode()).hexdigest()


def _dimensions(part: str, name: str, beside: Collection[str]) -> tuple[str, ...]:
    """Names of the dimensions of an array of one part, so that the part is a Dataset."""
    if part == "carried":  # of different sizes
        return tuple(f"{name}.{of}" for of in ("place", "slot", "value"))
    from hpcsnn.storage.descriptions import free_name

    names = {"readout": ("neuron",), "feedback": ("neuron", "output")}.get(part.partition("/")[0], ("synapse",))
    return tuple(free_name(one, beside) for one in names)


def _columns(group: Any) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(array[:]) for name, array in group.arrays()}
