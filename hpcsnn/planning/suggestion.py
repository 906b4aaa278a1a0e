"""How many ranks pay for a network, by a model of what work and messages cost."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from hpcsnn.checked_numbers import Limits, real_number
from hpcsnn.planning.cost_model import CostModel, Prediction
from hpcsnn.planning.measured import EXCHANGE
from hpcsnn.planning.network_work import NetworkWork

LEAST_EFFICIENCY = 0.5
_MOST_RANKS = 2**20
_WORDS = {
    "neurons": "neurons",
    "delivery": "delivering spikes",
    "plasticity": "plasticity",
    "rewiring": "rewiring",
    "recording": "recording",
    "host": "the host's part",
    "exchange_accept": "taking up others' spikes",
    "exchange_transfer": "messages",
    "exchange_wait": "waiting for the slowest rank",
}


class Candidate(BaseModel):
    """A number of ranks: seconds of a step, by phase and in all, and the efficiency beside one rank."""

    ranks: int
    step_s: float
    efficiency: float
    phases_s: dict[str, float]


class Suggestion(BaseModel):
    """The most ranks whose efficiency is high enough, those that were looked at, and why not more, in words."""

    ranks: int
    least_efficiency: float
    candidates: list[Candidate]
    why: str


def suggested(model: CostModel, work: NetworkWork, least_efficiency: float = LEAST_EFFICIENCY) -> Suggestion:
    """The most ranks, in powers of two, that have at least this efficiency, as all that are fewer do.

    Raises:
        ConfigurationError: an efficiency that is not above 0 and at most 1.
    """
    limits = Limits(above=0.0, maximum=1.0, in_kernels=False)
    least = real_number("--least-efficiency", least_efficiency, limits)
    predictions = [model.predict(work, n) for n in _numbers(min(work.tiles, _MOST_RANKS))]
    alone_s = predictions[0].step_s
    candidates = [
        Candidate(
            ranks=one.ranks,
            step_s=one.step_s,
            efficiency=alone_s / (one.ranks * one.step_s),
            phases_s=one.phases_s,
        )
        for one in predictions
    ]
    enough = next((n for n, one in enumerate(candidates) if one.efficiency < least), len(candidates))
    chosen = max(enough - 1, 0)
    shown = candidates[: chosen + 3]
    return Suggestion(
        ranks=candidates[chosen].ranks,
        least_efficiency=least,
        candidates=shown,
        why=_why(predictions, shown, chosen, least),
    )


def _numbers(most: int) -> list[int]:
    return [2**power for power in range(most.bit_length()) if 2**power <= most]


def _why(predictions: Sequence[Prediction], candidates: Sequence[Candidate], chosen: int, least: float) -> str:
    if chosen + 1 == len(candidates):
        return f"more have nothing to do: {predictions[chosen].ranks} ranks have one tile or two of the network each"
    beyond, after = candidates[chosen + 1], predictions[chosen + 1]
    alone = predictions[0].phases_s
    lost = {name: seconds - alone.get(name, 0.0) / after.ranks for name, seconds in after.phases_s.items()}
    most = sorted(lost, key=lambda name: -lost[name])[:2]
    parts = " and ".join(f"{lost[name] * 1e6:,.1f} µs for {_WORDS[name]}" for name in most if lost[name] > 0)
    exchange_s = sum(after.phases_s[name] for name in EXCHANGE)
    return (
        f"{beyond.ranks} ranks would have an efficiency of {beyond.efficiency:.2f}, below {least:g}: of their "
        f"{beyond.step_s * 1e6:,.1f} µs a step {exchange_s * 1e6:,.1f} go to the exchange of spikes; what comes on top "
        f"of their share of one rank's time is {parts or 'nothing'}"
    )
