"""What database a site has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import WORD, is_made_of, shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import (
    parse_path,
    parse_port,
    parse_server_host,
    problem_of,
    refuse,
)

DatabaseEngine: TypeAlias = Literal["sqlite", "postgresql"]
Option: TypeAlias = str | int

# Parameters of libpq that are not an address, a credential or an identity
# (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
POSTGRESQL_OPTIONS = frozenset(
    {
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "require_auth",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)
# What libpq and psql take for a name, not for a connection string, in the 63 bytes that Postgres keeps.
IDENTIFIER_LENGTH = 63
#: Made by initdb, for everyone.
COMMON_DATABASES = frozenset({"postgres", "template0", "template1"})


@frozen
class DatabaseSpec(Frozen):
    """
    A database. SQLite has a ``path``; PostgreSQL has ``name``, ``user``, ``host``, and a ``password``
    unless ``host`` is the folder of a unix socket. ``options`` are libpq parameters.
    """

    engine: DatabaseEngine
    path: Path | None = None
    name: str = ""
    user: str = ""
    password: Secret | None = None
    host: str = ""
    port: int = 5432
    options: tuple[tuple[str, Option], ...] = ()

    def __post_init__(self) -> None:
        refuse(sqlite_problems(self) if self.engine == "sqlite" else postgresql_problems(self))


def parse_identifier(value: str) -> str:
    """Return ``value`` when it can be a site's own database or role."""
    if not is_made_of(value, WORD, "-.", IDENTIFIER_LENGTH) or value in COMMON_DATABASES:
        raise ValueError(
            f"The name {shown(value)} is not accepted: it must be 1 to 63 letters, digits, '_', '-' and '.', "
            "and none of postgres, template0, template1."
        )
    return value


def sqlite_problems(database: DatabaseSpec) -> Iterator[Problem]:
    if database.path is None:
        yield Problem("path", "A SQLite database needs the path of its file.")
    else:
        yield from problem_of("path", parse_path, database.path)
    for key in ("name", "user", "password", "host", "options"):
        if getattr(database, key):
            yield Problem(key, "A SQLite database takes a path only.")


def postgresql_problems(database: DatabaseSpec) -> Iterator[Problem]:
    if database.engine != "postgresql":
        yield Problem("engine", f"The engine {shown(database.engine)} is not known; accepted: sqlite, postgresql.")
        return
    if database.path is not None:
        yield Problem("path", "A PostgreSQL database has a name, not a path.")
    for key in ("name", "user"):
        yield from problem_of(key, parse_identifier, getattr(database, key))
    yield from problem_of("host", parse_server_host, database.host)
    yield from problem_of("port", parse_port, database.port)
    if database.password is None and not database.host.startswith("/"):
        yield Problem("password", "A PostgreSQL database on the network needs a password or a password_file.")
    for option, _ in database.options:
        if option not in POSTGRESQL_OPTIONS:
            accepted = ", ".join(sorted(POSTGRESQL_OPTIONS))
            yield Problem("options", f"The option {shown(option)} is not known; accepted: {accepted}.")
