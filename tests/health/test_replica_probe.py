"""The probe of a replica, where no server is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import NotSupportedError, ProgrammingError

from tests.health.databases import Configure, Counted, _aurora, _configure, measured, sqlite_alias  # noqa: F401
from tests.identity.conftest import OTHER_UID
from wagtail_multihost.health.options import read_settings
from wagtail_multihost.health.probe import Outcome, failed, passed
from wagtail_multihost.health.probes import replica as probing
from wagtail_multihost.health.probes.replica import ReplicaProbe, ReplicaState
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.identity.comparison import FoundIdentity
from wagtail_multihost.identity.own import OwnIdentity

STREAMING = ReplicaState(is_replica=True, is_streaming=True, received="0/3000060", lag=0)


def test_replica_is_chosen_by_its_path() -> None:
    """No process has the probe by itself; configured, it makes the site degraded, not failed."""
    path = "wagtail_multihost.health.probes.replica.ReplicaProbe"
    probes = read_settings({"PROBES": {"replica": {"BACKEND": path, "OPTIONS": {"max_lag": 5}}}}).probes
    assert probes == {"replica": ReplicaProbe(alias="replica", max_lag=5)}
    assert probes["replica"].criticality is Criticality.DEGRADED
    assert not [probe for probe in read_settings(None).probes.values() if isinstance(probe, ReplicaProbe)]


@pytest.mark.parametrize("max_lag", [0, -1, 864_001])
def test_lag_that_means_nothing_is_refused(max_lag: float) -> None:
    """A limit below or at zero would fail always."""
    with pytest.raises(ValueError, match="max_lag"):
        ReplicaProbe(max_lag=max_lag)


def test_other_database_is_unsupported(configure: Configure, tmp_path: Path) -> None:
    """Only PostgreSQL is asked."""
    (tmp_path / "db.sqlite3").touch()
    configure(replica=sqlite_alias(tmp_path / "db.sqlite3"))
    assert measured(ReplicaProbe(timeout=60)) == failed("unsupported_database")
    assert (Counted.opened, Counted.open) == (1, set())


def test_replica_that_cannot_be_reached_fails(configure: Configure, tmp_path: Path) -> None:
    """No connection is a failure with a code of its own."""
    configure(replica=sqlite_alias(tmp_path / "db.sqlite3"))
    assert measured(ReplicaProbe(timeout=60)) == failed("unreachable")


class Server:
    """Stands for a connection to PostgreSQL whose replay ``catches_up`` or not."""

    vendor = "postgresql"

    def __init__(self, catches_up: bool = False) -> None:
        self.catches_up = catches_up
        self.asked: list[Any] = []

    def cursor(self) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *arguments: object) -> None: ...

    def execute(self, query: str, parameters: list[Any]) -> None:
        self.asked.append((query, parameters))

    def fetchone(self) -> tuple[bool]:
        return (self.catches_up,)


@pytest.mark.parametrize(
    ("state", "catches_up", "expected"),
    [
        (STREAMING, False, passed(0, "seconds")),
        (STREAMING._replace(lag=30), False, passed(30, "seconds")),
        (STREAMING._replace(lag=31), False, failed("lagging", 31, "seconds")),
        # The first transaction after a quiet night has arrived and is being replayed.
        (STREAMING._replace(lag=30_000), True, passed(30, "seconds")),
        (STREAMING._replace(is_replica=False), False, failed("not_a_replica")),
        (STREAMING._replace(is_streaming=False), False, failed("not_streaming")),
        # Replicas that restore an archive never stream.
        (STREAMING._replace(is_streaming=False, received=None, lag=5), False, passed(5, "seconds")),
        (STREAMING._replace(is_streaming=False, received=None, lag=50), True, failed("lagging", 50, "seconds")),
    ],
)
def test_replica_is_judged_by_what_it_says(state: ReplicaState, catches_up: bool, expected: Outcome) -> None:
    """The lag counts, unless a second look finds everything replayed; without a stream it cannot be known."""
    server: Any = Server(catches_up)
    assert ReplicaProbe(timeout=0.01).judge(server, state) == expected
    assert expected.code == "ok" or expected.code in ReplicaProbe.codes


@pytest.mark.parametrize("error", [NotSupportedError, ProgrammingError])
def test_server_that_replicates_in_another_way_is_unsupported(monkeypatch: Any, error: type[Exception]) -> None:
    """Servers that speak the protocol without its functions are told apart from those that are down."""

    def state_of(connection: object) -> ReplicaState:
        raise error

    server: Any = Server()
    monkeypatch.setattr(probing, "read_replica_state", state_of)
    monkeypatch.setattr(probing, "is_foreign", lambda connection: False)
    assert ReplicaProbe().ask(server) == failed("unsupported_database")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, passed(0, "seconds")),
        ({"uid": OTHER_UID}, failed("foreign_database")),
        ({"environment": "staging"}, failed("foreign_database")),
        # It may not have replayed the last claim.
        ({"revision": 11, "digest": "elsewhere"}, passed(0, "seconds")),
    ],
)
def test_replica_of_another_site_is_foreign(
    aurora: OwnIdentity, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], expected: Outcome
) -> None:
    """The identity of a replica is compared as well, though the fuse compares the alias default alone."""
    row = {**aurora.columns(), "retired_at": None, **changes}
    found = FoundIdentity(**{name: row[name] for name in FoundIdentity._fields})
    monkeypatch.setattr(probing, "identity_of", lambda connection: found)
    monkeypatch.setattr(probing, "read_replica_state", lambda connection: STREAMING)
    server: Any = Server()
    assert ReplicaProbe().ask(server) == expected


def test_replica_is_asked_by_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an identity, or on a database that has none, there is nothing to compare."""
    monkeypatch.setattr(probing, "identity_of", lambda connection: None)
    monkeypatch.setattr(probing, "read_replica_state", lambda connection: STREAMING)
    server: Any = Server()
    assert ReplicaProbe().ask(server) == passed(0, "seconds")
