"""The process of a site, and a database file to connect to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.utils import timezone

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.identity import comparison, own
from wagtail_multihost.identity.comparison import FoundIdentity, identity_of, suspend_comparison
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.models import Identity
from wagtail_multihost.running import Running

OTHER_UID = UUID("11111111-2222-4333-8444-555555555555")
INSERT = (
    f"INSERT INTO {comparison.TABLE} (id, platform, environment, uid, revision, digest, retired_at, claimed_at) "
    "VALUES (1, %s, %s, %s, %s, %s, %s, %s)"
)
Become = Callable[..., OwnIdentity]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Make this a process of the site aurora, with changes of ``site`` and ``platform``."""
    monkeypatch.setattr(comparison, "_raised", set())

    def change(site: dict[str, Any] | None = None, **platform: Any) -> OwnIdentity:
        made = Running(platform=a_platform(**{"revision": 10, **platform}), site=a_site(**(site or {})))
        monkeypatch.setattr(running, "_current", made)
        identity = own.own_identity()
        assert identity
        return identity

    return change


@dataclass
class Database:
    """A SQLite file. ``options`` are entries of DATABASES; ``connect`` opens it as Django does."""

    path: Path
    opened: list[BaseDatabaseWrapper]

    def connection(self, **options: Any) -> BaseDatabaseWrapper:
        settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.path), **options}
        connection = ConnectionHandler({"default": settings})["default"]
        connection.inc_thread_sharing()  # closed by the fixture, in its own thread
        self.opened.append(connection)
        return connection

    def connect(self, **options: Any) -> BaseDatabaseWrapper:
        connection = self.connection(**options)
        connection.ensure_connection()
        return connection

    def claim(self, owner: OwnIdentity, retired: bool = False, **columns: Any) -> None:
        """Make the table and, as ``owner`` with some ``columns`` changed, its row."""
        self.make_table()
        values = {**owner.columns(), **columns}
        row = [values[name] for name in ("platform", "environment", "uid", "revision", "digest")]
        row[2] = UUID(str(row[2])).hex
        now = timezone.now().replace(tzinfo=None).isoformat(" ")
        with suspend_comparison(), self.connect().cursor() as cursor:
            cursor.execute(INSERT, [*row, now if retired else None, now])

    def make_table(self) -> None:
        with suspend_comparison(), self.connect().schema_editor() as editor:
            editor.create_model(Identity)

    def found(self) -> FoundIdentity | None:
        with suspend_comparison():
            return identity_of(self.connect())


@pytest.fixture
def database(tmp_path: Path, django_db_blocker: Any) -> Iterator[Database]:
    """A SQLite file without a table."""
    database = Database(tmp_path / "db.sqlite3", [])
    with django_db_blocker.unblock():
        yield database
        for connection in database.opened:
            connection.close()


def replaced(identity: OwnIdentity, **changes: Any) -> OwnIdentity:
    """Return an identity whose site has other fields."""
    return OwnIdentity(identity.platform, replace(identity.site, **changes))
