"""
What a site says of its own size, for a job. Its account alone may look at its database and its files, so its code is
believed; but no more of what it prints is, than two numbers.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.job_list import Ask, Ending
from wagtail_multihost.nodeapi.usage_v1 import REPORT_SIZE

MOST = 10**15
NO_SIZES = "The site's process did not print its sizes."
NOT_KEPT = "The registry has not kept the sizes: the site is not placed on this node."


class Sizes(NamedTuple):
    """In bytes; None for what could not be measured."""

    database: int | None
    storage: int | None


def keep_sizes(site: str, printed: str, ask: Ask) -> Ending:
    """Keep the sizes that a site's process printed; raises MultihostError where it printed none."""
    sizes = parse_sizes(printed)
    if sizes is None:
        raise MultihostError(NO_SIZES)
    rows = ask(REPORT_SIZE, (site, sizes.database, sizes.storage))
    if not rows or not rows[0][0]:
        raise MultihostError(NOT_KEPT)
    return Ending(progress=f"{size_in_words('database', sizes.database)}, {size_in_words('files', sizes.storage)}")


def parse_sizes(printed: str) -> Sizes | None:
    """Return the sizes in what was printed: in the last object of it, as a project may print something before."""
    begin, end = printed.rfind("{"), printed.rfind("}")
    try:
        document = json.loads(printed[begin : end + 1]) if begin >= 0 else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    found = Sizes(document.get("database"), document.get("storage"))
    return found if all(map(is_size, found)) and any(size is not None for size in found) else None


def is_size(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < MOST)


def size_in_words(what: str, size: int | None) -> str:
    return f"{what}: {'not known' if size is None else f'{size} bytes'}"
