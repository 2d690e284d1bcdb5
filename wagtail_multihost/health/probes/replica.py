"""Whether a streaming replica of PostgreSQL keeps up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from django.db import NotSupportedError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

from wagtail_multihost.health.probe import Outcome, Probe, failed, passed
from wagtail_multihost.health.probes import connection as opening
from wagtail_multihost.health.status import Criticality
from wagtail_multihost.identity.comparison import identity_differences, identity_of
from wagtail_multihost.identity.own import own_identity

# If everything received is replayed, there is no lag, however long ago the primary last wrote. A replica that has
# replayed nothing since it started has no time. pg_stat_wal_receiver has a row for every role; only its
# columns need pg_read_all_stats
# (https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL).
QUERY = """
SELECT pg_is_in_recovery(),
    EXISTS (SELECT FROM pg_stat_wal_receiver),
    pg_last_wal_receive_lsn()::text,
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE EXTRACT(EPOCH FROM clock_timestamp() - COALESCE(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))
    END
"""
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
SECOND_LOOK_PART = 0.25


class ReplicaState(NamedTuple):
    """The state of a server: ``received`` is how far it has the primary's log, None without streaming."""

    is_replica: bool
    is_streaming: bool
    received: str | None
    lag: float


@dataclass(frozen=True, kw_only=True)
class ReplicaProbe(Probe):
    """
    Asks a replica how far it is behind the primary: the age of the last transaction that it has replayed, if it has
    received more. A replica whose stream is interrupted cannot know that, which is a failure.
    """

    component: ClassVar[str] = "datastore"
    codes: ClassVar[Mapping[str, str]] = {
        **opening.CODES,
        "lagging": "The replica is further behind than `max_lag`; the value is by how much.",
        "not_a_replica": "The server is not a replica: it has been promoted, or the alias leads to the primary.",
        "not_streaming": "The replica has lost its connection to the primary, so its lag is unknown.",
        "unsupported_database": "The alias does not lead to PostgreSQL, or the server does not report its replication.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    alias: str = field(default="replica", metadata={"meaning": "The alias in `DATABASES`."})
    max_lag: float = field(default=30, metadata={"meaning": "The accepted lag in seconds."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.max_lag <= 864_000:
            raise ValueError(
                f"The max_lag {self.max_lag!r} is not accepted: it must be above 0, at most 864000 seconds."
            )

    def measure(self) -> Iterator[Outcome]:
        with (
            opening.catch_database_errors(self.alias) as outcomes,
            opening.new_connection(self.alias, self.timeout) as connection,
        ):
            outcomes.append(self.ask(connection))
        yield from outcomes

    def ask(self, connection: BaseDatabaseWrapper) -> Outcome:
        if connection.vendor != "postgresql":
            return failed("unsupported_database")
        if is_foreign(connection):
            return failed("foreign_database")
        try:
            return self.judge(connection, read_replica_state(connection))
        except (NotSupportedError, ProgrammingError):  # servers that speak its protocol but replicate differently
            return failed("unsupported_database")

    def judge(self, connection: BaseDatabaseWrapper, state: ReplicaState) -> Outcome:
        if not state.is_replica:
            return failed("not_a_replica")
        if state.received and not state.is_streaming:
            return failed("not_streaming")
        if state.lag <= self.max_lag or (state.received and self.catches_up(connection, state.received)):
            return passed(min(state.lag, self.max_lag), "seconds")
        return failed("lagging", state.lag, "seconds")

    def catches_up(self, connection: BaseDatabaseWrapper, received: str) -> bool:
        """
        Check after a moment whether everything that had been received is replayed. After an idle night the last
        transaction that was replayed is hours old when the next one has just arrived.
        """
        time.sleep(self.timeout * SECOND_LOOK_PART)
        with connection.cursor() as cursor:
            cursor.execute(REPLAYED, [received])
            return bool(cursor.fetchone()[0])


def read_replica_state(connection: BaseDatabaseWrapper) -> ReplicaState:
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        is_replica, is_streaming, received, lag = cursor.fetchone()
    return ReplicaState(is_replica, is_streaming, received, max(0.0, float(lag or 0)))


def is_foreign(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a replica belongs to another site: the fuse checks only the alias ``default``."""
    own, found = own_identity(), identity_of(connection)
    return own is not None and found is not None and bool({"uid", "environment"} & {*identity_differences(found, own)})
