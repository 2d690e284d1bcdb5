"""
The two files between a node's agent and the monitor beside it, in JSON: what to ask, which root writes, and what was
concluded, which the monitor writes. The monitor reads answers of hostile sites, so its file is read like theirs: a
bounded number of numbers and words of closed lists, about hostnames that the reader names.

Points in time are seconds of the machine's own clock since it was started (``read_clock``), which nobody sets and both
processes share; what goes to the database are ages.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from wagtail_multihost.nodeapi.probe_states import BUCKETS, REASONS, STATES, UNKNOWN
from wagtail_multihost.spec.identifiers import parse_hostname, parse_site_id
from wagtail_multihost.spec.site import MOST_PAGES, PAGE_TEXT_LENGTH, parse_page_path
from wagtail_multihost.spec.site import STATES as SITE_STATES

FORMAT = 1
TARGETS_FILE, OBSERVATIONS_FILE = "targets.json", "observations.json"
MOST_HOSTNAMES = 20_000
#: Of either file.
MOST_BYTES = 20_000_000
KEY_BYTES = 32
READY_PATH = "/-/ready"
SCHEMES = ("https", "http")
#: Of what a monitor says in numbers. A year is as good as for ever.
MOST_SECONDS, MOST_MILLISECONDS, MOST_CODE, MOST_COUNT = 400 * 86_400, 600_000, 999, 1_000_000
#: So many sets of counted latencies stand in the file at most, so that a reader may be late.
MOST_BATCHES = 3
#: A file that is older than this says nothing of now.
STALE_AFTER = 300.0


class Page(NamedTuple):
    """A page that a site's people want looked at: the ``status`` and the text that it must have, blank for any."""

    path: str
    status: int = 200
    contains: str = ""


class Target(NamedTuple):
    """
    A hostname to ask. ``key`` is the public probe key of its site, empty where it has none; ``state`` that of the
    site's record. One that redirects to its ``canonical`` hostname has no answer of the site itself. ``path`` is asked
    for readiness; blank, where only the ``pages`` are looked at.
    """

    hostname: str
    site: str
    uid: UUID
    key: bytes = b""
    state: str = SITE_STATES[0]
    canonical: str = ""
    scheme: str = SCHEMES[0]
    path: str = READY_PATH
    pages: tuple[Page, ...] = ()
    proves: bool = False


class Observation(NamedTuple):
    """
    What was concluded of a hostname, ``since`` when, and what the newest probe measured. ``certificate_until`` is when
    its certificate ends, and ``seen_uid`` whose site answered instead; None where that is not known.
    """

    hostname: str
    state: str = UNKNOWN
    reason: str = ""
    code: int = 0
    since: float = 0.0
    certificate_until: float | None = None
    seen_uid: UUID | None = None
    milliseconds: int | None = None

    def is_news_after(self, former: Observation | None) -> bool:
        """Return whether this says something else than the ``former`` one did, and not only in what is measured."""
        return former is None or self._replace(milliseconds=0, certificate_until=0) != former._replace(
            milliseconds=0, certificate_until=0
        )

    def as_report(self, now: float) -> dict[str, Any]:
        """Return what the database is told, at the time ``now``."""
        until = self.certificate_until
        return {
            "hostname": self.hostname,
            "state": self.state,
            "reason": self.reason,
            "code": self.code,
            "age": round(max(0.0, now - self.since), 3),
            "certificate_seconds": None if until is None else round(until - now),
            "seen_uid": str(self.seen_uid) if self.seen_uid else None,
            "milliseconds": self.milliseconds,
        }


class Batch(NamedTuple):
    """The latencies that were counted of each hostname until ``at``; ``serial`` rises by one."""

    serial: int
    at: float
    counts: Mapping[str, tuple[int, ...]]

    def as_report(self, now: float) -> list[dict[str, Any]]:
        """Return what the database is told, at the time ``now``."""
        age = round(max(0.0, now - self.at), 3)
        return [{"hostname": name, "age": age, "counts": list(counts)} for name, counts in self.counts.items()]


@dataclass(frozen=True)
class Observed:
    """
    What a monitor says at the time ``at``. Every target has been looked at since ``covered_since``, None where that
    cannot be said. ``boot`` is another one each time that it starts.
    """

    place: str
    boot: UUID
    version: str
    serial: int
    at: float
    covered_since: float | None
    observations: tuple[Observation, ...] = ()
    batches: tuple[Batch, ...] = ()


class Report(NamedTuple):
    """The parameters of the function that takes reports, but for who reports."""

    boot: UUID
    version: str
    seconds: float
    observations: list[dict[str, Any]]
    latencies: list[dict[str, Any]]


@dataclass
class Passed:
    """What has been passed on of the files of one monitor, so that each change and each batch is passed on once."""

    boot: UUID | None = None
    serial: int = -1
    batch: int = -1
    told: dict[str, Observation] = field(default_factory=dict)

    def make_report(self, observed: Observed, now: float) -> Report | None:
        """
        Return what of a file is to be passed on at the time ``now``: all of it if its monitor is a new one to us, else
        what has changed. None if it was passed on already, or is too old.
        """
        is_known = observed.boot == self.boot
        if (is_known and observed.serial <= self.serial) or not 0 <= now - observed.at <= STALE_AFTER:
            return None
        told, batch = (self.told, self.batch) if is_known else ({}, -1)
        changed = [one for one in observed.observations if one.is_news_after(told.get(one.hostname))]
        latencies = [line for one in observed.batches if one.serial > batch for line in one.as_report(now)]
        since = observed.covered_since
        return Report(
            observed.boot,
            observed.version,
            0.0 if since is None else round(observed.at - since, 3),
            [one.as_report(now) for one in changed],
            latencies,
        )

    def note_passed(self, observed: Observed) -> None:
        """Note that the database has taken the report that was made of a file."""
        self.boot, self.serial = observed.boot, observed.serial
        self.batch = max((one.serial for one in observed.batches), default=self.batch)
        self.told = {one.hostname: one for one in observed.observations}


def read_clock() -> float:
    """Return the seconds since this machine was started, those in which it slept too; the same in all processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def list_pages(watched: Iterable[tuple[str, str]]) -> tuple[Page, ...]:
    """Return the pages that a site's record states, as pairs of a path and a text."""
    return tuple(Page(path, contains=text) for path, text in watched)


def render_targets(place: str, targets: Iterable[Target]) -> bytes:
    """Return the file of the targets of the monitor at ``place``, a node's id."""
    rows = [
        {
            **one._asdict(),
            "uid": str(one.uid),
            "key": base64.b64encode(one.key).decode(),
            "pages": [page._asdict() for page in one.pages],
        }
        for one in targets
    ]
    return encode({"format": FORMAT, "place": place, "targets": rows})


def parse_targets(data: bytes) -> tuple[str, tuple[Target, ...]]:
    """Return the place and the targets in a file; raises ValueError with a sentence."""
    document = decode(data)
    place = parse_place(document.get("place"))
    targets = tuple(parse_target(row) for row in parse_rows(document, "targets"))
    refuse_twice(one.hostname for one in targets)
    return place, targets


def parse_target(row: Mapping[str, Any]) -> Target:
    """Return a target that a file or the database states; raises ValueError with a sentence."""
    key = base64.b64decode(text_of(row, "key"), validate=True) if row.get("key") else b""
    if len(key) not in (0, KEY_BYTES):
        raise ValueError(f"A probe key must have {KEY_BYTES} bytes.")
    path = text_of(row, "path") if "path" in row else READY_PATH
    pages = row.get("pages") or []
    if not isinstance(pages, list) or len(pages) > MOST_PAGES:
        raise ValueError(f"A site must have at most {MOST_PAGES} pages.")
    canonical = text_of(row, "canonical") if row.get("canonical") else ""
    return Target(
        parse_hostname(text_of(row, "hostname")),
        parse_site_id(text_of(row, "site")),
        UUID(text_of(row, "uid")),
        key,
        word_of(row, "state", SITE_STATES),
        parse_hostname(canonical) if canonical else "",
        word_of(row, "scheme", SCHEMES),
        parse_page_path(path) if path else "",
        tuple(parse_page(page) for page in pages),
        row.get("proves") is True,
    )


def parse_page(row: object) -> Page:
    if not isinstance(row, dict):
        raise ValueError("A page must be an object with a path.")
    contains = text_of(row, "contains") if row.get("contains") else ""
    if len(contains) > PAGE_TEXT_LENGTH:
        raise ValueError(f"The text of a page must have at most {PAGE_TEXT_LENGTH} characters.")
    status = whole_number(row.get("status", 200), 100, 599)
    return Page(parse_page_path(text_of(row, "path")), status, contains)


def render_observed(observed: Observed) -> bytes:
    """Return the file of what a monitor has concluded."""
    return encode(
        {
            "format": FORMAT,
            "place": observed.place,
            "boot": str(observed.boot),
            "version": observed.version,
            "serial": observed.serial,
            "at": observed.at,
            "covered_since": observed.covered_since,
            "observations": [
                {**one._asdict(), "seen_uid": str(one.seen_uid) if one.seen_uid else None}
                for one in observed.observations
            ],
            "batches": [one._asdict() for one in observed.batches[-MOST_BATCHES:]],
        }
    )


def parse_observed(data: bytes, place: str, hostnames: Collection[str]) -> Observed:
    """
    Return what a monitor says of ``hostnames``; what it says of others is left out, as they may be gone meanwhile.
    Raises ValueError with a sentence that has nothing of the file in it.
    """
    document = decode(data)
    if document.get("place") != place:
        raise ValueError("It is of another place.")
    version = text_of(document, "version")
    if len(version) > 40 or not (version.isascii() and version.isprintable()):
        raise ValueError("The version is not one.")
    rows = [parse_observation(row) for row in parse_rows(document, "observations")]
    refuse_twice(one.hostname for one in rows)
    batches = document.get("batches")
    if not isinstance(batches, list) or len(batches) > MOST_BATCHES:
        raise ValueError(f"There must be at most {MOST_BATCHES} batches.")
    known = frozenset(hostnames)
    since = document.get("covered_since")
    return Observed(
        place,
        UUID(text_of(document, "boot")),
        version,
        whole_number(document.get("serial"), 0, 1 << 53),
        number(document.get("at"), 0.0),
        None if since is None else number(since, 0.0),
        tuple(one for one in rows if one.hostname in known),
        tuple(parse_batch(row, known) for row in batches),
    )


def parse_observation(row: Mapping[str, Any]) -> Observation:
    until, uid, taken = row.get("certificate_until"), row.get("seen_uid"), row.get("milliseconds")
    return Observation(
        text_of(row, "hostname"),
        word_of(row, "state", STATES),
        word_of(row, "reason", REASONS),
        whole_number(row.get("code"), 0, MOST_CODE),
        number(row.get("since"), 0.0),
        None if until is None else number(until, -float(MOST_SECONDS) * 100),
        None if uid is None else UUID(text_of(row, "seen_uid")),
        None if taken is None else whole_number(taken, 0, MOST_MILLISECONDS),
    )


def parse_batch(row: object, known: frozenset[str]) -> Batch:
    counts = row.get("counts") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(counts, dict) or len(counts) > MOST_HOSTNAMES:
        raise ValueError("A batch must have counts by hostname.")
    return Batch(
        whole_number(row.get("serial"), 0, 1 << 53),
        number(row.get("at"), 0.0),
        {name: parse_counts(found) for name, found in counts.items() if name in known},
    )


def parse_counts(found: object) -> tuple[int, ...]:
    if not isinstance(found, list) or len(found) != BUCKETS:
        raise ValueError(f"There must be {BUCKETS} counts.")
    return tuple(whole_number(count, 0, MOST_COUNT) for count in found)


def encode(document: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(document, allow_nan=False)}\n".encode()


def decode(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ValueError(f"It must have at most {MOST_BYTES} bytes.")
    try:
        document = json.loads(data, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise ValueError("It is no JSON.") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("It was written by another version.")
    return document


def refuse_constant(name: str) -> float:
    raise ValueError


def parse_rows(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    if not isinstance(rows, list) or len(rows) > MOST_HOSTNAMES or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"The {name} must be a list of at most {MOST_HOSTNAMES} objects.")
    return rows


def refuse_twice(names: Iterable[str]) -> None:
    listed = list(names)
    if len(set(listed)) < len(listed):
        raise ValueError("A hostname is in it twice.")


def parse_place(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("The place must be the id of a node.")
    return parse_site_id(value)


def text_of(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise ValueError(f"The key {name} must be a text.")
    return value


def word_of(row: Mapping[str, Any], name: str, words: Collection[str]) -> str:
    value = text_of(row, name)
    if value not in words:
        raise ValueError(f"The key {name} must be one of: {', '.join(words)}.")
    return value


def number(value: object, least: float) -> float:
    # A float that is larger than any is no number in JSON; an int may have any number of digits.
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1e12:
        raise ValueError("A number is not in its range.")
    return float(value)


def whole_number(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError("A whole number is not in its range.")
    return value
