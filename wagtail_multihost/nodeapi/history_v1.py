"""
Version 1 of how long what monitors have concluded is kept: the operator process deletes what is too old, a bounded
number of rows at a time, so that no transaction is long and PostgreSQL uses the room again.
"""

from __future__ import annotations

from typing import NamedTuple

from wagtail_multihost.nodeapi.operator_v1 import SCHEMA
from wagtail_multihost.nodeapi.probe_states import UNKNOWN

#: Days that periods, coverage and maintenance are kept, and the counted latencies of hours.
PERIOD_DAYS, HOUR_DAYS = 400, 90
#: Of each table in one round of the operator process.
MOST_ROWS = 5_000


class Pruned(NamedTuple):
    """Old rows of a ``table``: what the condition says of the row ``found``."""

    name: str
    table: str
    condition: str

    def deletion(self) -> str:
        """Return the common table expression that deletes at most so many of them."""
        return f"""{self.name} AS (
            DELETE FROM public.{self.table} AS old WHERE old.ctid = ANY(ARRAY(
                SELECT found.ctid FROM public.{self.table} AS found WHERE {self.condition} LIMIT {MOST_ROWS}
            )) RETURNING 1
        )"""  # noqa: S608  # constants


#: Not the clock itself: no index finds what is compared with a value that changes meanwhile.
OLD = f"now() - interval '{PERIOD_DAYS} days'"
#: What lasts still is not old, but for hostnames that nobody looks at any more, from a place or at all.
IS_FORGOTTEN = f"""found.since < {OLD} AND (found.state = '{UNKNOWN}' OR NOT EXISTS (
                    SELECT FROM public.control_monitor AS monitor
                    WHERE monitor.place = found.place AND monitor.seen_at > {OLD}
                ))"""
PRUNED = (
    Pruned("periods", "control_probe_period", f"found.till < {OLD}"),
    Pruned("forgotten", "control_probe_period", f"found.till IS NULL AND {IS_FORGOTTEN}"),
    Pruned("latest", "control_probe_latest", IS_FORGOTTEN),
    Pruned("coverage", "control_probe_coverage", f"upper(found.during) < {OLD}"),
    Pruned("maintenance", "control_maintenance", f"found.till < {OLD}"),
    Pruned("monitors", "control_monitor", f"found.seen_at < {OLD}"),
    Pruned("hours", "control_probe_hour", f"found.hour < now() - interval '{HOUR_DAYS} days'"),
)
CREATE = f"""
CREATE FUNCTION {SCHEMA}.prune_history() RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH {", ".join(one.deletion() for one in PRUNED)}
        SELECT ({" + ".join(f"(SELECT count(*) FROM {one.name})" for one in PRUNED)})::integer;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.prune_history FROM PUBLIC;

-- Hours come in the order of time and go in it, so that the smallest of indexes finds the old ones. Rows are updated
-- some times each hour, without any index that changes, and have room for that.
CREATE INDEX control_probe_hour_hour ON control_probe_hour USING brin (hour) WITH (pages_per_range = 32);
ALTER TABLE control_probe_hour SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE control_probe_latest SET (fillfactor = 70);
ALTER TABLE control_probe_coverage SET (fillfactor = 50);
ALTER TABLE control_monitor SET (fillfactor = 50);
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.prune_history; DROP INDEX control_probe_hour_hour;"
PRUNE_HISTORY = f"SELECT {SCHEMA}.prune_history()"
