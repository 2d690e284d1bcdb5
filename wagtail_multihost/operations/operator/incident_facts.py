"""What incidents are decided from, and what is decided, as values. All times are seconds of the database's clock."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.nodeapi.incident_words import SHARED

#: A hostname, and the place that it was seen from.
Key = tuple[str, str]


class Cause(NamedTuple):
    """What is wrong: a word of the closed list, and which server, node or site it is."""

    word: str
    subject: str

    @property
    def is_shared(self) -> bool:
        return self.word in SHARED


class Seen(NamedTuple):
    """
    What a monitor has concluded of a hostname of a site from a place: its ``state`` ``since`` a time. It is not
    ``is_fresh`` where nobody has looked for a while. The site's database is on ``server``, and ``nodes`` have the site.
    """

    hostname: str
    place: str
    uid: UUID
    site: str
    state: str
    reason: str
    code: int | None
    since: float
    is_fresh: bool = True
    server: str = ""
    nodes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.hostname, self.place


class Process(NamedTuple):
    """A node, a monitor (whose name is its place) or the courier, which was silent for some ``seconds``."""

    what: str
    name: str
    seconds: float
    period: float = 0
    is_full: bool = False


class Concerned(NamedTuple):
    """A hostname that an incident concerns. It went bad at the times ``turns``; ``till`` is when it was good again."""

    hostname: str
    place: str
    uid: UUID
    site: str
    state: str
    reason: str
    code: int | None
    turns: tuple[float, ...]
    since: float
    till: float | None = None

    @property
    def key(self) -> Key:
        return self.hostname, self.place


class Incident(NamedTuple):
    """An incident that is open, or was not long ago."""

    id: UUID
    kind: str
    cause: Cause
    site: UUID | None
    since: float
    till: float | None
    sites: int
    hostnames: Mapping[Key, Concerned]


class Facts(NamedTuple):
    """
    Everything that is known ``now``. ``sites`` says how many there are of each server and place, and ``awake`` for how
    many seconds there is somebody who hears: before, nobody was silent.
    """

    now: float
    seen: tuple[Seen, ...] = ()
    sites: Mapping[tuple[str, str], int] = {}
    processes: tuple[Process, ...] = ()
    incidents: tuple[Incident, ...] = ()
    awake: float = inf


class Step(NamedTuple):
    """
    An incident as it is from now on: with what people are told (blank: nothing), a line, the hostnames that have
    changed in it, and the incident that it is folded into.
    """

    incident: Incident
    summary: str
    word: str
    line_kind: str
    line: str
    hostnames: tuple[Concerned, ...] = ()
    folded: UUID | None = None
