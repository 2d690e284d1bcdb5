"""
How long sites were up, in one statement over spans of time: exact, from multiranges
(https://www.postgresql.org/docs/current/functions-range.html).

A place has looked at a hostname while its monitor went on, from when it first said something of the hostname, and but
for times of which it says itself that it does not know. What it says nothing else of in that time was up.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.observations_v1 import listed
from wagtail_multihost.nodeapi.probe_states import BAD, MAINTENANCE, OUTSIDE, SUSPENDED, UNKNOWN

CLOSED = (MAINTENANCE, SUSPENDED)


def periods_of(*states: str) -> str:
    """Return an expression for when a hostname was in one of the states."""
    return f"coalesce(range_agg(period.during) FILTER (WHERE period.state IN ({listed(states)})), '{{}}')"


def seconds_in(times: str) -> str:
    """Return an expression for how long all of some times are together."""
    return (
        "(SELECT coalesce(sum(extract(epoch FROM upper(one) - lower(one))), 0)::double precision "  # noqa: S608  # constants
        f"FROM unnest({times}) AS one)"
    )


#: Each span of all sites, for which ``since`` and ``till`` are lists. ``whole`` is what counts of it for a site: from
#: when its canonical hostname was its own. The row of a site and a span has its ``number``, and who has looked.
MEASURE = f"""
WITH span AS MATERIALIZED (
    SELECT given.number, tstzrange(given.since, given.till) AS during
    FROM unnest(%(since)s::timestamptz[], %(till)s::timestamptz[]) WITH ORDINALITY AS given (since, till, number)
), whole AS MATERIALIZED (
    SELECT tstzrange(min(lower(span.during)), max(upper(span.during))) AS during FROM span
), site AS MATERIALIZED (
    SELECT found.uid, host.name AS hostname,
        tstzmultirange(tstzrange(greatest(found.created, host.added_at), NULL)) AS lifetime
    FROM control_site AS found
    JOIN control_hostname AS host ON host.site_id = found.uid AND host.is_canonical
    WHERE found.uid = ANY(%(uids)s::uuid[])
), coverage AS MATERIALIZED (
    SELECT looked.place, range_agg(looked.during) AS during
    FROM control_probe_coverage AS looked JOIN whole ON looked.during && whole.during GROUP BY looked.place
), seen AS MATERIALIZED (
    SELECT site.uid, latest.place, looked.during, looked.during * period.bad AS bad,
        looked.during * period.closed AS closed
    FROM site CROSS JOIN whole
    JOIN control_probe_latest AS latest ON latest.hostname = site.hostname AND latest.site_id = site.uid
    JOIN coverage ON coverage.place = latest.place
    CROSS JOIN LATERAL (
        SELECT {periods_of(UNKNOWN)} AS unknown, {periods_of(*BAD)} AS bad, {periods_of(*CLOSED)} AS closed
        FROM (
            SELECT found.state, tstzrange(found.since, found.till) AS during FROM control_probe_period AS found
            WHERE found.hostname = site.hostname AND found.place = latest.place AND found.site_id = site.uid
                AND found.since < upper(whole.during) AND (found.till IS NULL OR found.till > lower(whole.during))
        ) AS period
    ) AS period
    CROSS JOIN LATERAL (
        SELECT coverage.during * tstzmultirange(tstzrange(latest.first_at, NULL)) - period.unknown AS during
    ) AS looked
), outside AS (
    SELECT seen.uid, seen.during AS looked, seen.bad AS down, seen.closed FROM seen WHERE seen.place = '{OUTSIDE}'
), inside AS (
    -- Down is what all say who look, and up what one of them says.
    SELECT said.uid, said.looked, said.looked - said.up - said.closed AS down, said.closed - said.up AS closed
    FROM (
        SELECT seen.uid, range_agg(seen.during) AS looked, range_agg(seen.during - seen.bad - seen.closed) AS up,
            range_agg(seen.closed) AS closed
        FROM seen WHERE seen.place <> '{OUTSIDE}' GROUP BY seen.uid
    ) AS said
), maintained AS MATERIALIZED (
    SELECT one.site_id, range_agg(tstzrange(one.since, one.till)) AS during
    FROM control_maintenance AS one JOIN whole ON tstzrange(one.since, one.till) && whole.during GROUP BY one.site_id
), everywhere AS (
    SELECT coalesce((SELECT one.during FROM maintained AS one WHERE one.site_id IS NULL), '{{}}') AS during
)
SELECT site.uid, span.number::integer,
    {seconds_in("counted.during * counted.looked - counted.down")} AS up,
    {seconds_in("counted.during * counted.down")} AS down,
    {seconds_in("counted.maintenance")} AS maintenance,
    {seconds_in("counted.during - counted.looked")} AS unknown,
    counted.seen_from
FROM site CROSS JOIN span
LEFT JOIN outside ON outside.uid = site.uid
LEFT JOIN inside ON inside.uid = site.uid
LEFT JOIN maintained AS planned ON planned.site_id = site.uid
CROSS JOIN everywhere
CROSS JOIN LATERAL (SELECT site.lifetime * tstzmultirange(span.during) AS whole) AS own
CROSS JOIN LATERAL (
    SELECT CASE WHEN outside.looked && own.whole THEN '{OUTSIDE}' WHEN inside.looked && own.whole THEN 'inside'
        ELSE '' END AS seen_from
) AS by
CROSS JOIN LATERAL (
    SELECT coalesce(CASE WHEN by.seen_from = '{OUTSIDE}' THEN outside.looked ELSE inside.looked END, '{{}}') AS looked,
        coalesce(CASE WHEN by.seen_from = '{OUTSIDE}' THEN outside.down ELSE inside.down END, '{{}}') AS down,
        coalesce(CASE WHEN by.seen_from = '{OUTSIDE}' THEN outside.closed ELSE inside.closed END, '{{}}') AS closed
) AS chosen
CROSS JOIN LATERAL (
    SELECT own.whole * (chosen.closed + coalesce(planned.during, '{{}}') + everywhere.during) AS maintenance
) AS out_of_service
CROSS JOIN LATERAL (
    SELECT own.whole - out_of_service.maintenance AS during, out_of_service.maintenance, chosen.looked, chosen.down,
        by.seen_from
) AS counted
"""  # noqa: S608  # constants

#: The latest periods of all hostnames of a site that reach into a span.
PERIODS = """
SELECT found.hostname, found.place, found.state, found.code, found.reason, found.since, found.till
FROM control_probe_period AS found
WHERE found.site_id = %(uid)s AND found.since < %(till)s AND (found.till IS NULL OR found.till > %(since)s)
ORDER BY found.since DESC, found.hostname, found.place LIMIT %(most)s
"""

#: The counted latencies of a site's canonical hostname, by hours: from outside where that was counted in the span, else
#: those from all nodes together.
LATENCIES = f"""
WITH counted AS MATERIALIZED (
    SELECT one.hour, one.place = '{OUTSIDE}' AS is_outside, one.histogram
    FROM control_hostname AS host JOIN control_probe_hour AS one ON one.hostname = host.name
    WHERE host.site_id = %(uid)s AND host.is_canonical AND one.hour >= %(since)s AND one.hour <= %(till)s
        AND one.hour >= date_trunc('hour', host.added_at, 'UTC')
)
SELECT part.hour, array_agg(part.count ORDER BY part.bucket) FROM (
    SELECT counted.hour, one.bucket, sum(one.count)::bigint AS count
    FROM counted CROSS JOIN LATERAL unnest(counted.histogram) WITH ORDINALITY AS one (count, bucket)
    WHERE counted.is_outside = (SELECT bool_or(any_place.is_outside) FROM counted AS any_place)
    GROUP BY counted.hour, one.bucket
) AS part GROUP BY part.hour ORDER BY part.hour
"""  # noqa: S608  # constants
