"""Samples: what is binned, chosen, split and augmented is what a plain loop makes of it, or is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn.errors import ConfigurationError
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.data.spikes import bernoulli_spikes, steps_of, stratified_choice
from support.messages import as_pattern

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 3)), max_size=40)


def made(events, labels=(0, 1, 2, 0, 1), dt_ms=0.5):
    """Samples of (sample, step, channel), five of them of seven steps."""
    sample, step, channel = np.array(events, dtype=np.int64).reshape(-1, 3).T
    times_ms = (step + 0.25) * dt_ms
    return Samples.from_events(
        sample, times_ms, channel, n_channels=4, duration_ms=7 * dt_ms, dt_ms=dt_ms, labels=list(labels)
    )


def triples(samples):
    """(sample, step, channel) of each event, by a loop over samples."""
    return [
        (k, int(samples.event_steps[e]), int(samples.event_channels[e]))
        for k in range(len(samples))
        for e in range(samples.first_event[k], samples.first_event[k + 1])
    ]


@given(EVENTS)
def test_binning_keeps_each_place_once_in_order(events):
    samples = made(events)
    assert triples(samples) == sorted(set(events))
    assert (samples.n_steps, samples.n_channels, samples.dt_ms, samples.n_classes) == (7, 4, 0.5, 3)
    assert samples.first_event.dtype == np.int64
    assert {samples.event_steps.dtype, samples.event_channels.dtype, samples.labels.dtype} == {np.dtype(np.int32)}


@given(EVENTS, st.lists(st.integers(0, 4), max_size=8))
def test_selection_takes_samples_with_all_that_is_theirs(events, indices):
    samples = replace(made(events), first_scored_step=np.arange(5))
    chosen = samples.select(indices)
    expected = [(new, s, c) for new, old in enumerate(indices) for k, s, c in triples(samples) if k == old]
    assert triples(chosen) == expected
    for name in ("labels", "first_scored_step", "ids"):
        assert getattr(chosen, name).tolist() == [getattr(samples, name)[k] for k in indices]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_a_split_is_a_partition_with_each_label_as_often_as_its_share(labels, fraction, seed):
    none = np.zeros(0)
    samples = Samples.from_events(none, none, none, n_channels=1, duration_ms=1, labels=labels, n_classes=4)
    rest, held = samples.split(fraction, seed)
    assert sorted([*rest.ids, *held.ids]) == list(range(len(labels)))
    assert rest.ids.tolist() == sorted(rest.ids)
    assert len(held) == int(np.rint(fraction * len(labels)))
    for label in set(labels):
        share = len(held) * labels.count(label) / len(labels)
        assert abs((held.labels == label).sum() - share) < 1
    again = samples.split(fraction, seed)[1]
    assert again.ids.tolist() == held.ids.tolist()


def test_a_split_depends_on_its_seed_and_is_the_same_everywhere():
    chosen = [stratified_choice(np.arange(20) % 2, 20, 6, seed).tolist() for seed in (1, 2)]
    assert chosen[0] != chosen[1]
    words = np.random.Philox(np.random.SeedSequence(1)).random_raw(20)
    by_hand = sorted(
        sorted(range(0, 20, 2), key=lambda k: words[k])[:3] + sorted(range(1, 20, 2), key=lambda k: words[k])[:3]
    )
    assert chosen[0] == by_hand


def test_samples_without_labels_are_split_too():
    targets = np.arange(5 * 7 * 2).reshape(5, 7, 2)
    samples = Samples.from_events([4, 0], [0.5, 6], [0, 1], n_channels=2, duration_ms=7, targets=targets)
    rest, held = samples.split(0.4, 3)
    assert len(rest) == 3
    assert len(held) == 2
    assert held.n_classes == 0
    assert np.array_equal(held.targets, targets[held.ids].astype(np.float32))


@pytest.mark.parametrize("dt_ms", [0.1, 0.25, 1.0, 1 / 3])
def test_a_time_that_is_a_whole_number_of_steps_is_in_the_step_that_begins_there(dt_ms):
    steps = np.arange(0, 10_000_000, 977)
    for times_ms in (steps * dt_ms, np.nextafter(steps * dt_ms, -np.inf), np.nextafter(steps * dt_ms, np.inf)):
        assert np.array_equal(steps_of(np.abs(times_ms), dt_ms), steps)
    assert steps_of(np.array([0.999999, 1.0 - 1e-12, 1.5]) * dt_ms, dt_ms).tolist() == [0, 1, 1]


def test_what_is_random_about_a_sample_depends_neither_on_order_nor_on_its_company():
    samples = made([(k, s, c) for k in range(5) for s in range(7) for c in range(4)])

    def thinned(steps, channels, random):
        kept = random.random(steps.size) < 0.5
        return steps[kept], channels[kept]

    whole = samples.augmented(thinned, seed=3, epoch=1)
    for order in ([3, 1], [4, 3, 2, 1, 0]):
        assert triples(samples.select(order).augmented(thinned, 3, 1)) == triples(whole.select(order))
    assert 0 < len(whole.event_steps) < len(samples.event_steps)
    assert triples(samples.augmented(thinned, 3, 2)) != triples(whole) != triples(samples.augmented(thinned, 4, 1))
    assert whole.labels.tolist() == samples.labels.tolist()


def test_augmented_events_come_in_any_order_and_twice():
    samples = made([(0, 1, 2), (0, 3, 1), (2, 0, 0)])
    doubled = samples.augmented(lambda steps, channels, _: (np.tile(steps, 2)[::-1], np.tile(channels, 2)[::-1]), 0, 0)
    assert triples(doubled) == triples(samples)


def test_samples_of_an_iterable_are_those_of_their_events():
    items = [(np.array([[0.2, 1], [3.0, 0]]), 1), (np.zeros((0, 2)), 0)]
    plain = Samples.from_iterable(iter(items), n_channels=2, duration_ms=4)
    assert triples(plain) == [(0, 0, 1), (0, 3, 0)]
    assert (plain.labels.tolist(), plain.n_classes) == ([1, 0], 2)
    fields = [("t", int), ("x", int), ("y", int), ("p", bool)]
    camera = [(np.array([(1999, 2, 1, True), (2000, 0, 0, False)], dtype=fields), 0)]
    samples = Samples.from_iterable(camera, n_channels=12, duration_ms=4, sensor=(3, 2, 2))
    assert triples(samples) == [(0, 1, (1 * 3 + 2) * 2 + 1), (0, 2, 0)]
    goal = [(np.zeros((0, 2)), np.ones((4, 1)))]
    assert Samples.from_iterable(goal, n_channels=1, duration_ms=4).targets.shape == (1, 4, 1)


def test_arrays_cannot_be_written_through_samples():
    samples = made([(0, 1, 2)])
    with pytest.raises(ValueError, match="read-only"):
        samples.labels[0] = 2


def test_bursts_spike_by_chance():
    start, length = np.array([0, 5, 2]), np.array([4000, 3000, 7])
    burst, step = bernoulli_spikes(start, length, np.array([0.02, 0.3, 1.0]), np.random.default_rng(1))
    for k, chance in enumerate((0.02, 0.3)):
        own = step[burst == k]
        mean, std = length[k] * chance, np.sqrt(length[k] * chance * (1 - chance))
        assert abs(own.size - mean) < 5 * std
        assert start[k] <= own.min() < own.max() < start[k] + length[k]
        assert np.unique(own).size == own.size
    assert sorted(step[burst == 2]) == list(range(2, 9))


GOOD = {"sample": [0, 1], "time_ms": [0.0, 3.5], "channel": [1, 0], "n_channels": 2, "duration_ms": 4, "labels": [0, 1]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"time_ms": [0, 4.0]}, "time_ms: 4.0 of event 1 is not allowed; must be a number in ms >= 0 and below 4"),
        ({"time_ms": [0, -1.0]}, "time_ms: -1.0 of event 1 is not allowed"),
        ({"time_ms": [np.nan, 1.0]}, "time_ms: nan of event 0 is not allowed"),
        ({"time_ms": [np.inf, 1.0]}, "time_ms: inf of event 0 is not allowed"),
        ({"time_ms": ["a", "b"]}, "time_ms: ['a', 'b'] is not allowed; must be a list of numbers, one per event"),
        ({"channel": [0, 2]}, "channel: 2 of event 1 is not allowed; must be a whole number >= 0 and below 2"),
        ({"channel": [0.5, 1]}, "channel: 0.5 of event 0 is not allowed; must be a whole number"),
        ({"sample": [0, 2]}, "sample: 2 of event 1 is not allowed; must be a whole number >= 0 and below 2"),
        ({"sample": [0]}, "events: have lengths 1, 2, 2; must be equally many"),
        (
            {"labels": [0, 2], "n_classes": 2},
            "labels: 2 of sample 1 is not allowed; must be a whole number >= 0 and below 2",
        ),
        ({"labels": [0, -1]}, "labels: -1 of sample 1 is not allowed"),
        ({"duration_ms": 4.5}, "duration_ms: 4.5 is not allowed; must be a whole number of steps of 1 ms"),
        ({"dt_ms": 0}, "dt_ms: 0 is not allowed; must be a number in ms > 0"),
        ({"n_channels": 0}, "n_channels: 0 is not allowed; must be a whole number >= 1"),
        ({"targets": np.zeros((2, 4, 1))}, "labels: are not allowed beside targets"),
        ({"labels": None, "targets": np.zeros((2, 3, 1))}, "targets: an array of shape (2, 3, 1) is not allowed"),
        ({"labels": None, "targets": np.full((2, 4, 1), np.nan)}, "targets: of sample 0 are not allowed"),
        (
            {"first_scored_ms": 4},
            "first_scored_step: 4 of sample 0 is not allowed; must be a whole number >= 0 and below 4",
        ),
        (
            {"n_channels": 2**31 - 1, "duration_ms": 2**31 - 1, "n_samples": 3, "labels": [0] * 3},
            "together at most 2^63 - 1",
        ),
    ],
)
def test_events_that_are_none_are_refused(changed, message):
    assert len(Samples.from_events(**GOOD)) == 2
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        Samples.from_events(**{**GOOD, **changed})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"first_event": [0, 2, 1, 3]}, "first_event: an array of shape (4,) is not allowed; must be ascending from 0"),
        ({"first_event": [0, 2]}, "first_event: an array of shape (2,) is not allowed"),
        (
            {"event_steps": [0, 0, 9]},
            "event_steps: 9 of event 2 is not allowed; must be a whole number >= 0 and below 4",
        ),
        ({"event_channels": [1, 1, 0]}, "event_steps: 0 of event 1 is not allowed; must be after the event before it"),
        ({"event_steps": [1, 0, 0]}, "event_steps: 0 of event 1 is not allowed; must be after the event before it"),
        ({"labels": [0]}, "labels: has shape (1,); must be one per sample, (2,)"),
        ({"ids": [1, 2, 3]}, "ids: has shape (3,); must be one per sample, (2,)"),
        ({"ids": [1, -2]}, "ids: -2 of sample 1 is not allowed; must be a whole number >= 0"),
        ({"first_scored_step": [1]}, "first_scored_step: has shape (1,); must be one per sample, (2,)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed, message):
    good = {"first_event": [0, 2, 3], "event_steps": [0, 0, 0], "event_channels": [0, 1, 0]}
    sizes = {"n_channels": 2, "n_steps": 4, "dt_ms": 1.0, "labels": [0, 1], "n_classes": 2}
    assert len(Samples(**good, **sizes)) == 2
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        Samples(**{**good, **sizes, **changed})


@pytest.mark.parametrize(
    ("item", "sensor", "message"),
    [
        (3, None, "sample 0: 3 is not allowed; must be (events, label)"),
        (
            (np.zeros((2, 3)), 0),
            None,
            "sample 0: an array of shape (2, 3) is not allowed; must be an array (events, 2)",
        ),
        (
            ([[0.0, 9.0]], 0),
            None,
            "sample 0: channel: 9 of event 0 is not allowed; must be a whole number >= 0 and below 4",
        ),
        (
            ([[7.0, 0.0]], 0),
            None,
            "sample 0: time: 7.0 of event 0 is not allowed; must be a number in ms >= 0 and below 4",
        ),
        (([[0.0, 0.0]], "a"), None, "label: 'a' of sample 0 is not allowed; must be a whole number >= 0"),
        (([[0.0, 0.0]], 0), (2, 2, 2), "sensor: (2, 2, 2) is not allowed; must be (width, height, polarities)"),
        (([[0.0, 0.0]], 0), (2, 2, 1), "sample 0: events without 'y' are not allowed; the sensor has 2"),
    ],
)
def test_items_that_are_no_samples_are_refused(item, sensor, message):
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        Samples.from_iterable([item], n_channels=4, duration_ms=4, sensor=sensor)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda steps, channels, _: None, "transform of sample 0: None is not allowed; must be (steps, channels)"),
        (
            lambda steps, channels, _: (steps + 9, channels),
            "transform of sample 0: steps: 10 of event 0 is not allowed",
        ),
        (
            lambda steps, channels, _: (steps, channels[:0]),
            "transform of sample 0: have lengths 1, 0; must be equally many",
        ),
    ],
)
def test_a_transform_that_makes_no_events_is_refused(transform, message):
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        made([(0, 1, 2)]).augmented(transform, 0, 0)


def test_indices_and_fractions_that_are_none_are_refused():
    samples = made([])
    with pytest.raises(ConfigurationError, match=as_pattern("indices: 5 of index 0 is not allowed")):
        samples.select([5])
    with pytest.raises(ConfigurationError, match=as_pattern("fraction: 1.5 is not allowed; must be a number >= 0 and")):
        samples.split(1.5, 0)
