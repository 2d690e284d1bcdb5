"""The probe that holds Wagtail's Site rows against the site's record."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.health.databases import Configure, Counted, _aurora, _configure, measured, sqlite_alias  # noqa: F401
from wagtail_multihost import running
from wagtail_multihost.health.probe import Outcome, failed, passed, warned
from wagtail_multihost.health.probes import site_row
from wagtail_multihost.health.probes.site_row import SiteRowProbe
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.identity.wagtail_site import canonical_address

PATIENT = 60.0
Row = tuple[str, int, bool]
Write = Callable[..., None]


@pytest.fixture(name="path")
def _path(tmp_path: Path, configure: Configure) -> Path:
    path = tmp_path / "db.sqlite3"
    path.touch()
    configure(default=sqlite_alias(path))
    return path


@pytest.fixture(name="write")
def _write(path: Path) -> Write:
    """Make Wagtail's table with these rows."""

    def write(*rows: Row) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "CREATE TABLE wagtailcore_site (id INTEGER PRIMARY KEY, hostname, port, is_default_site)"
            )
            connection.executemany(
                "INSERT INTO wagtailcore_site (hostname, port, is_default_site) VALUES (?, ?, ?)", rows
            )

    return write


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([("aurora.example.org", 443, True)], passed()),
        ([("aurora.example.org", 443, True), ("aurora.example.net", 80, False)], passed()),
        ([("aurora.example.org", 80, True)], warned("other_address")),
        ([("localhost", 80, True)], warned("other_address")),
        ([("aurora.example.org", 443, False)], warned("other_address")),
        ([], warned("other_address")),
        ([("old.example.org", 443, True), ("b.example", 80, False)], warned("foreign_hostnames", 2, "hostnames")),
    ],
    ids=str,
)
def test_rows_are_compared_with_the_record(
    aurora: OwnIdentity, write: Write, rows: list[Row], outcome: Outcome
) -> None:
    """The default row has the canonical address, and no row another site's hostname; the connection is closed."""
    assert canonical_address(aurora) == ("aurora.example.org", 443)
    write(*rows)
    assert measured(SiteRowProbe(timeout=PATIENT)) == outcome
    assert Counted.open == set()


def test_database_without_the_table_passes(aurora: OwnIdentity, path: Path) -> None:
    """Before the first migration there is nothing to compare; the probe of migrations reports that."""
    assert measured(SiteRowProbe(timeout=PATIENT)) == passed()


def test_database_that_is_missing_fails(aurora: OwnIdentity, path: Path) -> None:
    """It is not made, and does not pass for one without rows."""
    path.unlink()
    assert measured(SiteRowProbe(timeout=PATIENT)) == failed("unreachable")
    assert not path.exists()


def test_process_without_a_site_or_without_wagtail_asks_nothing(
    aurora: OwnIdentity, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing that the rows could be compared with."""
    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(site_row.apps, "is_installed", lambda name: name != "wagtail")
        assert measured(SiteRowProbe(timeout=PATIENT)) == passed()
    monkeypatch.setattr(running, "_current", None)
    assert measured(SiteRowProbe(timeout=PATIENT)) == passed()


def test_probe_is_informative() -> None:
    """A site with wrong links goes on serving."""
    assert SiteRowProbe().criticality is Criticality.INFORMATIVE
