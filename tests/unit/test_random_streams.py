"""Streams of random numbers: no two purposes, populations, projections or tags share one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.codegen.views import population_view
from support.random_networks import networks

# Far more populations or projections than a network can have, and still below the bits of tags.
INDICES = st.integers(0, 2**21)
TAG_SHIFT = 24


@given(st.tuples(st.sampled_from(Purpose), INDICES), st.tuples(st.sampled_from(Purpose), INDICES))
def test_streams_of_other_purposes_or_owners_differ(one, other):
    assert (stream(*one) == stream(*other)) == (one == other)


def test_streams_have_no_gaps():
    """All 32-bit numbers are used in order, so that as many owners as possible stay clear of the tags."""
    numbers = [stream(purpose, index) for index in range(50) for purpose in Purpose]
    assert sorted(numbers) == list(range(50 * len(Purpose)))


@given(st.lists(st.tuples(st.sampled_from(Purpose), INDICES), unique=True, max_size=20))
def test_a_tag_makes_of_every_stream_another_one(streams):
    numbers = [stream(*one) for one in streams]
    tagged = numbers + [number | tag << TAG_SHIFT for number in numbers for tag in Tag]
    assert max(Counter(tagged).values(), default=1) == 1
    assert all(0 <= number < 2**32 for number in tagged)


def test_tags_fit_into_their_bits():
    assert all(0 < tag < 2**8 for tag in Tag)
    assert len(set(Tag)) == len(Tag.__members__)


@settings(max_examples=40)
@given(networks())
def test_no_two_parts_of_a_network_draw_from_one_stream(network):
    kernels = [kernel for name in network.projections for kernel in (f"share_{name}", f"meet_{name}")]
    stage_of = dict.fromkeys(kernels, 0)
    views = [population_view(network, population, stage_of) for population in network.populations.values()]
    drawn = [view.stream_spikes for view in views]
    for view in views:
        for projection in view.incoming:
            drawn += [projection.stream_connect, projection.stream_attempts]
            drawn += [projection.stream_attempts | tag << TAG_SHIFT for tag in Tag]
    drawn += [stream(Purpose.INITIAL, index) for index in range(len(views))]
    drawn += [view.stream_spikes | Tag.CURRENT << TAG_SHIFT for view in views]
    assert len(drawn) == 3 * len(views) + (2 + len(Tag)) * len(network.projections)
    assert len(set(drawn)) == len(drawn)
