"""Finding the sites that servers refuse among many, so that all others are applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

#: How often, and for how many seconds, it is tried.
MOST_TRIED = 40
MOST_SECONDS = 60.0


def find_refused(
    sites: Sequence[str], attempt: Callable[[Sequence[str]], str], is_stopping: Callable[[], bool], reason: str
) -> dict[str, str]:
    """
    Attempt the sites by halves, as they were refused together for a ``reason``, and each half that is refused by its
    own halves. ``attempt`` returns why some were refused, blank if they are in use now. Return why each of the others
    is not.
    """
    refused: dict[str, str] = {}
    tries, until = MOST_TRIED, time.monotonic() + MOST_SECONDS
    groups = split(sites)
    while groups:
        group = groups.pop()
        if is_stopping() or tries == 0 or time.monotonic() > until:
            refused |= dict.fromkeys(group, reason)
            continue
        tries -= 1
        if not (why := attempt(group)):
            continue
        if len(group) == 1:
            refused[group[0]] = why
        else:
            groups += split(group)
    return refused


def split(sites: Sequence[str]) -> list[Sequence[str]]:
    """Return the halves of some sites, the first one last."""
    middle = len(sites) // 2
    return [half for half in (sites[middle:], sites[:middle]) if half]
