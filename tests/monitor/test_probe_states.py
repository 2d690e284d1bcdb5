"""The words and buckets of monitors."""

from __future__ import annotations

import pytest

from wagtail_multihost.nodeapi.probe_states import BAD, BUCKETS, LATENCY_BOUNDS, STATES, bucket_of, find_quantile


@pytest.mark.parametrize(("milliseconds", "bucket"), [(0, 0), (10, 0), (11, 1), (700, 6), (701, 7), (10**6, 10)])
def test_latency_is_counted_in_its_bucket(milliseconds: int, bucket: int) -> None:
    """A bound belongs to the bucket below it."""
    assert bucket_of(milliseconds) == bucket


def test_buckets_rise_and_bad_states_are_states() -> None:
    """As those rely on who store them."""
    assert sorted(LATENCY_BOUNDS) == list(LATENCY_BOUNDS)
    assert len(LATENCY_BOUNDS) + 1 == BUCKETS
    assert set(STATES) > BAD


def test_quantile_lies_within_its_bucket() -> None:
    """In a straight line between the bounds; of the last bucket only the lower bound is known."""
    counts = [0] * BUCKETS
    assert find_quantile(counts, 0.5) is None
    counts[2] = 10
    assert find_quantile(counts, 0.5) == 35
    assert find_quantile(counts, 1) == 50
    counts[-1] = 10
    assert find_quantile(counts, 0.95) == 5000
    assert find_quantile(counts, 0.25) == 35
    assert find_quantile([4, *[0] * (BUCKETS - 1)], 0.5) == 5
