"""What database a site has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import WORD, is_made_of, shown
from wagtail_multihost.spec.kinds import PORT, SECRET, SITE_PATH, Kind, choice
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import STRING
from wagtail_multihost.spec.validation import SOCKET_PATH_BYTES, parse_database_host, raise_problems

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
        "max_protocol_version",
        "min_protocol_version",
        "require_auth",
        "requirepeer",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcertmode",
        "sslcrl",
        "sslcrldir",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslrootcert",
        "sslsni",
        "target_session_attrs",
        "tcp_user_timeout",
    }
)
#: What shows who a client is where it has no password.
CLIENT_CERTIFICATE = ("sslcert", "sslkey")
# Those that say where a database is and who connects, and the keys that say so here.
KEYS_OF_PARAMETERS = {"dbname": "name", "host": "host", "password": "password", "port": "port", "user": "user"}
# Those for which there is no key: they lead to another server or role than the keys say, or are secrets in the clear.
IDENTIFYING = frozenset(
    {
        "gssdelegation",
        "gsslib",
        "hostaddr",
        "krbsrvname",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_issuer",
        "oauth_scope",
        "options",
        "passfile",
        "replication",
        "scram_client_key",
        "scram_server_key",
        "service",
        "servicefile",
        "sslkeylogfile",
        "sslpassword",
    }
)
# What libpq and psql take for a name, not for a connection string, in the 63 bytes that Postgres keeps.
IDENTIFIER_LENGTH = 63
#: Made by initdb, for everyone.
COMMON_DATABASES = frozenset({"postgres", "template0", "template1"})


def parse_identifier(value: str) -> str:
    """Return ``value`` when it can be a site's own database or role."""
    if not is_made_of(value, WORD, "-.", IDENTIFIER_LENGTH) or value in COMMON_DATABASES:
        raise ValueError(
            f"The name {shown(value)} is not accepted: it must be 1 to 63 letters, digits, '_', '-' and '.', "
            "and none of postgres, template0, template1."
        )
    return value


def parse_option(pair: tuple[str, Option]) -> tuple[str, Option]:
    """Return an option of libpq when it is no address, credential or identity."""
    name = pair[0]
    if name in KEYS_OF_PARAMETERS:
        raise ValueError(
            f"The option {name} says where the database is or who connects: state the key {KEYS_OF_PARAMETERS[name]}."
        )
    if name in IDENTIFYING:
        raise ValueError(
            f"The option {name} is not accepted: it decides where a connection leads, who makes it, or who can read it."
        )
    if name not in POSTGRESQL_OPTIONS:
        accepted = ", ".join(sorted(POSTGRESQL_OPTIONS))
        raise ValueError(f"The option {shown(name)} is not known; accepted: {accepted}.")
    return pair


SERVER = Kind("host, IP address or absolute path of a unix socket's folder", str, parse_database_host)
IDENTIFIER = Kind(f"{STRING}, at most 63 characters", str, parse_identifier)
OPTIONS = Kind("table", dict, parse_option, "take_pairs", each=True)
SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)


@frozen
class DatabaseSpec(Frozen):
    """
    A database. SQLite has a ``path``; PostgreSQL has ``name``, ``user``, ``host``, and a ``password`` unless ``host``
    is the folder of a unix socket or ``options``, which are libpq parameters, have a client's certificate.
    """

    engine: DatabaseEngine = key(
        choice(*get_args(DatabaseEngine), what="engine"),
        "What the database is.",
        unless_stated="sqlite",
        selects=True,
        place=True,
    )
    path: Path | None = key(
        SITE_PATH,
        "The file.",
        None,
        unless_stated="{data}/sites/{site}/db.sqlite3",
        of=SQLITE,
        required=True,
        own=True,
        place=True,
        who="node",
    )
    name: str = key(
        IDENTIFIER,
        "The database.",
        "",
        unless_stated="{names.database}",
        of=POSTGRESQL,
        required=True,
        own=True,
        place=True,
    )
    user: str = key(
        IDENTIFIER, "The role.", "", unless_stated="{names.role}", of=POSTGRESQL, required=True, own=True, place=True
    )
    password: Secret | None = key(
        SECRET,
        "The role's password.",
        None,
        default_text="required, unless `host` is the folder of a unix socket or `options` have `sslcert` and `sslkey`",
        of=POSTGRESQL,
        own=True,
        invalidates=(
            "Nothing that is stored. Open connections stay; new ones need the new password once the server has it.",
        ),
    )
    host: str = key(SERVER, "The server.", "", of=POSTGRESQL, required=True, place=True)
    port: int = key(PORT, "The server's port.", 5432, of=POSTGRESQL, place=True)
    options: tuple[tuple[str, Option], ...] = key(
        OPTIONS,
        f"Connection parameters of libpq: {', '.join(f'`{option}`' for option in sorted(POSTGRESQL_OPTIONS))}. "
        "`{site}` in one stands for the id.",
        (),
        of=POSTGRESQL,
        who="node",  # some are paths
    )

    def __post_init__(self) -> None:
        raise_problems(database_problems(self))


def database_problems(database: DatabaseSpec) -> Iterator[Problem]:
    yield from declared_problems(database)
    if database.engine != "postgresql":
        return
    # https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-UNIX-SOCKET-DIRECTORIES
    socket = f"{database.host}/.s.PGSQL.{database.port}" if database.host.startswith("/") else ""
    if len(socket.encode("utf-8", "surrogatepass")) > SOCKET_PATH_BYTES:
        yield Problem("host", f"The path of its socket, {shown(socket)}, is longer than {SOCKET_PATH_BYTES} bytes.")
    options = dict(database.options)
    stated = [option for option in CLIENT_CERTIFICATE if options.get(option)]
    if len(stated) == 1:
        [missing] = set(CLIENT_CERTIFICATE).difference(stated)
        yield Problem("options", f"It has {stated[0]} without {missing}: a client's certificate needs its key.")
    elif database.password is None and not database.host.startswith("/") and not stated:
        yield Problem(
            "password",
            "A PostgreSQL database on the network needs a password or a password_file, or a client's certificate: "
            "sslcert and sslkey in options.",
        )
