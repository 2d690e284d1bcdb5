"""Connections where no site is named."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from wagtail_multihost.backends import build_mode
from wagtail_multihost.exceptions import BuildModeError


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectionHandler:
    """A process's connections, of which one was made before the refusal."""
    engines = {"default": "sqlite3", "later": "sqlite3", "server": "postgresql"}
    own = ConnectionHandler(
        {
            alias: {"ENGINE": f"django.db.backends.{engine}", "NAME": str(tmp_path / alias)}
            for alias, engine in engines.items()
        }
    )
    assert own["default"].vendor == "sqlite"
    monkeypatch.setattr(build_mode, "connections", own)
    build_mode.refuse_connections()
    return own


@pytest.mark.django_db
@pytest.mark.parametrize("alias", ["default", "later", "server"])
def test_every_connection_refuses_to_connect(handler: ConnectionHandler, alias: str, tmp_path: Path) -> None:
    """A connection made before and one made after raise alike, and no file is made."""
    for use in (handler[alias].connect, handler[alias].cursor, lambda: handler[alias].client.runshell([])):
        with pytest.raises(BuildModeError, match="MULTIHOST_SITE"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_connection_that_nobody_uses_is_not_made(handler: ConnectionHandler) -> None:
    """Those that are there are refused, and the others when they are made."""
    assert [connection.alias for connection in handler.all(initialized_only=True)] == ["default"]


@pytest.mark.parametrize(("version", "expected"), [((3, 37, 2), False), ((3, 38, 0), True), ((3, 45, 1), True)])
def test_question_that_django_asks_of_sqlite_is_answered(
    handler: ConnectionHandler, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], expected: bool
) -> None:
    """By its version, without a connection; of other servers nothing is said."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert handler["later"].features.supports_json_field is expected
    assert "supports_json_field" not in vars(handler["server"].features)


@pytest.mark.django_db
def test_connections_of_other_threads_refuse_too(handler: ConnectionHandler) -> None:
    """A thread has connections of its own, which are refused as well."""
    caught: list[Exception] = []

    def use() -> None:
        try:
            handler["default"].connect()
        except BuildModeError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_refusal_is_one_that_django_expects(handler: ConnectionHandler) -> None:
    """Commands that can do without a database catch OperationalError, and go on."""
    assert issubclass(build_mode.ConnectionRefusedInBuildModeError, OperationalError)
    assert handler["default"].features.supports_json_field
