"""
Version 1 of what monitors have concluded, in PostgreSQL: one internal function keeps it, and nodes report through one
that knows who they are. :mod:`wagtail_multihost.nodeapi.monitor_v1` has that of the monitor outside.

Only what is not ``up`` is kept, as periods, and beside them when a place looked. All times are those of the database's
clock: reporters say how many seconds ago something became so, and nothing is believed that is older than what the
same place has stood by. Reports take no revision and make no event.
"""

from __future__ import annotations

from collections.abc import Iterable

from wagtail_multihost.nodeapi.node_states import ALL, FRONT, PLACED
from wagtail_multihost.nodeapi.node_v1 import REPORT_CHANNEL
from wagtail_multihost.nodeapi.node_v1 import ROLE as NODE_ROLE
from wagtail_multihost.nodeapi.probe_states import BUCKETS, OUTSIDE, REASONS, STATES, UNKNOWN, UP
from wagtail_multihost.nodeapi.v1 import SCHEMA as NODE_SCHEMA
from wagtail_multihost.spec.time_lengths import DAY, HOUR, MINUTE

#: Of one report: a reporter with more sends several.
MOST_OBSERVATIONS, MOST_LATENCIES = 2_000, 5_000
MOST_BYTES = 4_000_000
VERSION_LENGTH = 40
#: Seconds between the sweeps of a monitor that states nothing else. One that looks again after at most two and a half
#: of them has looked all the time.
PERIOD = MINUTE
LONGEST_GAP = PERIOD * 5 // 2
#: Seconds. What a monitor concludes from several probes has begun with the first of them, before its last report.
MOST_BEFORE = 5 * MINUTE
#: Changes of one hostname at one place that are kept: so many at once, and one more each so many seconds. Whatever goes
#: beyond is a time of which nothing is known, so that no site and no node fills the disk.
MOST_CHANGES, SECONDS_A_CHANGE = 60, 3 * MINUTE
#: Of one bucket in one hour.
MOST_COUNT = 1_000_000_000


def listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


def number_of(value: str, pattern: str, kind: str, otherwise: str) -> str:
    """Return an expression for a number in JSON: PostgreSQL takes some there that do not fit into its own types."""
    return f"(CASE WHEN {value} ~ '^{pattern}$' THEN ({value})::{kind} ELSE {otherwise} END)::{kind}"


AGE = r"[0-9]{1,9}(\.[0-9]{1,9})?"
#: Whether a place has to do with the hostnames of a ``site``: nodes with those of the sites that they hold.
IS_LOOKED_AT = f"""site.retired_at IS NULL AND site.enabled AND (from_place = '{OUTSIDE}' OR EXISTS (
            SELECT FROM public.control_node AS node JOIN public.control_node_group AS held ON held.id = node.group_id
            WHERE node.id = from_place AND (held.holds = '{ALL}' OR (held.holds = '{PLACED}' AND EXISTS (
                SELECT FROM public.control_placement AS placement
                WHERE placement.node_id = node.id AND placement.site_id = site.uid AND NOT placement.is_gone
            )))
        ))"""  # noqa: S608  # constants
CERTIFICATE_SECONDS = number_of("one.said ->> 'certificate_seconds'", "-?[0-9]{1,10}", "double precision", "NULL")
#: What is said, in columns. What is no word of the closed lists is left out, and so is what is said of hostnames that
#: the place does not have.
SAID = f"""SELECT DISTINCT ON (host.name) host.name::text AS hostname, site.uid, one.said ->> 'state' AS state,
            CASE WHEN one.said ->> 'reason' IN ({listed(REASONS)}) THEN one.said ->> 'reason' ELSE '' END AS reason,
            {number_of("one.said ->> 'code'", "[0-9]{1,3}", "smallint", "0")} AS code,
            make_interval(secs => {number_of("one.said ->> 'age'", AGE, "double precision", "0")}) AS age,
            moment + make_interval(secs => {CERTIFICATE_SECONDS}) AS certificate_until,
            CASE WHEN one.said ->> 'seen_uid' ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                THEN (one.said ->> 'seen_uid')::uuid END AS seen_uid,
            {number_of("one.said ->> 'milliseconds'", "[0-9]{1,6}", "integer", "NULL")} AS milliseconds
        FROM (SELECT told.value FROM jsonb_array_elements(observations) AS told
            WHERE jsonb_typeof(told.value) = 'object' LIMIT {MOST_OBSERVATIONS}) AS one (said)
        JOIN public.control_hostname AS host ON host.name = one.said ->> 'hostname'
        JOIN public.control_site AS site ON site.uid = host.site_id AND {IS_LOOKED_AT}
        WHERE one.said ->> 'state' IN ({listed(STATES)})"""  # noqa: S608  # constants

BEGIN_STATE = f"""
CREATE FUNCTION control_begin_state(
    from_place text, wanted text, owner uuid, new_state text, new_reason text, new_code smallint, began timestamptz
) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.control_probe_period AS open
    WHERE open.hostname = wanted AND open.place = from_place AND open.till IS NULL AND open.since >= began;
    UPDATE public.control_probe_period AS open SET till = began
    WHERE open.hostname = wanted AND open.place = from_place AND open.till IS NULL;
    IF new_state <> '{UP}' THEN
        INSERT INTO public.control_probe_period (hostname, place, site_id, state, code, reason, since)
        VALUES (wanted, from_place, owner, new_state, new_code, new_reason, began);
    END IF;
END $$;
REVOKE ALL ON FUNCTION control_begin_state FROM PUBLIC;
"""  # noqa: S608  # constants

NOTE = f"""
-- Keeps what the monitor at a place has concluded, and returns how many hostnames are in another state now.
-- ``seconds`` is for how long, up to now, every hostname of the place was looked at.
CREATE FUNCTION control_note_observations(
    from_place text, by_boot uuid, by_version text, seconds double precision, observations jsonb, latencies jsonb
) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    me record;
    looked tstzrange;
    looked_since timestamptz;
    earliest timestamptz;
    head bigint;
    said record;
    known record;
    began timestamptz;
    allowed double precision;
    changes integer := 0;
BEGIN
    IF jsonb_typeof(observations) IS DISTINCT FROM 'array' OR jsonb_typeof(latencies) IS DISTINCT FROM 'array'
        OR octet_length(observations::text) + octet_length(latencies::text) > {MOST_BYTES}
    THEN
        RAISE EXCEPTION 'A report must be two lists of at most {MOST_BYTES} bytes.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- The row is locked from here on: the reports of a place are kept one after the other.
    INSERT INTO public.control_monitor AS mine (place, boot, seen_at, version)
    VALUES (from_place, by_boot, moment, left(coalesce(by_version, ''), {VERSION_LENGTH}))
    ON CONFLICT (place) DO UPDATE SET boot = excluded.boot, seen_at = excluded.seen_at,
        version = coalesce(left(by_version, {VERSION_LENGTH}), mine.version)
    RETURNING * INTO me;
    SELECT coverage.during INTO looked FROM public.control_probe_coverage AS coverage WHERE coverage.id = me.coverage;
    -- What a place has stood by in an earlier report, it cannot change.
    earliest := coalesce(upper(looked), moment) - interval '{MOST_BEFORE} seconds';
    looked_since := greatest(earliest,
        moment - make_interval(secs => least(greatest(coalesce(nullif(seconds, 'NaN'), 0), 0), {DAY})));
    IF looked_since < moment AND (looked IS NULL OR upper(looked) < moment) THEN
        IF looked_since <= upper(looked) + interval '{LONGEST_GAP} seconds' THEN
            UPDATE public.control_probe_coverage AS coverage SET during = tstzrange(lower(looked), moment)
            WHERE coverage.id = me.coverage;
        ELSE
            INSERT INTO public.control_probe_coverage (place, during)
            VALUES (from_place, tstzrange(looked_since, moment)) RETURNING id INTO me.coverage;
        END IF;
    END IF;
    SELECT counted.revision INTO head FROM public.control_head AS counted WHERE counted.id = 1;
    IF head <> me.revision THEN
        -- Nobody looks from here any more at what the place does not have now: since its last report nothing is known.
        FOR known IN
            SELECT latest.hostname, latest.site_id, greatest(latest.since, coalesce(upper(looked), moment)) AS since
            FROM public.control_probe_latest AS latest
            WHERE latest.place = from_place AND latest.state <> '{UNKNOWN}' AND NOT EXISTS (
                SELECT FROM public.control_hostname AS host
                JOIN public.control_site AS site ON site.uid = host.site_id AND {IS_LOOKED_AT}
                WHERE host.name = latest.hostname AND host.site_id = latest.site_id
            )
        LOOP
            PERFORM public.control_begin_state(
                from_place, known.hostname, known.site_id, '{UNKNOWN}', '', 0::smallint, known.since);
            UPDATE public.control_probe_latest AS latest SET state = '{UNKNOWN}', reason = '', code = 0,
                since = known.since, seen_uid = NULL, certificate_until = NULL, milliseconds = NULL
            WHERE latest.hostname = known.hostname AND latest.place = from_place;
            changes := changes + 1;
        END LOOP;
    END IF;
    UPDATE public.control_monitor AS mine SET coverage = me.coverage, revision = head WHERE mine.place = from_place;
    FOR said IN
        {SAID}
        ORDER BY host.name
    LOOP
        SELECT * INTO known FROM public.control_probe_latest AS latest
        WHERE latest.hostname = said.hostname AND latest.place = from_place;
        IF known.site_id = said.uid
            AND (known.state, known.reason, known.code) = (said.state, said.reason, said.code)
        THEN
            UPDATE public.control_probe_latest AS latest SET certificate_until = said.certificate_until,
                milliseconds = said.milliseconds, seen_uid = said.seen_uid
            WHERE latest.hostname = said.hostname AND latest.place = from_place
                AND (latest.milliseconds, latest.seen_uid, date_trunc('minute', latest.certificate_until))
                    IS DISTINCT FROM (said.milliseconds, said.seen_uid, date_trunc('minute', said.certificate_until));
            CONTINUE;
        END IF;
        allowed := least({MOST_CHANGES}, coalesce(
            known.allowance + extract(epoch FROM moment - known.noted_at) / {SECONDS_A_CHANGE}, {MOST_CHANGES}));
        IF allowed < 1 THEN
            IF known.state IN (said.state, '{UNKNOWN}') THEN
                CONTINUE;
            END IF;
            said.state := '{UNKNOWN}';
            said.reason := '';
            said.code := 0;
        END IF;
        began := least(moment, greatest(moment - said.age, earliest,
            CASE WHEN known.site_id = said.uid THEN known.since END));
        PERFORM public.control_begin_state(
            from_place, said.hostname, said.uid, said.state, said.reason, said.code, began);
        INSERT INTO public.control_probe_latest AS latest (hostname, place, site_id, state, code, reason, since,
            first_at, seen_uid, certificate_until, milliseconds, has_proven, allowance, noted_at)
        VALUES (said.hostname, from_place, said.uid, said.state, said.code, said.reason, began, began, said.seen_uid,
            said.certificate_until, said.milliseconds, said.state = '{UP}' AND said.reason = '',
            greatest(0, allowed - 1), moment)
        ON CONFLICT (hostname, place) DO UPDATE SET site_id = excluded.site_id, state = excluded.state,
            code = excluded.code, reason = excluded.reason, since = excluded.since, seen_uid = excluded.seen_uid,
            certificate_until = excluded.certificate_until, milliseconds = excluded.milliseconds,
            allowance = excluded.allowance, noted_at = excluded.noted_at,
            -- A hostname that is another site's now begins anew.
            has_proven = excluded.has_proven OR (latest.has_proven AND latest.site_id = excluded.site_id),
            first_at = CASE WHEN latest.site_id = excluded.site_id THEN latest.first_at ELSE excluded.first_at END;
        changes := changes + 1;
    END LOOP;
    PERFORM public.control_count_latencies(from_place, moment, latencies);
    IF changes > 0 THEN
        PERFORM pg_notify('{REPORT_CHANNEL}', from_place);
    END IF;
    RETURN changes;
END $$;
REVOKE ALL ON FUNCTION control_note_observations FROM PUBLIC;
"""  # noqa: S608  # constants

#: Hours are those of UTC: a session may have any time zone, and some are half an hour off.
COUNT_LATENCIES = f"""
CREATE FUNCTION control_count_latencies(from_place text, moment timestamptz, latencies jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.control_probe_hour AS counted (hostname, place, hour, histogram)
    SELECT added.hostname, from_place, added.hour, array_agg(added.count ORDER BY added.bucket)
    FROM (
        SELECT host.name AS hostname, part.bucket,
            date_trunc('hour', moment - make_interval(secs => least({HOUR},
                {number_of("one.said ->> 'age'", AGE, "double precision", "0")})), 'UTC') AS hour,
            least({MOST_COUNT}, sum({number_of("part.text", "[0-9]{1,7}", "bigint", "0")}))::integer AS count
        FROM (SELECT told.value FROM jsonb_array_elements(latencies) AS told
            WHERE jsonb_typeof(told.value -> 'counts') = 'array' LIMIT {MOST_LATENCIES}) AS one (said)
        JOIN public.control_hostname AS host ON host.name = one.said ->> 'hostname'
        JOIN public.control_site AS site ON site.uid = host.site_id AND {IS_LOOKED_AT}
        CROSS JOIN LATERAL jsonb_array_elements_text(one.said -> 'counts') WITH ORDINALITY AS part (text, bucket)
        WHERE jsonb_array_length(one.said -> 'counts') = {BUCKETS}
        GROUP BY host.name, part.bucket, hour
    ) AS added
    GROUP BY added.hostname, added.hour
    ON CONFLICT (hostname, place, hour) DO UPDATE SET histogram = ARRAY(
        SELECT least({MOST_COUNT}, sums.former + sums.added)
        FROM unnest(counted.histogram, excluded.histogram) AS sums (former, added)
    );
END $$;
REVOKE ALL ON FUNCTION control_count_latencies FROM PUBLIC;
"""  # noqa: S608  # constants

#: A node with the name of the place outside would speak for that; a front server has no sites to look at.
REPORT_PROBES = f"""
CREATE FUNCTION {NODE_SCHEMA}.report_probes(
    boot uuid, version text, seconds double precision, observations jsonb, latencies jsonb
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT public.control_note_observations(me.id::text, report_probes.boot, report_probes.version,
            report_probes.seconds, report_probes.observations, report_probes.latencies) IS NOT NULL
        FROM {NODE_SCHEMA}.self AS me WHERE me.id <> '{OUTSIDE}' AND me.holds <> '{FRONT}';
    END;
REVOKE ALL ON FUNCTION {NODE_SCHEMA}.report_probes FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = f"{BEGIN_STATE}{COUNT_LATENCIES}{NOTE}{REPORT_PROBES}"
DROP = f"""
DROP FUNCTION {NODE_SCHEMA}.report_probes, control_note_observations, control_count_latencies, control_begin_state;
"""
GRANT = f"GRANT EXECUTE ON FUNCTION {NODE_SCHEMA}.report_probes TO {NODE_ROLE};"
REPORT = f"SELECT {NODE_SCHEMA}.report_probes(%s, %s, %s, %s, %s)"
