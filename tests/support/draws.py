"""Random numbers and chances once more, slow and plain, with the product's documented counters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

F = np.float32
MASK = 0xFFFFFFFF
PURPOSES = 4
INITIAL, CONNECT, SPIKES, ATTEMPTS = range(PURPOSES)


def philox(entity: int, step: int, stream: int, draw: int, seed: int) -> tuple[int, int, int, int]:
    """Philox4x32-10 as published: Salmon, Moraes, Dror & Shaw 2011."""
    counter, key = [entity & MASK, step & MASK, stream & MASK, draw & MASK], [seed & MASK, seed >> 32]
    for _ in range(10):
        low, high = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [(high >> 32) ^ counter[1] ^ key[0], high & MASK, (low >> 32) ^ counter[3] ^ key[1], low & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return counter[0], counter[1], counter[2], counter[3]


def threshold(probability: float) -> int:
    return round(probability * 2.0**32)


def two_choices(random: int, n: int, m: int) -> tuple[int, int]:
    """One of n, and with what is left of the 32 bits one of m."""
    first, rest = divmod(random * n, 2**32)
    return first, (rest * m) >> 32


def waiting(p: float, length: int, random: int) -> int:
    """Trials up to the first success, or length + 1: the k for which (1 - p)^k first falls to the random number."""
    for k in range(1, length + 1):
        survives = min(max(np.rint(np.exp(np.log1p(-p) * k) * 2.0**32) - 1.0, 0.0), 2.0**32 - 1.0)
        if random > survives:
            return k
    return length + 1


def sampled(candidates: list[int], wanted: int, words: Iterator[int]) -> list[int]:
    """So many of the candidates that are listed by chance, each by what is left to be taken and to be seen."""
    p = min(max((wanted + 3 * math.sqrt(wanted) + 3) / max(len(candidates), 1), 2.0**-31), 1 - 2.0**-32)
    length = min(math.ceil(3 / p), 2**14)
    listed: list[int] = []
    while len(listed) < wanted:
        listed, at = [], -1
        while at < len(candidates):
            steps = waiting(p, length, next(words))
            at += min(steps, length)
            if steps <= length and at < len(candidates):
                listed.append(candidates[at])
    taken: list[int] = []
    for seen, one in enumerate(listed):
        if len(taken) < wanted and next(words) * (len(listed) - seen) >> 32 < wanted - len(taken):
            taken.append(one)
    return taken


def gaussian_threshold(values: Any, squared: int) -> int:
    """2^32 times the chance at this squared distance, and zero where the chance is below 2^-32."""
    if values["p_max"] < 2.0**-32 or squared > math.floor(
        2 * values["sigma"] ** 2 * math.log(values["p_max"] * 2.0**32)
    ):
        return 0
    return threshold(values["p_max"] * float(np.exp(-squared / (2 * values["sigma"] ** 2))))


def spike_hash(step: int, neuron: int) -> int:
    """splitmix64 of both."""
    mask = 2**64 - 1
    z = ((step << 32 | neuron) + 0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


def uniform(word: int) -> F:
    return F(word >> 8) * F(2.0**-24)


def alias_table(chances: list[float]) -> tuple[list[int], list[int]]:
    """Walker's alias table as Vose fills it."""
    n, total = len(chances), sum(chances)
    share = [chance / total * n for chance in chances]
    other, keep = list(range(n)), [1.0] * n
    small, large = [k for k in range(n) if share[k] < 1], [k for k in range(n) if share[k] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], other[low], share[high] = share[low], high, share[high] - (1 - share[low])
        if share[high] < 1:
            small.append(large.pop())
    return other, [min(round(k * 2.0**32), 2**32 - 1) for k in keep]


class Draws:
    """Numbers 0, 1, .. of an entity in an update."""

    def __init__(self, seed: int, entity: int, now: int, stream: int, first: int = 0, pre: int | None = None) -> None:
        self._seed, self._entity, self._now, self._stream, self._used, self._pre = seed, entity, now, stream, first, pre

    def __call__(self) -> int:
        block, place = divmod(self._used, 4)
        self._used += 1
        stream, draw = (self._stream, block) if self._pre is None else (self._stream | block << 16, self._pre)
        return philox(self._entity, self._now, stream, draw, self._seed)[place]
