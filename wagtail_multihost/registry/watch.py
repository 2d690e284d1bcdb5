"""How who waits is told of the progress: whoever starts something long gives a function that watches over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

#: Is given how many there will be and what they are; returns a function through which they are then iterated.
Watch = Callable[[int, str], Callable[[Iterable[Any]], Iterable[Any]]]


def watch_nothing(total: int, what: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """Return ``iter``: nobody is told."""
    return iter
