"""The URL of a registry in PostgreSQL, which emitted files and snapshots show: it holds no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from wagtail_multihost.spec.identifiers import shown

#: Beside host, port, user and database: where what is not in the URL is found, and how TLS is made.
PARAMETERS = ("host", "passfile", "service", "servicefile", "sslcert", "sslkey", "sslmode", "sslrootcert")
PATHS = frozenset({"passfile", "servicefile", "sslcert", "sslkey", "sslrootcert"})
#: Those of libpq that are secrets.
SECRETS = frozenset({"password", "sslpassword"})
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]{0,62}")
FORM = (
    "It is not the URL of a PostgreSQL database. Write postgres://USER@HOST:PORT/DATABASE, postgres:///DATABASE for "
    "the socket of this machine, or postgres:///?service=NAME"
)
SHOWN_TO_ALL = (
    "It has a password, which emitted files, snapshots and lists of processes would show. Take it out, and name a file "
    "with ?passfile=/PATH or a service with ?service=NAME"
)


class Target(NamedTuple):
    """What a URL says: libpq's ``parameters`` that it states, none of them a secret."""

    parameters: Mapping[str, str]

    @property
    def url(self) -> str:
        """The URL in one spelling, which another process opens the same database by."""
        rest = {key: value for key, value in sorted(self.parameters.items()) if key in PARAMETERS and key != "host"}
        host = self.parameters.get("host", "")
        if host.startswith("/"):
            rest, host = {"host": host, **rest}, ""
        query = f"?{urlencode(rest, safe='/', quote_via=quote)}" if rest else ""
        return f"{self.address(host, with_user=True)}{query}"

    @property
    def name(self) -> str:
        """The database for messages, without what is no part of its address."""
        service = self.parameters.get("service", "")
        if service:
            return f"postgresql:///?service={service}"
        host = self.parameters.get("host", "")
        return self.address("" if host.startswith("/") else host, with_user=False)

    def address(self, host: str, *, with_user: bool) -> str:
        known = self.parameters
        user = f"{quote(known['user'], safe='')}@" if with_user and "user" in known else ""
        place = f"[{host}]" if ":" in host else host
        port = f":{known['port']}" if "port" in known else ""
        return f"postgresql://{user}{place}{port}/{quote(known.get('dbname', ''), safe='')}"


def postgres_url_problem(text: str) -> str:
    """Return why a URL with one of the schemes is not accepted, without repeating it; blank when it is."""
    try:
        parts = urlsplit(text)
        port = parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return FORM
    # An unencoded "/", "?" or "#" in a password: what follows must not be repeated as a name.
    if "@" in f"{parts.path}{parts.query}" or parts.fragment or port == 0:
        return FORM
    if parts.password is not None or any(name in SECRETS for name, _ in query):
        return SHOWN_TO_ALL
    return next(part_problems(parts, query), "")


def part_problems(parts: SplitResult, query: list[tuple[str, str]]) -> Iterator[str]:
    """Yield what is wrong with the parts of a URL that has no secret."""
    yield from parameter_problems(query)
    stated = dict(query)
    if "host" in stated and (parts.hostname or not stated["host"].startswith("/")):
        yield "The parameter host is for the folder of a unix socket; write another host before the database"
    host, user = unquote(parts.hostname or ""), unquote(parts.username or "")
    database = unquote(parts.path.removeprefix("/"))
    if "," in host or not host.isprintable() or " " in host:
        yield FORM
    if any(name and not NAME.fullmatch(name) for name in (user, database)):
        yield FORM
    if not database and "service" not in stated:
        yield "It names no database. Write postgres://HOST/DATABASE, or name a service with ?service=NAME"


def parameter_problems(query: list[tuple[str, str]]) -> Iterator[str]:
    stated = dict(query)
    for name, value in query:
        if name not in PARAMETERS:
            yield f"The parameter {shown(name)} is not accepted beside {', '.join(PARAMETERS)}"
        elif not value.strip() or not value.isprintable():
            yield f"The parameter {name} is blank, or not printable"
        elif name in PATHS and not value.startswith("/"):
            yield f"The {name} {shown(value)} is not an absolute path"
    if len(stated) < len(query):
        yield "It has a parameter twice"
    if stated.get("sslmode", "prefer") not in SSL_MODES:
        yield f"The sslmode {shown(stated['sslmode'])} is not known beside {', '.join(SSL_MODES)}"
    if "servicefile" in stated and "service" not in stated:
        yield "The parameter servicefile says where a service is, but none is named with service"


def parse_postgres_url(text: str) -> Target:
    """Return what a URL says in which ``postgres_url_problem`` finds nothing."""
    parts = urlsplit(text)
    # In small letters, but for a folder.
    folder = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])
    found = {
        "host": folder if folder.startswith("/") else unquote(parts.hostname or ""),
        "port": str(parts.port or ""),
        "user": unquote(parts.username or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
        **dict(parse_qsl(parts.query)),
    }
    return Target({key: value for key, value in found.items() if value})
