"""What a child of a fork leaves to its parent."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import pytest
from django.core.cache import caches
from django.db.backends.postgresql.base import DatabaseWrapper

from wagtail_multihost.backends import forked
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.checks.databases import check_opened_while_loading
from wagtail_multihost.exceptions import ConfigurationError


class Wrapper:
    """What is used of Django's wrapper of a connection."""

    def __init__(self, alias: str, connection: object) -> None:
        self.alias, self.connection, self.in_atomic_block = alias, connection, True


@pytest.fixture(autouse=True)
def _nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_opened": WeakSet(), "_storages": WeakSet(), "_left": [], "opened_while_loading": {}}.items():
        monkeypatch.setattr(forked, name, value)
    monkeypatch.setattr(DatabaseWrapper, "_connection_pools", {})


def test_connection_speaks_to_nobody_and_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """The peer hears nothing, not even that the connection is closed, and the log names database and app."""
    ours, peers = socket.socketpair()
    twin = socket.socket(fileno=os.dup(ours.fileno()))  # the parent's
    wrapper, shut = Wrapper("default", ours), Wrapper("other", None)
    forked.note_connection(wrapper)  # type: ignore[arg-type]
    forked.note_connection(shut)  # type: ignore[arg-type]
    forked.opened_while_loading["default"] = "hasty"
    with caplog.at_level(logging.WARNING, forked.__name__):
        forked.leave_connections()
    assert (wrapper.connection, wrapper.in_atomic_block, shut.in_atomic_block) == (None, False, True)
    assert forked._left[0] is ours
    [told] = [record.getMessage() for record in caplog.records]
    assert "the database default that hasty opened before the fork" in told
    os.write(ours.fileno(), b"goodbye")
    peers.setblocking(False)
    with pytest.raises(BlockingIOError):
        peers.recv(10)
    twin.send(b"still here")
    assert peers.recv(10) == b"still here"
    assert os.get_inheritable(ours.fileno()) is False
    for end in (ours, peers, twin):
        end.close()


def test_connection_without_a_descriptor_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """A driver that has none, or a connection that is closed already, is left as it is."""
    plain = SimpleNamespace()
    wrapper = Wrapper("default", plain)
    forked.note_connection(wrapper)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, forked.__name__):
        forked.leave_connections()
    assert forked._left[0] is plain
    assert wrapper.connection is None
    assert caplog.records == []  # a program that forks when it has long been running makes no mistake


def test_pools_caches_and_clients_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool's connections speak to nobody, and whoever asks for a cache or a bucket gets another client."""
    ours, peers = socket.socketpair()
    twin = socket.socket(fileno=os.dup(ours.fileno()))  # the parent's
    pool = SimpleNamespace(_pool=[ours])
    DatabaseWrapper._connection_pools["default"] = pool  # type: ignore[attr-defined]
    cache = caches["default"]
    storage: Any = Wrapper("", None)
    storage._connections, storage._unsigned_connections, storage._bucket = SimpleNamespace(connection=1), 2, 3
    before = (storage._connections, storage._unsigned_connections)
    forked.note_storage(storage)
    forked.leave_connections()
    assert DatabaseWrapper._connection_pools == {}  # type: ignore[attr-defined]
    os.write(ours.fileno(), b"x")
    peers.setblocking(False)
    with pytest.raises(BlockingIOError):
        peers.recv(1)
    assert caches["default"] is not cache
    assert not hasattr(storage._connections, "connection")
    assert storage._unsigned_connections is not before[1]
    assert storage._bucket is None
    assert {id(pool), id(cache), id(before[0])} <= {id(left) for left in forked._left}
    for end in (ours, peers, twin):
        end.close()


def test_app_that_opens_a_database_while_django_loads_is_w028(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app whose code runs is named, and a connection of a process that is ready is nobody's fault."""
    assert check_opened_while_loading(None) == []
    forked.note_connection(Wrapper("default", None))  # type: ignore[arg-type]
    assert check_opened_while_loading(None) == []
    monkeypatch.setattr(forked.apps, "ready", False)
    namespace: dict[str, Any] = {"__name__": "wagtail.images.apps", "note": forked.note_connection}
    exec("def ready(connection):\n    note(connection)", namespace)
    namespace["ready"](Wrapper("default", None))
    namespace["ready"](Wrapper("default", None))
    namespace = {"__name__": "nobodys.module", "note": forked.note_connection}
    exec("def ready(connection):\n    note(connection)", namespace)
    namespace["ready"](Wrapper("replica", None))
    monkeypatch.setattr("wagtail_multihost.checks.databases.opened_while_loading", forked.opened_while_loading)
    messages = check_opened_while_loading(None)
    assert [message.id for message in messages] == ["wagtail_multihost.W028"] * 2
    assert messages[0].msg.startswith("The app 'wagtailimages' opens the database 'default' while Django loads.")
    assert forked.opened_while_loading["replica"] not in ("wagtailimages", "")


def test_storage_that_could_not_be_made_stops_nothing(process_of: Callable[..., None]) -> None:
    """It has no clients yet; those after it are still made anew."""
    process_of()
    with pytest.raises(ConfigurationError):
        SiteS3Storage(site="other")
    storage = SiteS3Storage(site="aurora", location="documents")
    before = storage._connections
    assert len(forked._storages) == 1
    forked.leave_connections()
    assert storage._connections is not before
