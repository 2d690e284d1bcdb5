"""
What the child of a fork must not share with its parent: connections that were open before.

A server that loads the application before it forks its workers (gunicorn's ``preload_app``, uWSGI's master) hands
each of them the same sockets. Two workers that ask a database over one socket read each other's answers.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from django.apps import apps
from django.core.cache import caches
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

#: Connections that a child has left to its parent. None is ever closed: to close one is to speak on the socket.
_left: list[object] = []
_opened: WeakSet[BaseDatabaseWrapper] = WeakSet()
_storages: WeakSet[Any] = WeakSet()
#: The database aliases that were opened before Django was ready, with the app that did it.
opened_while_loading: dict[str, str] = {}


def note_connection(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Remember a connection that was just opened, and while Django loads also which app opened it."""
    _opened.add(connection)
    if not apps.ready:
        opened_while_loading.setdefault(connection.alias, name_opener())


def note_storage(storage: object) -> None:
    """Remember a storage of django-storages, whose clients a child makes anew."""
    _storages.add(storage)


def name_opener() -> str:
    """Return the label of the app whose code is being executed, or the name of a module that is no app's."""
    frame = sys._getframe(1)
    module = ""
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends it
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] in ("django", "wagtail_multihost", "asgiref", "importlib", "psycopg", "contextlib"):
            continue
        with suppress(Exception):  # apps that are still being imported have no configuration
            if config := apps.get_containing_app_config(name):
                return config.label
        module = module or name
    return module or "unknown"


def leave_connections() -> None:
    """Leave to the parent what was open before the fork: the child opens connections of its own."""
    for connection in [opened for opened in _opened if opened.connection is not None]:
        if app := opened_while_loading.get(connection.alias):  # a fork later in a program's life is no mistake
            logger.warning(
                "This worker does not use the connection to the database %s that %s opened before the fork.",
                connection.alias,
                app,
            )
        leave(connection.connection)
        connection.connection = None
        connection.in_atomic_block = False
    leave_pools()
    _left.extend(caches.all(initialized_only=True))
    for alias in caches:
        with suppress(AttributeError):  # one that was not used yet
            del caches[alias]
    for storage in list(_storages):
        _left.extend((storage._connections, storage._unsigned_connections, storage._bucket))
        storage._connections, storage._unsigned_connections = threading.local(), threading.local()
        storage._bucket = None


def leave_pools() -> None:
    """Leave psycopg's pools, whose threads have no life in the child."""
    module = sys.modules.get("django.db.backends.postgresql.base")
    pools: dict[str, Any] = module.DatabaseWrapper._connection_pools if module else {}
    for pool in pools.values():
        leave_all(getattr(pool, "_pool", ()))
        _left.append(pool)
    pools.clear()


def leave_all(connections: Iterable[object]) -> None:
    for connection in list(connections):
        leave(connection)


def leave(connection: Any) -> None:
    """
    Have ``connection`` speak to nobody, and keep it from being closed. Drivers say goodbye to the server when a
    connection is closed or collected, which would end it for the parent and all of its other children.
    """
    _left.append(connection)
    try:
        descriptor = connection.fileno()
    except Exception:  # a driver without one, such as sqlite3, or a connection that is closed
        return
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.dup2(nothing, descriptor, inheritable=False)
    finally:
        os.close(nothing)


# Whatever forks. uWSGI does not tell Python unless it has py-call-uwsgi-fork-hooks.
os.register_at_fork(after_in_child=leave_connections)
