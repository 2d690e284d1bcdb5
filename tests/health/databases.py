"""The databases of a process: its settings, and the connections that it opens."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.health.probe import Outcome, Probe
from wagtail_multihost.health.probes import connection as opening
from wagtail_multihost.identity import comparison, own
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.running import Running

Configure = Callable[..., ConnectionHandler]


class Counted(sqlite3.Connection):
    """A driver's connection; ``open`` contains those that have not been closed."""

    opened = 0
    open: set[int] = set()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        Counted.opened += 1
        Counted.open.add(id(self))

    def close(self) -> None:
        super().close()
        Counted.open.discard(id(self))


def sqlite_alias(name: object, **options: object) -> dict[str, Any]:
    """Return an alias whose connections are counted."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"factory": Counted, **options}}


@pytest.fixture(name="configure")
def _configure(monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any) -> Iterator[Configure]:
    """Give the probes aliases of their own instead of the test run's."""
    monkeypatch.setattr(Counted, "opened", 0)
    monkeypatch.setattr(Counted, "open", set())

    def change(**aliases: dict[str, Any]) -> ConnectionHandler:
        handler = ConnectionHandler({"default": {}, **aliases})
        monkeypatch.setattr(opening, "connections", handler)
        return handler

    with django_db_blocker.unblock():
        yield change


@pytest.fixture(name="aurora")
def _aurora(monkeypatch: pytest.MonkeyPatch) -> OwnIdentity:
    """Make this a process of the site aurora."""
    monkeypatch.setattr(comparison, "_raised", set())
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(revision=10), site=a_site()))
    identity = own.own_identity()
    assert identity
    return identity


def measured(probe: Probe) -> Outcome:
    """Return the one outcome of a run."""
    (outcome,) = probe.measure()
    return outcome
