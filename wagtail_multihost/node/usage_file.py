"""
What this node has counted of its sites, in a file of root's: the totals of each month, and how far the log was read.
Both are written at once, so that an agent that was killed counts each line once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.node.access_log import Place
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, own_accounts

FILE_NAME = "usage.json"
FORMAT = 1


class Total(NamedTuple):
    """What a site has used in a month; None where nobody counts it."""

    requests: int = 0
    bytes: int = 0
    cpu_milliseconds: int | None = None
    memory: int | None = None


#: By the ids of sites, and by months such as 2026-12.
Totals = Mapping[str, Mapping[str, Total]]


class UsageState(NamedTuple):
    """
    The ``totals`` of a ``series``; the ``places`` up to which the log was read, None before the first time; and by site
    the control group whose CPU time was seen last, with that time.
    """

    series: UUID
    totals: Totals
    places: tuple[Place, ...] | None
    groups: Mapping[str, tuple[int, int]]


def new_state() -> UsageState:
    """Return the state of a node that has counted nothing, or has lost it."""
    return UsageState(uuid4(), {}, None, {})


def read_usage(folder: Path) -> UsageState:
    """Return what was kept; a new state where nothing was that can be used."""
    try:
        data, status = read_no_follow(folder / FILE_NAME)
    except OSError:
        return new_state()
    if access_problem(status, OWNER_ALONE, own_accounts()):
        return new_state()
    try:
        return parse_state(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return new_state()


def parse_state(document: Any) -> UsageState:
    if document["format"] != FORMAT:
        raise ValueError("It is of another version.")
    totals = {
        site: {month: Total(*values) for month, values in months.items()} for site, months in document["totals"].items()
    }
    places = document["places"]
    return UsageState(
        UUID(document["series"]),
        totals,
        None if places is None else tuple(Place(*place) for place in places),
        {site: (int(group), int(cpu)) for site, (group, cpu) in document["groups"].items()},
    )


def keep_usage(folder: Path, state: UsageState) -> None:
    """Write it; raises OSError."""
    document = {"format": FORMAT, **state._asdict(), "series": str(state.series)}
    write_files([NewFile(str(folder / FILE_NAME), f"{json.dumps(document)}\n".encode())])
