"""DATABASES."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Project, Setting, table_of
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.identifiers import shown
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
CONNECT_TIMEOUT = 5  # seconds
# libpq takes what is not given from PG… variables and ~/.pgpass; a blank is given, and means its default
# (https://www.postgresql.org/docs/current/libpq-envars.html).
NOT_AMBIENT = {
    "channel_binding": "prefer",
    "hostaddr": "",
    "options": "",
    "passfile": "/nonexistent/pgpass",
    "password": "",
    "requirepeer": "",
    "sslcert": "",
    "sslkey": "",
    "sslmode": "prefer",
    "target_session_attrs": "any",
}
TEST_NAME_BYTES = 63


def database_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield DATABASES of the site; raises ConfigurationError when the project has aliases other than default."""
    aliases = table_of(project, "DATABASES")
    others = sorted(set(aliases) - {DATABASE_DEFAULT})
    if others:
        raise ConfigurationError.because(
            f"The project's DATABASES has {', '.join(shown(alias) for alias in others)}, which every site would "
            "share. Only default is accepted; remove the others from the module that calls resolve().",
            where="DATABASES",
            site=site.id,
        )
    kept = {key: value for key, value in aliases.get(DATABASE_DEFAULT, {}).items() if key in KEPT}
    engine = engine_of(site.database, str(aliases.get(DATABASE_DEFAULT, {}).get("ENGINE", "")))
    value = {DATABASE_DEFAULT: {**kept, **connection(site, engine)}}
    yield Setting("DATABASES", value, "the site's own database and role", site.sources.get("database", ""))


def engine_of(database: DatabaseSpec, project_engine: str) -> str:
    variant = project_engine.rpartition(".")[2] in VARIANTS[database.engine]
    return project_engine if variant else ENGINES[database.engine]


def connection(site: SiteSpec, engine: str) -> dict[str, object]:
    database = site.database
    if database.engine == "sqlite":
        return {"ENGINE": engine, "NAME": str(database.path), "OPTIONS": dict(SQLITE_OPTIONS)}
    own = {"connect_timeout": CONNECT_TIMEOUT, **dict(database.options), "application_name": f"mh:{site.id}"}
    options = {**NOT_AMBIENT, **own}
    test_name = f"test_{database.name}".encode()[:TEST_NAME_BYTES].decode(errors="ignore")
    return {
        "ENGINE": engine,
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password or "",
        "HOST": database.host,
        "PORT": str(database.port),
        "OPTIONS": options,
        "TEST": {"NAME": test_name},
    }
