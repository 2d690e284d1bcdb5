"""What database a site has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.hostile import HOSTILE_TEXT
from tests.spec.samples import DATABASE_PASSWORD, postgresql, problem_keys, sqlite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import DatabaseSpec, Secret

NOT_A_NAME = tuple(text for text in HOSTILE_TEXT if not text.strip() or not text.isprintable())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"host": "192.0.2.1"},
        {"host": "2001:db8::1"},
        {"host": "/run/postgresql", "password": None},
        {"port": 1},
        {"port": 65535},
        {"name": "n" * 63},
        {"name": "a.b-c_d"},
        {"options": (("sslmode", "verify-full"), ("connect_timeout", 3))},
    ],
)
def test_postgresql_database_that_can_be_reached_is_accepted(changes: dict[str, Any]) -> None:
    """A PostgreSQL database has a name, a user, a host, and a password unless its socket is local."""
    database = postgresql(**changes)
    assert all(getattr(database, key) == value for key, value in changes.items())
    assert DATABASE_PASSWORD not in repr(database)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("engine", "mysql"),
        ("path", Path("/srv/db.sqlite3")),
        ("name", ""),
        ("name", "n" * 64),
        ("name", "\u0430urora"),
        *(("name", text) for text in NOT_A_NAME),
        ("user", ""),
        ("user", "a\nb"),
        ("host", ""),
        ("host", "db internal"),
        ("host", "db.internal,evil.example"),
        ("host", "h" * 254),
        ("host", "relative/folder"),
        ("port", 0),
        ("port", 65536),
        ("password", None),
        ("options", (("host", "evil.example"),)),
        ("options", (("service", "other"),)),
        ("options", (("passfile", "/etc/passwd"),)),
        ("options", (("application_name", "x"),)),
    ],
    ids=ascii,
)
def test_postgresql_database_with_one_mistake_names_its_key(key: str, value: object) -> None:
    """Each mistake in a PostgreSQL database is one problem with the key that has it."""
    with pytest.raises(ConfigurationError) as refused:
        postgresql(**{key: value})
    assert problem_keys(refused.value) == [key]
    assert DATABASE_PASSWORD not in str(refused.value)


def test_sqlite_database_has_a_path() -> None:
    """A SQLite database is a file with an absolute path."""
    assert sqlite().path == Path("/srv/data/sites/aurora/db.sqlite3")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", None),
        ("path", Path("db.sqlite3")),
        ("path", Path("/srv/../etc/db.sqlite3")),
        ("path", Path("/srv/a\nb")),
        ("name", "aurora"),
        ("user", "aurora"),
        ("password", Secret("x")),
        ("host", "db.internal"),
        ("options", (("sslmode", "require"),)),
    ],
    ids=ascii,
)
def test_sqlite_database_with_one_mistake_names_its_key(key: str, value: object) -> None:
    """Each mistake in a SQLite database is one problem with the key that has it."""
    with pytest.raises(ConfigurationError) as refused:
        sqlite(**{key: value})
    assert problem_keys(refused.value) == [key]


def test_database_with_several_mistakes_names_them_all() -> None:
    """All mistakes of one database are reported at once."""
    with pytest.raises(ConfigurationError) as refused:
        DatabaseSpec(engine="postgresql", port=0)
    assert problem_keys(refused.value) == ["name", "user", "host", "port", "password"]


@pytest.mark.parametrize("name", ["postgres", "template1", "host=evil", "postgresql://evil/x", "a b", "n" * 64, ""])
def test_postgresql_name_that_is_no_sites_own_is_refused(name: str) -> None:
    """A name is a name, never a connection string, nor a database that everyone has."""
    for key in ("name", "user"):
        with pytest.raises(ConfigurationError) as caught:
            postgresql(**{key: name})
        assert [problem.where for problem in caught.value.problems] == [key]
