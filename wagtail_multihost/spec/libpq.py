"""What libpq takes from its surroundings, the library that every connection to PostgreSQL is made by, shut off."""

from __future__ import annotations

from collections.abc import Collection

# libpq takes what is not given from PG… variables, ~/.pgpass and ~/.postgresql; a blank is given, and means its default
# (https://www.postgresql.org/docs/current/libpq-envars.html, libpq-pgpass.html and libpq-ssl.html).
NOT_AMBIENT = {
    "channel_binding": "prefer",
    "gssencmode": "disable",  # or it asks for the tickets of whoever the process is
    "hostaddr": "",
    "options": "",
    "passfile": "/nonexistent/pgpass",
    "password": "",
    "requirepeer": "",
    "sslcert": "/nonexistent/postgresql.crt",
    "sslcrl": "/nonexistent/root.crl",
    "sslkey": "/nonexistent/postgresql.key",
    "sslmode": "prefer",
    "sslrootcert": "/nonexistent/root.crt",
    "target_session_attrs": "any",
}
# What newer releases know too, where a blank is an error, or allows nothing. Tickets of the account are no site's.
NEWER = {
    "max_protocol_version": "3.0",
    "min_protocol_version": "3.0",
    "require_auth": "!gss,!sspi",
    "sslcertmode": "allow",
}

# What no parameter of a connection overrides: a service is looked up whatever else is stated, and the rest is not a
# parameter at all. So it is taken out of the process's variables, the only ones that are ever written
# (https://www.postgresql.org/docs/current/libpq-pgservice.html; EnvironmentOptions in libpq's fe-connect.c).
REMOVED = (
    "PGDATESTYLE",
    "PGGEQO",
    "PGLOCALEDIR",
    "PGOAUTHDEBUG",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGTZ",
)
# What Django, and connections of our own, always state, and what has no value that stands for none: see REMOVED.
STATED = frozenset({"application_name", "client_encoding", "dbname", "host", "port", "service", "servicefile", "user"})


def ambient_overrides(stated: Collection[str]) -> dict[str, str]:
    """
    Return each parameter that the installed libpq would take from a variable or a file, with a value that stands for
    none, but for those that are ``stated``. Without psycopg, these are the ones that every libpq has that Django
    supports.
    """
    try:
        from psycopg.pq import Conninfo  # loads only where there is such a database
    except ImportError:
        return dict(NOT_AMBIENT)
    known = {
        option.keyword.decode(): (option.compiled or b"").decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    found = {**known, **{key: value for key, value in NEWER.items() if key in known}, **NOT_AMBIENT}
    return {key: value for key, value in found.items() if key not in stated}
