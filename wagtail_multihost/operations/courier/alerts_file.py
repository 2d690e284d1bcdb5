"""
The courier's own file of where alerts go: recipients by their labels, with addresses as Apprise reads them, and the
address that is asked as long as everything lives. Addresses are secrets: nothing repeats them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.files.reading import Mark, mark_of, read_no_follow
from wagtail_multihost.http_client.client import NoAnswerError, Target
from wagtail_multihost.nodeapi.alerts_v1 import LABEL_LENGTH, MOST_LABELS
from wagtail_multihost.spec.identifiers import parse_slug, shown
from wagtail_multihost.spec.permissions import OWNER_ALONE, access_problem, own_accounts
from wagtail_multihost.spec.secret import Secret

MOST_BYTES = 256 * 1024
#: Each of them may take half a minute, and all of them less than the lease of an alert.
MOST_ADDRESSES = 5
RECIPIENTS, DEAD_MAN = "recipients", "dead_man"
SECONDS, LEAST_SECONDS, MOST_SECONDS = 60, 10, 3_600
NOT_ADDRESSES = f"It must be a list of 1 to {MOST_ADDRESSES} addresses, each a text with ://."


class Ping(NamedTuple):
    """What is asked each so many ``seconds``, as long as everything lives."""

    url: Secret
    seconds: int


class Destinations(NamedTuple):
    """Where alerts go, by the labels of recipients, and the ``ping``, if there is one."""

    recipients: Mapping[str, tuple[Secret, ...]]
    ping: Ping | None = None


class AlertsFile:
    """A file that is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark: Mark | None = None
        self.destinations = Destinations({})

    def read(self) -> Destinations:
        """Return what the file says; raises MultihostError. The same file is read once."""
        mark = mark_of(self.path)
        if mark is None or mark != self.mark:
            self.destinations = read_destinations(self.path)
            self.mark = mark
        return self.destinations


def read_destinations(path: Path) -> Destinations:
    """Return what a file says; raises MultihostError for one that others can read, and with all problems in it."""
    try:
        data, status = read_no_follow(path)
    except OSError as error:
        raise MultihostError(f"{path}: It cannot be read: {error.strerror}.") from None
    if problem := access_problem(status, OWNER_ALONE, own_accounts()):
        raise MultihostError(f"{path}: {problem}")
    if len(data) > MOST_BYTES:
        raise MultihostError(f"{path}: It has more than {MOST_BYTES} bytes.")
    try:
        table = tomllib.loads(data.decode())
    except ValueError:
        # What a reader of TOML says may repeat what stands there.
        raise MultihostError(f"{path}: It is no TOML.") from None
    if problems := list(find_problems(table)):
        raise ConfigurationError(problems)
    return parse_destinations(table)


def find_problems(table: Mapping[str, Any]) -> Iterator[Problem]:
    for name in table:
        if name not in (RECIPIENTS, DEAD_MAN):
            yield Problem(shown(name), f"It is not known; accepted: {RECIPIENTS}, {DEAD_MAN}.")
    recipients = table.get(RECIPIENTS, {})
    if not isinstance(recipients, dict) or len(recipients) > MOST_LABELS:
        yield Problem(RECIPIENTS, f"It must be a table of at most {MOST_LABELS} labels.")
        return
    for label, addresses in recipients.items():
        where = f"{RECIPIENTS}.{shown(label)}"
        try:
            parse_slug(label, what="The label", length=LABEL_LENGTH)
        except ValueError as error:
            yield Problem(where, str(error))
        if not (
            isinstance(addresses, list)
            and 1 <= len(addresses) <= MOST_ADDRESSES
            and all(isinstance(one, str) and "://" in one for one in addresses)
        ):
            yield Problem(where, NOT_ADDRESSES)
    yield from find_ping_problems(table.get(DEAD_MAN, {"url": "https://localhost"}))


def find_ping_problems(ping: Any) -> Iterator[Problem]:
    if not isinstance(ping, dict) or not ping.keys() <= {"url", "seconds"}:
        yield Problem(DEAD_MAN, "It must be a table with url, and seconds if they are others than 60.")
        return
    seconds = ping.get("seconds", SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        yield Problem(f"{DEAD_MAN}.seconds", f"It must be {LEAST_SECONDS} to {MOST_SECONDS}.")
    try:
        is_address = isinstance(ping.get("url"), str) and Target(ping["url"], takes_query=True).scheme in (
            "http",
            "https",
        )
    except NoAnswerError:
        is_address = False
    if not is_address:
        yield Problem(f"{DEAD_MAN}.url", "It must be an address such as https://hc-ping.com/UUID.")


def parse_destinations(table: Mapping[str, Any]) -> Destinations:
    recipients = {label: tuple(map(Secret, addresses)) for label, addresses in table.get(RECIPIENTS, {}).items()}
    ping = table.get(DEAD_MAN)
    return Destinations(recipients, Ping(Secret(ping["url"]), ping.get("seconds", SECONDS)) if ping else None)
