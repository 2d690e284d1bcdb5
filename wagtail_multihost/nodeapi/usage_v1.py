"""
Version 1 of what a node says of what its sites use: totals by month, which only rise.

A node is believed of sites that are placed on it, and a front server, which passes on all visitors, of all sites. A
total is one of a series: whoever has lost what was counted begins another one, and what was counted before stays.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import FRONT
from wagtail_multihost.nodeapi.node_v1 import ROLE
from wagtail_multihost.nodeapi.v1 import SCHEMA

#: Of one call. A node that has more to say calls again.
MOST_REPORT_BYTES = 300_000
#: So many series of a site in a month are kept of one node.
MOST_SERIES = 50
#: A month counts until so many days after its end.
LATE_DAYS = 10
DIGITS = 15


def number_in(key: str) -> str:
    """Return the number that a node states under a key; NULL for none, and for what is none."""
    text = f"(told.value ->> '{key}')"
    return f"CASE WHEN {text} ~ '^[0-9]{{1,{DIGITS}}}$' THEN {text}::bigint END"


CREATE = f"""
-- ``usage`` has, by the ids of sites and by months (2026-11), what was counted; returned is how many are kept.
CREATE FUNCTION {SCHEMA}.report_usage(series uuid, usage jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH mine AS (
            SELECT me.id AS node, site.uid, site.id FROM {SCHEMA}.self AS me
            JOIN public.control_site AS site ON site.retired_at IS NULL
            WHERE me.holds = '{FRONT}'
            UNION ALL
            SELECT me.id, placed.uid, placed.id FROM {SCHEMA}.self AS me CROSS JOIN {SCHEMA}.placed_site AS placed
        ), said AS (
            SELECT mine.node, mine.uid, one.value FROM jsonb_each(CASE
                WHEN jsonb_typeof(report_usage.usage) = 'object'
                    AND octet_length(report_usage.usage::text) <= {MOST_REPORT_BYTES}
                THEN report_usage.usage ELSE '{{}}' END
            ) AS one
            JOIN mine ON mine.id = one.key
        ), told AS (
            SELECT said.node, said.uid, one.value, CASE WHEN one.key ~ '^20[0-9]{{2}}-(0[1-9]|1[0-2])$'
                THEN make_date(left(one.key, 4)::integer, right(one.key, 2)::integer, 1) END AS month
            FROM said, jsonb_each(CASE WHEN jsonb_typeof(said.value) = 'object' THEN said.value ELSE '{{}}' END) AS one
            WHERE jsonb_typeof(one.value) = 'object'
        ), timely AS (
            SELECT told.node, told.uid, told.month, {number_in("requests")} AS requests, {number_in("bytes")} AS bytes,
                {number_in("cpu_milliseconds")} AS cpu, {number_in("memory")} AS memory
            FROM told
            WHERE told.month <= (clock_timestamp() AT TIME ZONE 'UTC')::date
                AND told.month + interval '1 month {LATE_DAYS} days' > clock_timestamp() AT TIME ZONE 'UTC'
        ), kept AS (
            INSERT INTO public.control_usage AS known
                (site_id, month, node, series, requests, bytes, cpu_seconds, memory, seen_at)
            SELECT timely.uid, timely.month, timely.node, report_usage.series, coalesce(timely.requests, 0),
                coalesce(timely.bytes, 0), timely.cpu / 1000.0, timely.memory, clock_timestamp()
            FROM timely
            WHERE (
                SELECT count(*) FROM public.control_usage AS former
                WHERE former.site_id = timely.uid AND former.month = timely.month AND former.node = timely.node
                    AND former.series <> report_usage.series
            ) < {MOST_SERIES}
            ON CONFLICT (site_id, month, node, series) DO UPDATE SET
                requests = greatest(known.requests, excluded.requests),
                bytes = greatest(known.bytes, excluded.bytes),
                cpu_seconds = greatest(known.cpu_seconds, excluded.cpu_seconds),
                memory = greatest(known.memory, excluded.memory), seen_at = excluded.seen_at
            RETURNING known.id
        )
        SELECT count(*) FROM kept;
    END;

-- What was measured of a site, in bytes; NULL for what was not.
CREATE FUNCTION {SCHEMA}.report_size(site text, database_bytes bigint, storage_bytes bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO public.control_site_size AS known (site_id, month, database, storage, measured_at)
        SELECT placed.uid, date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date,
            report_size.database_bytes, report_size.storage_bytes, clock_timestamp()
        FROM {SCHEMA}.placed_site AS placed
        WHERE placed.id = report_size.site AND coalesce(report_size.database_bytes, 0) >= 0
            AND coalesce(report_size.storage_bytes, 0) >= 0
        ON CONFLICT (site_id, month) DO UPDATE SET
            database = coalesce(excluded.database, known.database),
            storage = coalesce(excluded.storage, known.storage), measured_at = excluded.measured_at
        RETURNING true;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.report_usage, {SCHEMA}.report_size FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.report_size, {SCHEMA}.report_usage;"
#: Left out where there are no such functions yet.
GRANT = f"""
DO $$ BEGIN
    IF to_regprocedure('{SCHEMA}.report_usage(uuid, jsonb)') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION {SCHEMA}.report_usage, {SCHEMA}.report_size TO {ROLE};
    END IF;
END $$;
"""
REPORT = f"SELECT {SCHEMA}.report_usage(%s, %s)"
REPORT_SIZE = f"SELECT {SCHEMA}.report_size(%s, %s, %s)"
