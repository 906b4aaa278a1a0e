"""Tasks that are made by chance: evidence accumulation and delayed XOR. Labels are told in the recall alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, whole_steps
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.data_set import DataSet, LoadedData, Request, Setting, counts_of_made
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.data.spikes import Spikes, bernoulli_spikes, joined, ordered_spikes

# Samples that are made at once.
_AT_ONCE = 1024


@dataclass(frozen=True)
class Activity:
    """A group of inputs that spikes at a rate for a while, in some of the samples.

    Attributes:
        samples: (n,) which.
        groups: (n,) which group, in each of them; or one for all.
        start, length: in steps.
        chance: of a spike of each input in each step.
    """

    samples: NDArray[np.int64]
    groups: Any
    start: int
    length: int
    chance: float


def spikes_of_groups(
    activities: list[Activity],
    group_size: int,
    n_groups: int,
    n_samples: int,
    n_steps: int,
    random: np.random.Generator,
) -> Spikes:
    """Independent spikes of every input of the groups; group g has the channels [g size, (g + 1) size)."""
    parts: list[list[NDArray[Any]]] = [[], [], [], [], []]
    for of in activities:
        groups = np.broadcast_to(np.asarray(of.groups), of.samples.shape)
        count = of.samples.size * group_size
        parts[0].append(np.repeat(of.samples, group_size))
        parts[1].append((groups[:, None] * group_size + np.arange(group_size)).ravel())
        for part, value in zip(parts[2:], (of.start, of.length, of.chance), strict=True):
            part.append(np.full(count, value))
    samples, channels, start, length, chance = (np.concatenate(part) for part in parts)
    burst, step = bernoulli_spikes(start, length, chance, random)
    return ordered_spikes(samples[burst], step, channels[burst], n_samples, group_size * n_groups, n_steps)


def evidence_steps(values: Mapping[str, Any], dt_ms: float) -> dict[str, int]:
    """Steps of a cue, of a cue with the silence before it, of the delay, of the recall, and of a whole sample."""
    steps = _steps_of_parts("evidence_accumulation", ("cue", "cue_every", "delay", "recall"), values, dt_ms)
    whole = int(values["n_cues"]) * steps["cue_every"] + steps["delay"] + steps["recall"]
    return steps | {"whole": _checked_steps("evidence_accumulation", whole)}


def xor_steps(values: Mapping[str, Any], dt_ms: float) -> dict[str, int]:
    """Steps of a cue, between two, of the delay, of the recall, and of a whole sample."""
    steps = _steps_of_parts("delayed_xor", ("cue", "recall"), values, dt_ms)
    steps |= _steps_of_parts("delayed_xor", ("between", "delay"), values, dt_ms, least=0)
    whole = 2 * steps["cue"] + steps["between"] + steps["delay"] + steps["recall"]
    return steps | {"whole": _checked_steps("delayed_xor", whole)}


def _steps_of_parts(
    task: str, names: tuple[str, ...], values: Mapping[str, Any], dt_ms: float, least: int = 1
) -> dict[str, int]:
    return {name: whole_steps(f"{task}.{name}_ms", values[f"{name}_ms"], dt_ms, least=least) for name in names}


def evidence_accumulation(n_samples: int, values: dict[str, Any], dt_ms: float, random: np.random.Generator) -> Samples:
    """Cues on the left or the right one after another, a delay, a recall: which side had more of them?

    Inputs are four groups: left, right, recall, noise. A sample favours one side, by chance: each of its cues is on the
    other one with probability `odds`. The label is 1 if most cues were on the right.

    Args:
        n_samples: how many.
        values: of the parameters of `EVIDENCE_ACCUMULATION`.
        dt_ms: length of a step.
        random: what is drawn from.
    """
    size = _group_size("evidence_accumulation", values["n_inputs"], 4)
    n_cues = int(values["n_cues"])
    if n_cues % 2 == 0:
        allowed = "must be odd, or both sides may have as many"
        raise ConfigurationError(f"evidence_accumulation.n_cues: {n_cues} is not allowed; {allowed}")
    steps = evidence_steps(values, dt_ms)
    cue, every, recall, n_steps = (steps[name] for name in ("cue", "cue_every", "recall", "whole"))
    if cue > every:
        allowed = f"must be at most cue_every_ms, {values['cue_every_ms']:g}"
        raise ConfigurationError(f"evidence_accumulation.cue_ms: {values['cue_ms']:g} is not allowed; {allowed}")
    chance = _chance("evidence_accumulation.rate_hz", values["rate_hz"], dt_ms)
    noise = _chance("evidence_accumulation.noise_hz", values["noise_hz"], dt_ms)
    favours_right = random.random((n_samples, 1)) < 0.5
    right = (random.random((n_samples, n_cues)) < values["odds"]) != favours_right
    labels = (right.sum(axis=1) > n_cues // 2).astype(np.int32)
    everyone = np.arange(n_samples)
    # The silence of a cue's interval comes first.
    cues = [
        Activity(everyone, right[:, k].astype(np.int64), k * every + every - cue, cue, chance) for k in range(n_cues)
    ]
    recalls = [Activity(everyone, 2, n_steps - recall, recall, chance), Activity(everyone, 3, 0, n_steps, noise)]
    spikes = spikes_of_groups(cues + recalls, size, 4, n_samples, n_steps, random)
    scored = np.full(n_samples, n_steps - recall, dtype=np.int32)
    return Samples.of_spikes(spikes, dt_ms, labels=labels, n_classes=2, first_scored_step=scored)


def delayed_xor(n_samples: int, values: dict[str, Any], dt_ms: float, random: np.random.Generator) -> Samples:
    """Two cues with a delay between them, a delay, a recall: were they different?

    Inputs are four groups: cue 0, cue 1, recall, noise. The four pairs of cues are equally often, in random order.
    Arguments as of `evidence_accumulation`.
    """
    size = _group_size("delayed_xor", values["n_inputs"], 4)
    steps = xor_steps(values, dt_ms)
    cue, between, recall, n_steps = (steps[name] for name in ("cue", "between", "recall", "whole"))
    chance = _chance("delayed_xor.rate_hz", values["rate_hz"], dt_ms)
    noise = _chance("delayed_xor.noise_hz", values["noise_hz"], dt_ms)
    pairs = random.permutation(np.arange(n_samples) % 4)
    first, second = np.divmod(pairs, 2)
    everyone = np.arange(n_samples)
    activities = [
        Activity(everyone, first, 0, cue, chance),
        Activity(everyone, second, cue + between, cue, chance),
        Activity(everyone, 2, n_steps - recall, recall, chance),
        Activity(everyone, 3, 0, n_steps, noise),
    ]
    spikes = spikes_of_groups(activities, size, 4, n_samples, n_steps, random)
    scored = np.full(n_samples, n_steps - recall, dtype=np.int32)
    labels = (first != second).astype(np.int32)
    return Samples.of_spikes(spikes, dt_ms, labels=labels, n_classes=2, first_scored_step=scored)


def _group_size(task: str, n_inputs: int, n_groups: int) -> int:
    if n_inputs % n_groups:
        raise ConfigurationError(f"{task}.n_inputs: {n_inputs} is not allowed; must be a multiple of {n_groups}")
    return int(n_inputs) // n_groups


def _chance(where: str, rate_hz: float, dt_ms: float) -> float:
    chance = rate_hz * dt_ms / 1000.0
    if chance > 1.0:
        allowed = f"must be at most {1000.0 / dt_ms:g} Hz, a spike in each step of {dt_ms:g} ms"
        raise ConfigurationError(f"{where}: {rate_hz:g} is not allowed; {allowed}")
    return chance


def _checked_steps(task: str, n_steps: int) -> int:
    if n_steps > LAST_STEP:
        raise ConfigurationError(f"{task}: samples of {n_steps} steps are not allowed; at most 2^31 - 1")
    return n_steps


def _made(make: Any, class_names: tuple[str, ...]) -> Any:
    def load(request: Request) -> LoadedData:
        parts = []
        for part, name in enumerate(("train", "test")):
            count = int(request.values[f"{name}_samples"])
            made = []
            for begin in range(0, count, _AT_ONCE):
                words = np.random.SeedSequence([request.seed, part, begin])
                random = np.random.Generator(np.random.Philox(words))
                made.append(make(min(_AT_ONCE, count - begin), request.values, request.dt_ms, random))
            parts.append(_one_after_another(made))
        return LoadedData(parts[0], parts[1], class_names)

    return load


def _one_after_another(parts: list[Samples]) -> Samples:
    spikes = joined([part.spikes for part in parts], parts[0].n_channels, parts[0].n_steps)
    labels = np.concatenate([part.labels for part in parts if part.labels is not None])
    scored = np.concatenate([part.first_scored_step for part in parts])
    n_classes = parts[0].n_classes
    return Samples.of_spikes(spikes, parts[0].dt_ms, labels=labels, n_classes=n_classes, first_scored_step=scored)


def _inputs(rate_hz: float) -> dict[str, Setting]:
    return {
        "n_inputs": Parameter(40, "inputs", "in four groups", "int", minimum=4, maximum=10**6),
        "rate_hz": Parameter(rate_hz, "Hz", "of a group that is active", minimum=0.0),
        "noise_hz": Parameter(10.0, "Hz", "of the group of noise", minimum=0.0),
    }


EVIDENCE_ACCUMULATION = DataSet(
    "evidence_accumulation",
    "Cues on two sides, a delay, a recall: which side had more (Bellec et al. 2020, Nat. Commun. 11:3625)?",
    _made(evidence_accumulation, ("left", "right")),
    lambda request: evidence_steps(request.values, request.dt_ms)["whole"],
    parameters={
        **counts_of_made(3200, 640),
        **_inputs(40.0),
        "n_cues": Parameter(7, "cues", "an odd number", "int", minimum=1, maximum=10**4),
        "odds": Parameter(0.3, "", "chance of a cue on the side that is not favoured", minimum=0.0, maximum=1.0),
        "cue_ms": Parameter(100.0, "ms", "length of a cue", above=0.0),
        "cue_every_ms": Parameter(150.0, "ms", "from the end of a cue to that of the next", above=0.0),
        "delay_ms": Parameter(1050.0, "ms", "between cues and recall", above=0.0),
        "recall_ms": Parameter(150.0, "ms", "length of the recall, in which the answer is scored", above=0.0),
    },
)
DELAYED_XOR = DataSet(
    "delayed_xor",
    "Two cues of two kinds with delays, a recall: were they different?",
    _made(delayed_xor, ("same", "different")),
    lambda request: xor_steps(request.values, request.dt_ms)["whole"],
    parameters={
        **counts_of_made(2000, 400),
        **_inputs(100.0),
        "cue_ms": Parameter(50.0, "ms", "length of a cue", above=0.0),
        "between_ms": Parameter(100.0, "ms", "between the cues", minimum=0.0),
        "delay_ms": Parameter(100.0, "ms", "between second cue and recall", minimum=0.0),
        "recall_ms": Parameter(50.0, "ms", "length of the recall, in which the answer is scored", above=0.0),
    },
)
