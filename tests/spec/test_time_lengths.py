"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from wagtail_multihost.spec.time_lengths import parse_length


def test_lengths_are_read_in_their_units() -> None:
    assert [parse_length(text) for text in ("90s", "90m", "1h", "7d")] == [90, 5400, 3600, 604_800]


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-1h", "1w", "1.5h", "2h ", "٢h", "1234567s"])
def test_length_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        parse_length(text)
