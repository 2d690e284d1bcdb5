"""Parts of pages that are brought up to date by themselves, until that is paused by ``?live=off``."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest

#: How often, and what pauses it.
MILLISECONDS = 10_000
PARAMETER, PAUSED = "live", "off"


class Refreshing(NamedTuple):
    """
    A part of a page: the id of its element as ``target``, the address it is read from as ``source``, and the address of
    the page where it is the other way about: paused, or not paused any more.
    """

    is_live: bool
    target: str
    source: str
    other_address: str
    milliseconds: int = MILLISECONDS


def is_paused(request: HttpRequest) -> bool:
    return request.GET.get(PARAMETER) == PAUSED


def refreshing_of(request: HttpRequest, target: str, page: str, source: str, **query: str) -> Refreshing:
    """Return how a part of a page is brought up to date; the ``query`` counts for the page and for the part."""
    is_live = not is_paused(request)
    other = {**query, PARAMETER: PAUSED} if is_live else query
    return Refreshing(is_live, target, with_query(source, query), with_query(page, other))


def with_query(address: str, query: dict[str, str]) -> str:
    return f"{address}?{urlencode(query)}" if query else address
