"""The checks of databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

import pytest
from django.apps import apps
from django.db import OperationalError, connection
from wagtail.models import Site

from tests.checks.conftest import Serve, ids_of
from tests.spec.samples import a_site
from wagtail_multihost import running
from wagtail_multihost.checks import databases
from wagtail_multihost.checks.databases import check_databases, check_leftovers
from wagtail_multihost.spec.site import SiteSpec

POSTGRESQL = "django.db.backends.postgresql"
LONG = "a" * 64
# 40 letters, 80 bytes: Django counts letters.
WIDE = "\u00e9" * 40


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"OPTIONS": {"pool": True}, "CONN_MAX_AGE": 60}, ["E014"]),
        ({"OPTIONS": {"pool": {"min_size": 1}}, "CONN_MAX_AGE": None}, ["E014"]),
        ({"OPTIONS": {"pool": True}, "CONN_MAX_AGE": 0}, []),
        ({"OPTIONS": {"pool": True}}, []),
        ({"OPTIONS": {}, "CONN_MAX_AGE": 60}, []),
        ({"NAME": LONG}, ["E015"]),
        ({"NAME": WIDE}, ["E015"]),
        ({"NAME": "a" * 63, "TEST": {"NAME": "test_a"}}, []),
        ({"NAME": "a" * 63, "TEST": {"NAME": f"test_{LONG}"}}, ["E015"]),
        ({"USER": LONG}, ["E015"]),
        ({"NAME": "\udce9" * 64}, ["E015"]),
        ({"NAME": LONG, "OPTIONS": {"pool": True}, "CONN_MAX_AGE": 1, "USER": LONG}, ["E014", "E015", "E015"]),
        ({"ENGINE": "django.contrib.gis.db.backends.postgis", "NAME": LONG}, ["E015"]),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": f"/srv/{LONG}"}, []),
    ],
)
def test_connection_that_postgresql_refuses_or_misreads_is_found(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], found: list[str]
) -> None:
    """A pool of kept connections is E014; a name, test name or role that would be cut is E015."""

    class Settings:
        DATABASES = {"default": {"ENGINE": POSTGRESQL, **options}}

    monkeypatch.setattr(databases, "settings", Settings)
    assert ids_of(check_databases(None)) == found


@pytest.mark.parametrize(
    ("key", "options"), [("NAME", {"NAME": LONG}), ("USER", {"USER": LONG}), ("TEST NAME", {"TEST": {"NAME": LONG}})]
)
def test_name_that_is_too_long_is_told_by_its_key(
    monkeypatch: pytest.MonkeyPatch, key: str, options: dict[str, object]
) -> None:
    """The message has the key and the alias; an alias without an engine, or of another one, is nobody's."""
    servers = {"default": {}, "other": {"ENGINE": POSTGRESQL, **options}, "third": {**options}}
    monkeypatch.setattr(databases, "settings", type("Settings", (), {"DATABASES": servers}))
    (message,) = check_databases(None)
    assert message.msg.startswith(f"The {key} of DATABASES['other'] ")


@pytest.fixture
def rows(db: None) -> Any:
    """Set the hostnames in Wagtail's table of sites."""

    def write(*hostnames: str) -> None:
        root = Site.objects.get().root_page
        Site.objects.all().delete()
        for number, hostname in enumerate(hostnames):
            Site.objects.create(hostname=hostname, port=443, root_page=root, is_default_site=number == 0)

    return write


@pytest.mark.parametrize(
    ("hostnames", "named"),
    [
        (["localhost"], ["default Site row is localhost:443", "aurora.example.org:443"]),
        (["aurora.example.net"], ["default Site row is aurora.example.net:443"]),
        (["aurora.example.org", "AURORA.example.net", "localhost"], []),
        (["AURORA.example.org"], []),
        ([], ["default Site row is missing"]),
        (["borealis.example.org"], ["'borealis.example.org'"]),
        (["aurora.example.org", "b.example", "c.example"], ["'b.example'", "'c.example'"]),
        ([f"{letter}.example" for letter in "abcdefg"], ["7 hostnames", "'a.example'", "'e.example'"]),
    ],
)
def test_hostnames_that_are_not_the_sites_are_w005(
    aurora: SiteSpec, rows: Any, hostnames: list[str], named: list[str]
) -> None:
    """Rows that a copied database brought along are named, the first five of them, or else a wrong default row."""
    rows(*hostnames)
    messages = check_leftovers(None, databases=["default"])
    assert ids_of(messages) == (["W005"] if named else [])
    assert all(name in messages[0].msg for name in named)
    assert "'f.example'" not in str(messages)


def test_leftovers_are_looked_for_only_where_a_database_is_given(serve: Serve, rows: Any) -> None:
    """Another process than check's, in build mode, and before the first migration, nothing is queried."""
    rows("borealis.example.org")
    serve(a_site())
    assert check_leftovers(None, databases=None) == check_leftovers(None, databases=["other"]) == []
    serve(None)
    assert check_leftovers(None, databases=["default"]) == []


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        ({"command": "check"}, ["W005"]),
        ({"command": "runserver"}, []),
        ({"command": ""}, []),
        ({"command": "check", "ephemeral": True}, []),
    ],
    ids=str,
)
def test_leftovers_are_found_by_check_without_a_database_option(
    aurora: SiteSpec, rows: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], ids: list[str]
) -> None:
    """The command check of a site asks the site's database by itself; a server that starts does not."""
    rows("borealis.example.org")
    made = running.current()
    assert made is not None
    monkeypatch.setattr(running, "_current", replace(made, **change))
    monkeypatch.setattr(databases.Path, "is_file", lambda path: True)
    assert ids_of(check_leftovers(None)) == ids


def test_database_file_that_is_missing_is_not_made_by_a_check(
    aurora: SiteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would make it, empty, and as whoever runs the check."""
    made = running.current()
    assert made is not None
    monkeypatch.setattr(running, "_current", replace(made, command="check"))
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nonexistent/db.sqlite3")
    monkeypatch.setattr(connection, "vendor", "sqlite")
    assert check_leftovers(None) == []


@pytest.mark.parametrize(("port", "command", "ids"), [(80, "check", ["W005"]), (443, "check", []), (80, "migrate", [])])
def test_default_row_with_another_port_is_w005(
    aurora: SiteSpec, rows: Any, monkeypatch: pytest.MonkeyPatch, port: int, command: str, ids: list[str]
) -> None:
    """Most sites have port 80, with which Wagtail writes links with http; migrate mends that, or says why not."""
    rows("aurora.example.org")
    Site.objects.update(port=port)
    made = running.current()
    assert made is not None
    monkeypatch.setattr(running, "_current", replace(made, command=command))
    assert ids_of(check_leftovers(None, databases=["default"])) == ids


def test_leftovers_are_none_without_wagtail(aurora: SiteSpec, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that has not installed Wagtail has no table of sites of its own."""
    rows("borealis.example.org")
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "wagtail")
    assert check_leftovers(None, databases=["default"]) == []


def test_leftovers_of_a_database_without_tables_are_none(
    aurora: SiteSpec, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first migrate of a site finds an empty database."""
    monkeypatch.setattr(connection.introspection, "table_names", lambda: [])
    assert check_leftovers(None, databases=["default"]) == []


def test_leftovers_of_a_database_that_is_down_are_none(
    aurora: SiteSpec, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check of settings does not fail because a server does not answer."""

    def down() -> NoReturn:
        raise OperationalError("down")

    monkeypatch.setattr(connection.introspection, "table_names", down)
    assert check_leftovers(None, databases=["default"]) == []
