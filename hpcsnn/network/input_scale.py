"""In how many bits, and in which unit, a projection's input adds up: fixed point, so that order does not matter.

A spike's amount is a whole number of units: the amount times ``scale``, rounded to nearest, halves away from zero
(``add_input`` in kernels/base/network.cuh). Two things are proven here before anything runs:

- **No sum can overflow.** Rounding is monotone, so no amount is more units than the largest one, ``limit``; in a step a
  synapse brings one amount at most, and a target has so many synapses at most. What cannot be proven of weights is
  checked at each spike that is delivered (`can_outgrow`), and the run stops before such an amount is added.
- **The smallest weight counts.** It is at least 2^20 units, so rounding changes it by 2^-21 of itself at most. The
  smallest is that of all weights that do not change; where plasticity or a rule moves weights, which may then be as
  small as they like, the smallest with which they begin, and where they begin at 0, the bound; where they are drawn,
  the width of what they are drawn from.

Where 32 bits do not do both, the sum has 64: below 2^51 units where that is enough, since such a sum becomes a float32
by vector instructions, else below 2^62. What fits neither is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcsnn.checked_numbers import LARGEST_NUMBER
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.connectors import Connector
from hpcsnn.models.parameters import Normal, Uniform
from hpcsnn.models.snippet_text import without_comments

if TYPE_CHECKING:
    from hpcsnn.network.projection import Projection

# The smallest weight is at least so many bits of units.
INPUT_RESOLUTION_BITS = 20
# No finer than this, unless weights are so small that they need it.
_MOST_BITS = 60
# Beyond this, scale and unit are no normal float32.
_LAST_BITS = 126
# How far an amount may be beyond a bound that is checked: the bound is computed in float64, weights in float32.
_ROUNDING = 1.0 + 2.0**-20
# Where nothing brings anything, any scale will do.
_LEAST_BOUND = 1e-30


@dataclass(frozen=True)
class InputFormat:
    """How input adds up.

    Attributes:
        ctype: C++ type of a sum.
        scale: units in an amount of 1, a power of two.
        most: what no sum of units exceeds.
        smallest: the weight that the unit must resolve.
        limit: the largest absolute amount, as float32: beyond it the run stops, where that is checked.
        checked: whether it is.
    """

    ctype: str
    scale: float
    most: int
    smallest: float
    limit: float
    checked: bool

    @property
    def n_bits(self) -> int:
        """Of a sum."""
        return 32 if self.ctype == "int" else 64

    @property
    def vectorised(self) -> bool:
        """Whether a sum becomes a float32 by vector instructions on every processor."""
        return self.most <= _VECTORISED.most


@dataclass(frozen=True)
class _Sums:
    """A type of sums, and what none may exceed."""

    ctype: str
    most: int


@dataclass(frozen=True)
class _Totals:
    """The largest sum onto one neuron: in units, by their bits; as the weights are; and of how many synapses it is."""

    units: Callable[[int], int]
    largest: float
    n_synapses: int


_NARROW, _VECTORISED, _WIDE = _Sums("int", 2**31 - 1), _Sums("int64", 2**51 - 1), _Sums("int64", 2**62 - 1)


def weight_bound(projection: Projection) -> float:
    """Largest absolute amount that one spike brings to a target, as its models say.

    Raises:
        ConfigurationError: a model's ``bound`` that is no expression of what it may name, or no number >= 0.
    """
    synapse, where = projection.synapse, f"projections.{projection.name}"
    values, allowed = (
        {**synapse.values, "initial_weight": projection.weight},
        "the synapse's parameters, initial_weight",
    )
    bounds = [_evaluated(f"{where}.synapse.{synapse.name}", synapse.model.bound, values, allowed)]
    if synapse.model.weight_range is not None:
        bounds += map(abs, synapse.model.weight_range(synapse.values))
    if projection.rewiring is not None:
        rule, allowed = projection.rewiring, "the rule's parameters"
        bounds.append(_evaluated(f"{where}.rewiring.{rule.name}", rule.model.bound, dict(rule.values), allowed))
    given = projection.given_weights
    return max(*bounds, 0.0 if given is None else given.largest, _LEAST_BOUND)


def _evaluated(where: str, expression: str, values: dict[str, Any], allowed: str) -> float:
    names = {"__builtins__": {}, "abs": abs, "max": max}
    try:
        bound = float(eval(expression, names, values))
    except (NameError, SyntaxError, TypeError, ValueError, ArithmeticError) as error:
        raise ConfigurationError(
            f"{where}.bound: {expression!r} is not allowed; {error}, and it may use {allowed} only"
        ) from None
    if not (math.isfinite(bound) and bound >= 0):
        raise ConfigurationError(f"{where}.bound: {expression!r} is {bound:g}; must be a finite number >= 0")
    return bound


def can_outgrow(projection: Projection) -> bool:
    """Whether what a spike brings can be beyond the bound, for all that is known before the run."""
    synapse, rule = projection.synapse.model, projection.rule
    if synapse.deliver.strip() != "weight" or _gives_weights(projection.connector.model):
        return True
    if rule is not None and ("weight" in rule.initials or _names_weight(rule.update, rule.per_target)):
        return True
    return synapse.weight_range is None and bool(synapse.on_pre_spike.strip() or synapse.on_post_spike.strip())


def input_format(projection: Projection) -> InputFormat:
    """How a projection's input adds up.

    Raises:
        ConfigurationError: not even 64 bits resolve its smallest weight and hold its largest sum.
    """
    bound, smallest, checked = weight_bound(projection), smallest_weight(projection), can_outgrow(projection)
    if bound > LARGEST_NUMBER:
        raise ConfigurationError(
            f"projections.{projection.name}: a weight of {bound:g} is not allowed; kernels hold numbers up to "
            f"{LARGEST_NUMBER:g}"
        )
    limit = float(np.float32(min(bound * _ROUNDING, LARGEST_NUMBER) if checked else bound))
    needed = _bits_at_least(INPUT_RESOLUTION_BITS, smallest)
    finest = min(max(_MOST_BITS, needed), _LAST_BITS)
    n_synapses = projection.largest_in_degree

    totals = _Totals(lambda bits: n_synapses * whole_amount(limit, bits), n_synapses * limit, n_synapses)
    tried = [(_NARROW, totals)]
    if min(_most_bits(totals, _NARROW.most), finest) < needed:
        # What follows from the connector is tighter, but takes its lists to be added up.
        totals = _totals(projection, limit)
        tried = [(sums, totals) for sums in (_NARROW, _VECTORISED, _WIDE)]
    for sums, totals in tried:
        bits = min(_most_bits(totals, sums.most), finest)
        if bits >= needed:
            return InputFormat(sums.ctype, 2.0**bits, sums.most, smallest, limit, checked)
    where = f"projections.{projection.name}"
    if needed > _LAST_BITS:
        raise ConfigurationError(
            f"{where}: a weight of {smallest:g} is not allowed; must be 0 or at least "
            f"{2.0 ** (INPUT_RESOLUTION_BITS - _LAST_BITS):.3g}, the smallest that input resolves"
        )
    held = _WIDE.most.bit_length() - INPUT_RESOLUTION_BITS
    raise ConfigurationError(
        f"{where}: the smallest weight {smallest:g} is not allowed beside sums of up to {totals.largest:g} onto a "
        f"neuron ({totals.n_synapses:,} synapses of up to {bound:g} each); input adds up in whole numbers of 64 bits, "
        f"which hold 2^{held} times the smallest weight: it must be at least {totals.largest / 2.0**held:.3g}, or the "
        f"bound lower (synapse {projection.synapse.name}: {projection.synapse.model.bound})"
    )


def smallest_weight(projection: Projection) -> float:
    """The absolute weight that input must resolve; see the module."""
    given, model = projection.given_weights, projection.synapse.model
    if isinstance(projection.weights, Normal):
        return max(projection.weights.std, abs(projection.weights.mean), _LEAST_BOUND)
    if isinstance(projection.weights, Uniform):
        return max(abs(projection.weights.low), abs(projection.weights.high), _LEAST_BOUND)
    if model.weight_range is not None:
        low, high = model.weight_range(projection.synapse.values)
        if low > 0.0 or high < 0.0:
            return min(abs(low), abs(high))
    weights = [] if given is not None and projection.rewiring is None else [abs(projection.weight)]
    weights += [] if given is None else [given.smallest]
    return min((weight for weight in weights if 0.0 < weight < math.inf), default=weight_bound(projection))


def whole_amount(weight: float, bits: int) -> int:
    """Units that a spike of this weight (float32, shape ()) adds: as ``add_input`` rounds, without its overflow."""
    scaled = abs(float(np.float32(weight))) * 2.0**bits  # exact in float64
    units = int(scaled) if scaled >= 2.0**24 else math.floor(scaled + 0.5)  # beyond 2^24, float32 is whole
    return units if weight >= 0 else -units


def _totals(projection: Projection, limit: float) -> _Totals:
    """The largest sum that the connector makes possible."""
    connector, n_synapses = projection.connector, projection.largest_in_degree
    if projection.rewiring is None and connector.model.most_sources is not None:
        n_synapses = max(1, min(n_synapses, connector.model.most_sources(connector.values, projection.source.size)))
    if projection.rewiring is None and projection.synapse_list is not None:
        n_synapses = min(n_synapses, int(projection.synapse_list.in_degrees.max(initial=0)) or 1)
        synapse, given = projection.synapse.model, projection.given_weights
        static = not (synapse.on_pre_spike.strip() or synapse.on_post_spike.strip())
        if static and synapse.deliver.strip() == "weight" and given is not None and given.sums is not None:
            # The sum itself is rounded, once for each weight at most.
            largest = float(given.sums.max()) * (1.0 + n_synapses * 2.0**-52)
            return _Totals(lambda bits: math.ceil(largest * 2.0**bits + 0.5 * n_synapses), largest, n_synapses)
    return _Totals(lambda bits: n_synapses * whole_amount(limit, bits), n_synapses * limit, n_synapses)


def _most_bits(totals: _Totals, most: int) -> int:
    """The most bits with which a sum stays within `most`: each amount may have been rounded up."""
    bits = math.floor(math.log2(most / totals.largest)) if totals.largest else _LAST_BITS
    while totals.units(bits) > most:
        bits -= 1
    return bits


def _bits_at_least(n_bits: int, weight: float) -> int:
    """The least bits with which a weight is at least 2^n_bits units."""
    return n_bits + 1 - math.frexp(weight)[1]  # weight is at least 2^(exponent - 1), and less than twice that


def _names_weight(*texts: str) -> bool:
    return any(re.search(r"\bweight\b", without_comments(text)) for text in texts)


def _gives_weights(connector: Connector) -> bool:
    """Whether a connector's snippet gives weights of which nothing is known beforehand."""
    if connector.listed is not None:
        return False
    text = without_comments(connector.connect)
    for use in re.finditer(r"\bconnect\b(\s*\.\s*at\b)?", text):
        if use[1]:
            continue
        arguments = text[use.end() :].lstrip()
        if not arguments.startswith("(") or _has_two(arguments):
            return True
    return False


def _has_two(arguments: str) -> bool:
    """Whether a call has a comma between its own parentheses."""
    depth = 0
    for letter in arguments:
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return False
        if letter == "," and depth == 1:
            return True
    return True
