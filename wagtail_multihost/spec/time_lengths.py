"""Lengths of time as people write them: ``90s``, ``30m``, ``2h``, ``1d``."""

from __future__ import annotations

import re

from wagtail_multihost.spec.identifiers import shown

MINUTE, HOUR, DAY = 60, 3600, 86_400
UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}
LENGTH = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def parse_length(text: str) -> int:
    """Return the seconds of a text such as ``90s``, ``30m``, ``2h`` or ``1d``; raises ValueError."""
    found = LENGTH.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no length of time. Accepted: 90s, 30m, 2h, 1d.")
    return int(found[1]) * UNITS[found[2]]
