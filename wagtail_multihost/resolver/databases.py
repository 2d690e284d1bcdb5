"""DATABASES."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.resolver.setting import Project, Setting, aliases_of
from wagtail_multihost.spec.database import CLIENT_CERTIFICATE, POSTGRESQL_OPTIONS, DatabaseSpec
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.libpq import STATED, ambient_overrides
from wagtail_multihost.spec.names import shorten
from wagtail_multihost.spec.site import SiteSpec

DATABASE_DEFAULT = "default"
ENGINES = {"sqlite": "django.db.backends.sqlite3", "postgresql": "django.db.backends.postgresql"}
# Engines of the same servers that a project may have chosen instead.
VARIANTS = {"sqlite": ("spatialite",), "postgresql": ("postgis",)}
# What a project says about connections, not about where they lead
# (https://docs.djangoproject.com/en/stable/ref/settings/#databases).
KEPT = (
    "ATOMIC_REQUESTS",
    "AUTOCOMMIT",
    "CONN_HEALTH_CHECKS",
    "CONN_MAX_AGE",
    "DISABLE_SERVER_SIDE_CURSORS",
    "TIME_ZONE",
)
# Several processes write to one file: wait for the lock, and take it before reading
# (https://docs.djangoproject.com/en/stable/ref/databases/#sqlite-transaction-behavior).
SQLITE_OPTIONS = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
#: How long a visitor waits for a server that accepts a connection and never answers, or is not there any more.
TIMEOUTS: Mapping[str, object] = {
    "connect_timeout": 5,  # seconds, as the next three
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
# The keys of an alias that Django knows; it ignores a misspelt one silently.
KNOWN = frozenset({*KEPT, "ENGINE", "HOST", "NAME", "OPTIONS", "PASSWORD", "PORT", "TEST", "USER"})
# Options of the project that say how to connect: of libpq's, those that a site may state too, except a client's
# certificate, which is an identity.
KEPT_OPTIONS = {
    "sqlite": frozenset({"init_command", "timeout", "transaction_mode"}),
    "postgresql": POSTGRESQL_OPTIONS.difference(CLIENT_CERTIFICATE)
    | {"isolation_level", "pool", "prepare_threshold", "server_side_binding"},
}
# psycopg's pool opens four connections by itself, in every process of every site, and lets a visitor wait for one for
# half a minute (https://www.psycopg.org/psycopg3/docs/api/pool.html).
POOL = {"min_size": 1, "max_size": 4}
POOL_TIMEOUT = 10  # seconds
# Of the 63 that Postgres keeps, four are for the number of a clone, as of a parallel test run.
TEST_NAME_BYTES = 59


def database_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield DATABASES of the site. Raises ConfigurationError when the project has aliases other than default,
    keys that Django does not know, or a pool beside persistent connections.
    """
    aliases = aliases_of(project, "DATABASES")
    others = sorted(set(aliases) - {DATABASE_DEFAULT})
    if others:
        raise ConfigurationError.because(
            f"The project's DATABASES has {', '.join(shown(alias) for alias in others)}, which every site would "
            "share. Only default is accepted; remove the others from the module that calls resolve().",
            where="DATABASES",
            site=site.id,
        )
    stated = aliases.get(DATABASE_DEFAULT, {})
    if unknown := sorted(stated.keys() - KNOWN):
        raise ConfigurationError(Problem("DATABASES", unknown_key_message(key), site.id) for key in unknown)
    kept = {key: value for key, value in stated.items() if key in KEPT}
    options = kept_options(site.database, stated)
    if options.get("pool") and kept.get("CONN_MAX_AGE", 0) != 0:
        raise ConfigurationError.because(
            "DATABASES has both a pool and a CONN_MAX_AGE, but a pool keeps connections itself. Remove one of the two.",
            where="DATABASES",
            site=site.id,
        )
    engine = engine_of(site.database, str(stated.get("ENGINE", "")))
    value = {DATABASE_DEFAULT: {**kept, **connection_settings(site, engine, options)}}
    yield Setting("DATABASES", value, "the site's own database and role", site.sources.get("database", ""))


def unknown_key_message(key: str) -> str:
    from wagtail_multihost.spec.suggestions import suggest  # loads only for the message

    hint = suggest(key, KNOWN) or f" Accepted: {', '.join(sorted(KNOWN))}."
    return f"The key {shown(key)} of the project's default database is not known to Django.{hint}"


def kept_options(database: DatabaseSpec, stated: Mapping[str, object]) -> dict[str, object]:
    """Return the project's options if its database is of the same kind as the site's."""
    own, project_engine = stated.get("OPTIONS"), str(stated.get("ENGINE", "")).rpartition(".")[2]
    is_same = project_engine in (ENGINES[database.engine].rpartition(".")[2], *VARIANTS[database.engine])
    if not is_same or not isinstance(own, Mapping):
        return {}
    kept = {str(key): value for key, value in own.items() if key in KEPT_OPTIONS[database.engine]}
    pool = POOL if kept.get("pool") is True else kept.get("pool")
    return {**kept, "pool": {"timeout": POOL_TIMEOUT, **pool}} if pool and isinstance(pool, Mapping) else kept


def engine_of(database: DatabaseSpec, project_engine: str) -> str:
    variant = project_engine.rpartition(".")[2] in VARIANTS[database.engine]
    return project_engine if variant else ENGINES[database.engine]


def connection_settings(site: SiteSpec, engine: str, kept: Mapping[str, object]) -> dict[str, object]:
    database = site.database
    if database.engine == "sqlite":
        return {"ENGINE": engine, "NAME": str(database.path), "OPTIONS": {**SQLITE_OPTIONS, **kept}}
    own = {**TIMEOUTS, **kept, **dict(database.options), "application_name": f"mh:{site.id}"}
    options = {**ambient_overrides(STATED), **own}
    return {
        "ENGINE": engine,
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password or "",
        "HOST": database.host,
        "PORT": str(database.port),
        "OPTIONS": options,
        "TEST": {"NAME": shorten(f"test_{database.name}", TEST_NAME_BYTES, "_")},
    }
