"""The checks of the registry's revision and of the database's claim, which the commands are tried with as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from tests.checks.conftest import ids_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.checks import identity
from wagtail_multihost.checks.identity import check_claimed, check_revision
from wagtail_multihost.running import Running


@pytest.mark.parametrize(
    ("environment", "revision", "ids"), [("production", 0, ["W006"]), ("production", 1, []), ("development", 0, [])]
)
def test_production_without_a_revision_is_w006(
    monkeypatch: pytest.MonkeyPatch, environment: str, revision: int, ids: list[str]
) -> None:
    """In production alone a registry without a revision is told of."""
    platform = a_platform(environment=environment, revision=revision)
    monkeypatch.setattr(running, "_current", Running(platform=platform, site=a_site()))
    assert ids_of(check_revision(None)) == ids


def test_revision_is_not_asked_for_without_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """In build mode nothing is compared with a database."""
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(environment="production")))
    assert check_revision(None) == []


class Connection:
    """A connection that counts how often it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.asked = error, 0

    def ensure_connection(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error


@pytest.fixture(name="unclaimed")
def _unclaimed(monkeypatch: pytest.MonkeyPatch) -> Connection:
    """Return the connection of the site aurora to a database that nobody has claimed."""
    connection = Connection()
    own = SimpleNamespace(site=a_site())
    monkeypatch.setattr(identity, "own_identity", lambda: own)
    monkeypatch.setattr(identity, "connections", {"default": connection})
    monkeypatch.setattr(identity, "identity_of", lambda asked: None if asked is connection else "another")
    return connection


def test_database_that_nobody_has_claimed_is_w002(unclaimed: Connection) -> None:
    """It is asked itself, whether it was connected to before or not, and the message names site and command."""
    (message,) = check_claimed(None, databases=["other", "default"])
    assert ids_of([message]) == ["W002"]
    assert "aurora" in message.msg and "multihost_as aurora migrate" in str(message.hint)
    assert unclaimed.asked == 1


@pytest.mark.parametrize("databases", [None, [], ["other"]])
def test_database_that_is_not_named_is_not_asked(unclaimed: Connection, databases: list[str] | None) -> None:
    """Only who asks for a database to be checked has a connection made."""
    assert (check_claimed(None, databases=databases), unclaimed.asked) == ([], 0)


@pytest.mark.parametrize(
    ("made", "ids"),
    [
        (Running(command="migrate"), []),
        (Running(command="check"), ["W002"]),
        (Running(), ["W002"]),
        (None, ["W002"]),
    ],
)
def test_migrate_is_not_told_to_run(
    unclaimed: Connection, monkeypatch: pytest.MonkeyPatch, made: Running | None, ids: list[str]
) -> None:
    """The command that claims a database checks it before."""
    monkeypatch.setattr(running, "_current", made)
    assert ids_of(check_claimed(None, databases=["default"])) == ids


def test_database_of_no_site_of_a_claim_or_that_is_down_is_quiet(
    unclaimed: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to say of one that is claimed, and of one that cannot be asked now."""
    with monkeypatch.context() as patch:
        patch.setattr(identity, "identity_of", lambda connection: "aurora's")
        assert check_claimed(None, databases=["default"]) == []
    with monkeypatch.context() as patch:
        patch.setattr(identity, "own_identity", lambda: None)
        assert check_claimed(None, databases=["default"]) == []
    unclaimed.error = OperationalError("down")
    assert check_claimed(None, databases=["default"]) == []


def test_claim_that_cannot_be_read_is_quiet(unclaimed: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may refuse the question as well as the connection."""

    def refuse(connection: Any) -> None:
        raise OperationalError("no such table")

    monkeypatch.setattr(identity, "identity_of", refuse)
    assert check_claimed(None, databases=["default"]) == []
