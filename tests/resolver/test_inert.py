"""Settings of processes that serve no site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.resolver import resolve

POSTGIS = "django.contrib.gis.db.backends.postgis"
POSTGRESQL = "django.db.backends.postgresql"
SQLITE = "django.db.backends.sqlite3"


def applied(project: dict[str, Any], command: str = "") -> dict[str, Any]:
    namespace = dict(project)
    resolve("/none/sites.toml", environ={}, command=command).apply(namespace)
    return namespace


def started(monkeypatch: pytest.MonkeyPatch, argv: list[str], environ: dict[str, str]) -> None:
    """Let this process have been started with a command line and variables."""
    monkeypatch.setattr(sys, "argv", argv)
    for name in ("MULTIHOST_SITE", "PYTEST_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_build_mode_does_not_open_the_registry() -> None:
    """With no site named, a registry that does not exist is no error."""
    resolved = resolve("/none/sites.toml", environ={"MULTIHOST_REGISTRY": "nonsense://"})
    assert resolved.is_build_mode
    assert (resolved.site, resolved.platform) == (None, None)


@pytest.mark.parametrize("engine", [POSTGIS, POSTGRESQL, "django.db.backends.sqlite3"])
def test_build_mode_keeps_the_engine_and_has_no_name(engine: str) -> None:
    """Models take their shape from the project's engine, and no connection can be opened."""
    own = {"default": {"ENGINE": engine, "NAME": "shared", "PASSWORD": "p", "HOST": "h"}}
    assert applied({"DATABASES": own})["DATABASES"] == {"default": {"ENGINE": engine, "NAME": ""}}


def test_other_databases_are_there_and_lead_nowhere() -> None:
    """What names another alias works in build mode and in test runs, and no alias reaches what it says."""
    shared = {"ENGINE": POSTGRESQL, "NAME": "shared", "HOST": "h"}
    own = {"default": dict(shared), "reports": dict(shared), "legacy": {"ENGINE": SQLITE, "NAME": "shared"}}
    nameless = {"ENGINE": POSTGRESQL, "NAME": ""}
    built = applied({"DATABASES": own})["DATABASES"]
    assert built == {"default": nameless, "reports": nameless, "legacy": {"ENGINE": SQLITE, "NAME": ""}}
    tested = applied({"DATABASES": own}, "test")["DATABASES"]
    assert tested["legacy"]["NAME"] == ":memory:"
    names = {tested[alias]["NAME"] for alias in ("default", "reports")}
    assert len(names) == 2
    assert "shared" not in repr(tested)


def test_build_mode_without_an_engine_has_sqlite() -> None:
    """A project without DATABASES is built with SQLite's."""
    assert applied({})["DATABASES"] == {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ""}}


def test_build_mode_serves_nothing() -> None:
    """No host is served, no cache keeps anything, and the key is of the moment."""
    project = {
        "CACHES": {"default": {"BACKEND": "x"}, "renditions": {"BACKEND": "y"}},
        "SECRET_KEY": "shared",
        "ALLOWED_HOSTS": ["*"],
    }
    first, second = applied(project), applied(project)
    dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    assert first["CACHES"] == {"default": dummy, "renditions": dummy}
    assert first["ALLOWED_HOSTS"] == ["build-mode.invalid"]
    assert first["WAGTAILADMIN_BASE_URL"] == "https://build-mode.invalid"
    assert first["SESSION_COOKIE_SECURE"] is first["CSRF_COOKIE_SECURE"] is True
    assert first["SECRET_KEY_FALLBACKS"] == []
    assert len({"shared", first["SECRET_KEY"], second["SECRET_KEY"]}) == 3


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["manage.py", "test"], {}),
        (["manage.py", "test", "--parallel"], {}),
        (["manage.py", "makemigrations"], {}),
        (["manage.py", "testserver"], {}),
        (["pytest"], {"PYTEST_VERSION": "9"}),
    ],
)
def test_ephemeral_site_is_made_for_test_runs(
    argv: list[str], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test run, and makemigrations, have a site of their own without a registry."""
    started(monkeypatch, argv, environ)
    resolved = resolve("/none/sites.toml")
    assert not resolved.is_build_mode
    assert resolved.ephemeral is not None
    namespace: dict[str, Any] = {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shared"}}}
    resolved.apply(namespace)
    assert namespace["DATABASES"] == {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    assert namespace["ALLOWED_HOSTS"] == ["test.localhost"]
    assert Path(namespace["MEDIA_ROOT"]).is_relative_to(resolved.ephemeral.name)


@pytest.mark.parametrize("argv", [["manage.py"], ["manage.py", "migrate", "test"], ["manage.py", "tests"], ["test"]])
def test_ephemeral_site_is_made_for_nothing_else(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other command without a site is in build mode."""
    started(monkeypatch, argv, {})
    assert resolve("/none/sites.toml").is_build_mode


def test_ephemeral_sites_share_nothing() -> None:
    """Two test runs have two folders and two keys."""
    runs = [resolve(None, environ={}, command="test"), resolve(None, environ={}, command="test")]
    assert len({run.value("MEDIA_ROOT") for run in runs}) == 2
    assert len({run.secret_key for run in runs}) == 2


def test_ephemeral_database_on_a_server_has_a_name_that_exists_nowhere() -> None:
    """A project on PostgreSQL is tested there, in a database of the run's own."""
    own = {"ENGINE": POSTGRESQL, "NAME": "live", "USER": "u", "HOST": "h", "TEST": {"NAME": "live"}}
    default = applied({"DATABASES": {"default": own}}, "test")["DATABASES"]["default"]
    assert default["NAME"].startswith("multihost_")
    assert default["TEST"] == {"NAME": f"test_{default['NAME']}"}
    assert (default["USER"], default["HOST"]) == ("u", "h")
    assert default["NAME"] != applied({"DATABASES": {"default": own}}, "test")["DATABASES"]["default"]["NAME"]


def test_ephemeral_database_of_makemigrations_reaches_no_server() -> None:
    """Migrations are written for the project's engine without a connection."""
    own = {"ENGINE": POSTGIS, "NAME": "live", "HOST": "h"}
    assert applied({"DATABASES": {"default": own}}, "makemigrations")["DATABASES"] == {
        "default": {"ENGINE": POSTGIS, "NAME": ""}
    }


def test_pytest_never_uses_a_site_that_is_named(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pytest run gets the throw-away site whatever MULTIHOST_SITE says: tests write files and empty caches."""
    started(monkeypatch, ["pytest"], {"MULTIHOST_SITE": "borealis", "PYTEST_VERSION": "9"})
    resolved = resolve(registry_file)
    assert resolved.ephemeral is not None
    assert resolved.allowed_hosts == ["test.localhost"]


def test_django_tests_never_use_a_site_that_is_named(registry_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``manage.py test`` gets the throw-away site whatever MULTIHOST_SITE says: tests write files and empty caches."""
    started(monkeypatch, ["manage.py", "test"], {"MULTIHOST_SITE": "borealis"})
    resolved = resolve(registry_file)
    assert resolved.ephemeral is not None
    assert resolved.allowed_hosts == ["test.localhost"]


def test_pytest_variable_alone_is_no_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PYTEST_VERSION that a server inherited does not make it serve the throw-away site."""
    started(monkeypatch, ["gunicorn"], {"PYTEST_VERSION": "9"})
    monkeypatch.delitem(sys.modules, "pytest")
    assert resolve().is_build_mode
