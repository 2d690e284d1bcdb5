"""DATABASES."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import DATABASE_PASSWORD, a_site, postgresql, sqlite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.databases import SQLITE_OPTIONS, TIMEOUTS, database_settings
from wagtail_multihost.spec import SiteSpec
from wagtail_multihost.spec.libpq import STATED, ambient_overrides

POSTGIS = "django.contrib.gis.db.backends.postgis"
SPATIALITE = "django.contrib.gis.db.backends.spatialite"


def default_of(site: SiteSpec, project: dict[str, object]) -> dict[str, Any]:
    [databases] = values_of(database_settings(site, project)).values()
    assert isinstance(databases, dict)
    assert list(databases) == ["default"]
    return databases["default"]


def test_database_of_postgresql_has_the_sites_name_role_and_password() -> None:
    """Everything that leads to a PostgreSQL database is the site's."""
    site = a_site(database=postgresql(port=5433, options=(("sslmode", "require"),)))
    assert default_of(site, {}) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "aviary__aurora",
        "USER": "aviary__aurora",
        "PASSWORD": DATABASE_PASSWORD,
        "HOST": "db.internal",
        "PORT": "5433",
        "OPTIONS": {**ambient_overrides(STATED), **TIMEOUTS, "sslmode": "require", "application_name": "mh:aurora"},
        "TEST": {"NAME": "test_aviary__aurora"},
    }


def test_database_on_a_socket_has_no_password() -> None:
    """A local role without a password has a blank one, so that no PGPASSWORD or .pgpass is of use."""
    assert default_of(a_site(database=postgresql(host="/run/postgresql", password=None)), {})["PASSWORD"] == ""


def test_database_of_sqlite_is_the_sites_file() -> None:
    """A SQLite database is the site's file, with a lock that waits."""
    assert default_of(a_site(database=sqlite(path=Path("/srv/a.sqlite3"))), {}) == {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/srv/a.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }


def test_database_keeps_how_the_project_connects_and_not_where() -> None:
    """Of the project's default only the keys that lead nowhere are kept."""
    own = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shared",
        "USER": "shared",
        "PASSWORD": "shared",
        "HOST": "shared",
        "PORT": "1",
        "OPTIONS": {"service": "shared", "passfile": "shared"},
        "TEST": {"NAME": "shared"},
        "CONN_MAX_AGE": 60,
        "ATOMIC_REQUESTS": True,
        "CONN_HEALTH_CHECKS": True,
    }
    default = default_of(a_site(database=postgresql()), {"DATABASES": {"default": own}})
    assert (default["CONN_MAX_AGE"], default["ATOMIC_REQUESTS"], default["CONN_HEALTH_CHECKS"]) == (60, True, True)
    assert "shared" not in repr(default)
    assert "shared" not in repr(default_of(a_site(database=sqlite()), {"DATABASES": {"default": own}}))


@pytest.mark.parametrize(
    ("database", "project", "engine"),
    [
        (postgresql(), POSTGIS, POSTGIS),
        (postgresql(), "prometheus.backends.postgis", "prometheus.backends.postgis"),
        (postgresql(), "django.db.backends.sqlite3", "django.db.backends.postgresql"),
        (postgresql(), SPATIALITE, "django.db.backends.postgresql"),
        (sqlite(), SPATIALITE, SPATIALITE),
        (sqlite(), POSTGIS, "django.db.backends.sqlite3"),
        (sqlite(), "", "django.db.backends.sqlite3"),
    ],
)
def test_database_engine_is_the_sites_or_the_projects_variant_of_it(
    database: object, project: str, engine: str
) -> None:
    """The project may choose the geographical variant of a site's engine, and no other server."""
    default = default_of(a_site(database=database), {"DATABASES": {"default": {"ENGINE": project}}})
    assert default["ENGINE"] == engine


def test_database_aliases_beside_default_are_refused() -> None:
    """An alias that every site would share is an error that names it."""
    project = {"DATABASES": {"default": {}, "reports": {"PASSWORD": "hunter2"}, "a\nb": {}}}
    with pytest.raises(ConfigurationError) as refused:
        default_of(a_site(), project)
    [problem] = refused.value.problems
    assert (problem.where, problem.site) == ("DATABASES", "aurora")
    assert "'reports'" in problem.message
    assert problem.message.isprintable()
    assert "hunter2" not in problem.message


def test_database_of_a_test_run_stays_within_the_limit() -> None:
    """The names of test databases and of their clones are not cut by PostgreSQL, and differ where the names do."""
    names = {f"{'n' * 62}{end}" for end in "ab"} | {"n" * 55, "n" * 54}
    tested = {default_of(a_site(database=postgresql(name=name)), {})["TEST"]["NAME"] for name in names}
    assert len(tested) == len(names)
    assert all(len(f"{name}_999".encode()) <= 63 for name in tested)
    assert f"test_{'n' * 54}" in tested


def test_database_keys_that_django_does_not_know_are_refused() -> None:
    """A misspelt key of the project, which Django would ignore, is an error that suggests the right one."""
    own = {"ENGINE": "django.db.backends.postgresql", "PASWORD": "hunter2", "CONN_MAXAGE": 60}
    with pytest.raises(ConfigurationError) as refused:
        default_of(a_site(database=postgresql()), {"DATABASES": {"default": own}})
    messages = [problem.message for problem in refused.value.problems]
    assert [message.rpartition("mean ")[2] for message in messages] == ["CONN_MAX_AGE?", "PASSWORD?"]
    assert "hunter2" not in str(refused.value)


def test_database_options_that_lead_nowhere_are_kept() -> None:
    """How the project connects stays, below what the site says; an identity or an address does not."""
    options = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ssl/db.pem",
        "sslcert": "shared",
        "sslkey": "shared",
        "service": "shared",
        "options": "-c role=shared",
        "assume_role": "shared",
        "isolation_level": 2,
        "connect_timeout": 9,
    }
    project = {"DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": options}}}
    kept = default_of(a_site(database=postgresql(options=(("sslmode", "require"),))), project)["OPTIONS"]
    assert (kept["sslmode"], kept["sslrootcert"], kept["isolation_level"]) == ("require", "/etc/ssl/db.pem", 2)
    assert (kept["connect_timeout"], kept["application_name"]) == (9, "mh:aurora")
    assert "shared" not in repr(kept)
    assert default_of(a_site(database=sqlite()), project)["OPTIONS"] == SQLITE_OPTIONS


def test_database_options_of_sqlite_are_kept() -> None:
    """The project's pragmas run on the site's file too."""
    options = {"init_command": "PRAGMA synchronous=NORMAL;", "timeout": 5, "uri": True}
    project = {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}}}
    kept = default_of(a_site(database=sqlite()), project)["OPTIONS"]
    assert kept == {"init_command": options["init_command"], "timeout": 5, "transaction_mode": "IMMEDIATE"}


def pooled(**changes: object) -> dict[str, object]:
    own = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": {"pool": True}, **changes}
    return {"DATABASES": {"default": own}}


def test_database_pool_is_small_unless_the_project_says_how_large() -> None:
    """A pool of psycopg's own size would be one of four connections in every process of every site."""
    site = a_site(database=postgresql())
    assert default_of(site, pooled())["OPTIONS"]["pool"] == {"min_size": 1, "max_size": 4, "timeout": 10}
    own = {"min_size": 2, "max_size": 8, "timeout": 3}
    assert default_of(site, pooled(OPTIONS={"pool": own}, CONN_MAX_AGE=0))["OPTIONS"]["pool"] == own


@pytest.mark.parametrize("age", [60, None])
def test_database_pool_beside_persistent_connections_is_refused(age: int | None) -> None:
    """Django would refuse the two at the first query; here no process starts."""
    with pytest.raises(ConfigurationError) as refused:
        default_of(a_site(database=postgresql()), pooled(CONN_MAX_AGE=age))
    assert [problem.where for problem in refused.value.problems] == ["DATABASES"]


@pytest.mark.parametrize("options", [{"pool": True, "sslmode": "require"}, {}])
def test_database_settings_on_top_of_themselves_are_themselves(options: dict[str, object]) -> None:
    """However often apply is called, the database is the same."""
    site = a_site(database=postgresql(options=(("keepalives", 1),)))
    once = values_of(database_settings(site, pooled(OPTIONS=options)))
    assert values_of(database_settings(site, once)) == once
