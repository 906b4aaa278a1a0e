"""Connectors with exactly so many synapses: of each target, of each source, in all. No pair is drawn twice.

A target draws its K sources in two rounds. The first lists candidates, each source with a chance a little above K / n,
by the gaps between them, and counts them; the second lists them once more, by the same random numbers, and keeps K of
the m that there are (selection sampling: each with the chance of what is left to be taken by what is left to be seen).
Every set of K sources comes out alike, since of m listed ones every set is; nothing is stored, and a target costs its
synapses. Should there be fewer than K, the list is drawn anew.

Where sources, or the whole projection, have so many synapses, a rank works out on the host how many of them its own
targets have (`hpcsnn.models.connectors.shares`), whatever other ranks do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.chance_tables import survival_table
from hpcsnn.models.connectors.connector import SELF_CONNECTIONS, Connector
from hpcsnn.models.connectors.rows import OwnTargets
from hpcsnn.models.connectors.shares import Whole, shares
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.tables import PlacementContext, Table

# Entries of a table of gaps, and sources whose synapses are shared out at a time.
_MOST_GAPS = 2**14
_AT_ONCE = 2**18

# `wanted` synapses of a target; `chosen` goes ahead of `random` by the candidates that are listed.
_DRAW_SOURCES = """
const int n_candidates = self_connections ? n_sources : n_sources - 1;
auto chosen = random;
int n_listed = 0;
while (n_listed < wanted) {
    n_listed = 0;
    random = chosen;
    for (int at = -1; at < n_candidates;) {
        const int steps = waiting_steps(gap, n_gap, chosen.next());
        at += steps > n_gap ? n_gap : steps;
        if (steps <= n_gap && at < n_candidates) ++n_listed;
    }
}
for (int at = -1, missing = wanted; missing > 0;) {
    const int steps = waiting_steps(gap, n_gap, random.next());
    at += steps > n_gap ? n_gap : steps;
    if (steps > n_gap) continue;
    uint32 rest;
    if ((int)choose(chosen.next(), (uint32)n_listed--, &rest) >= missing) continue;
    --missing;
    connect(!self_connections && at >= id ? at + 1 : at);
}
"""


def _gaps(likely_most: float, n_candidates: int) -> NDArray[np.uint32]:
    """Gaps between candidates, of which there are seldom fewer than `likely_most`."""
    p = min(max((likely_most + 3.0 * math.sqrt(likely_most) + 3.0) / max(n_candidates, 1), 2.0**-31), 1 - 2.0**-32)
    return survival_table(np.array([p]), min(math.ceil(3.0 / p), _MOST_GAPS))[0]


def _candidates(values: Mapping[str, Any], n_partners: int) -> int:
    """Partners that a neuron may have a synapse with."""
    return n_partners if values["self_connections"] else n_partners - 1


def _refuse_more_than(where: str, name: str, asked: int, most: int, partners: str) -> None:
    if asked > most:
        raise ConfigurationError(f"{where}.{name}: {asked} is not allowed; must be <= {most}, {partners}")


def _n_sources(context: PlacementContext) -> int:
    return context.source_nx * context.source_ny


# -- of each target ----------------------------------------------------------------------------------------------------


def _gaps_of_in_degree(context: PlacementContext) -> NDArray[np.uint32]:
    return _gaps(context.values["in_degree"], _candidates(context.values, _n_sources(context)))


def _in_degree(values: Mapping[str, Any], *_sizes: int) -> int:
    return int(values["in_degree"])


def _check_in_degree(where: str, values: Mapping[str, Any], n_sources: int, _n_targets: int) -> None:
    most = _candidates(values, n_sources)
    _refuse_more_than(where, "in_degree", values["in_degree"], most, "the sources that a target may have")


FixedInDegree = Connector(
    "fixed_in_degree",
    "Every target draws so many distinct sources, all sets of them alike.",
    parameters={
        "in_degree": Parameter(None, "synapses", "of each target", ctype="int", minimum=0),
        "self_connections": SELF_CONNECTIONS,
    },
    tables={"gap": Table("uint32", _gaps_of_in_degree)},
    check_sizes=_check_in_degree,
    expected_in_degree=_in_degree,
    most_sources=_in_degree,
    connect="const int wanted = in_degree;" + _DRAW_SOURCES,
    source="Selection sampling: Fan, Muller & Rezucha 1962; Knuth, TAOCP 2, algorithm 3.4.2 S",
)

# -- of each source ----------------------------------------------------------------------------------------------------


def _sources_of_own(context: PlacementContext) -> NDArray[np.int64]:
    """Where in this array the sources of this rank's targets begin, one entry a target and one for the end; these."""
    targets = OwnTargets(context.global_id)
    n_sources, n_targets = _n_sources(context), context.nx * context.ny
    out_degree, self_connections = context.values["out_degree"], context.values["self_connections"]

    def places(first: Whole, behind: Whole, source: Whole) -> Whole:
        all_of_them = behind - first
        return all_of_them if self_connections else all_of_them - ((source >= first) & (source < behind))

    assert context.words is not None
    pre, post = [targets.ids[:0]], [targets.ids[:0]]
    at_a_time = max(1, _AT_ONCE // max(1, out_degree))
    for begin in range(0, n_sources, at_a_time):
        sources = np.arange(begin, min(begin + at_a_time, n_sources), dtype=np.int64)
        degrees = np.full_like(sources, out_degree)
        source, target, _ = shares(targets.ids, n_targets, sources, degrees, places, context.words)
        pre.append(source)
        post.append(target)
    sources = np.concatenate(pre)
    first, order = targets.by_row(targets.rows(np.concatenate(post)), sources)
    return np.concatenate([len(first) + first, sources[order]])


def _mean_of_out_degree(values: Mapping[str, Any], n_sources: int, n_targets: int) -> float:
    return float(values["out_degree"]) * n_sources / n_targets


def _out_degree(values: Mapping[str, Any], _n_targets: int) -> int:
    return int(values["out_degree"])


def _check_out_degree(where: str, values: Mapping[str, Any], _n_sources: int, n_targets: int) -> None:
    most = _candidates(values, n_targets)
    _refuse_more_than(where, "out_degree", values["out_degree"], most, "the targets that a source may have")


FixedOutDegree = Connector(
    "fixed_out_degree",
    "Every source draws so many distinct targets, all sets of them alike.",
    parameters={
        "out_degree": Parameter(None, "synapses", "of each source", ctype="int", minimum=0),
        "self_connections": SELF_CONNECTIONS,
    },
    tables={"drawn": Table("int", _sources_of_own)},
    check_sizes=_check_out_degree,
    expected_in_degree=_mean_of_out_degree,
    most_targets=_out_degree,
    connect="for (int k = drawn[target]; k < drawn[target + 1]; ++k) connect(drawn[k]);",
)

# -- in all ------------------------------------------------------------------------------------------------------------


def _degrees_of_own(context: PlacementContext) -> NDArray[np.int64]:
    targets = OwnTargets(context.global_id)
    of_each = _candidates(context.values, _n_sources(context))

    def places(first: Whole, behind: Whole, _owner: Whole) -> Whole:
        return of_each * (behind - first)

    assert context.words is not None
    whole, total = np.zeros(1, dtype=np.int64), np.array([context.values["n_synapses"]], dtype=np.int64)
    _, target, number = shares(targets.ids, context.nx * context.ny, whole, total, places, context.words)
    degrees = np.zeros(len(targets.ids), dtype=np.int64)
    degrees[targets.rows(target)] = number
    return degrees


def _gaps_of_total(context: PlacementContext) -> NDArray[np.uint32]:
    mean = context.values["n_synapses"] / (context.nx * context.ny)
    return _gaps(mean + 6.0 * math.sqrt(mean), _candidates(context.values, _n_sources(context)))


def _mean_of_total(values: Mapping[str, Any], _n_sources: int, n_targets: int) -> float:
    return float(values["n_synapses"]) / n_targets


def _check_total(where: str, values: Mapping[str, Any], n_sources: int, n_targets: int) -> None:
    most = _candidates(values, n_sources) * n_targets
    _refuse_more_than(where, "n_synapses", values["n_synapses"], most, "the pairs that there are")


FixedTotal = Connector(
    "fixed_total",
    "So many distinct pairs in all, all sets of them alike.",
    parameters={
        "n_synapses": Parameter(None, "synapses", "in the whole projection", ctype="int", minimum=0),
        "self_connections": SELF_CONNECTIONS,
    },
    tables={"degree": Table("int", _degrees_of_own), "gap": Table("uint32", _gaps_of_total)},
    check_sizes=_check_total,
    expected_in_degree=_mean_of_total,
    connect="const int wanted = degree[target];" + _DRAW_SOURCES,
)
