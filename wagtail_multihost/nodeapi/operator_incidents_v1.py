"""
What the operator process reads and writes of incidents in PostgreSQL. It decides what is one; these functions say what
monitors, nodes and processes have said, which incidents there are, and keep what it has decided.

All numbers of seconds are of the database's clock: times since the epoch, or how long something lasts.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.incident_words import COURIER, NODE, OPERATOR, REOPENED_WITHIN, SILENT_AFTER
from wagtail_multihost.nodeapi.incidents_v1 import shortened
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DISK, DRAINING, PLACED, TRUE
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA
from wagtail_multihost.nodeapi.probe_states import BAD, MAINTENANCE

#: So many rows of what monitors saw are looked at in one round.
MOST_ROWS = 20_000
#: Days that incidents and alerts which have ended stay listed.
KEPT_DAYS, ALERT_DAYS = 400, 30
#: Incidents that are looked at: those that are open, and those that may be opened again.
CURRENT = f"""(incident.till IS NULL OR (incident.folded_id IS NULL
            AND incident.till > clock_timestamp() - interval '{REOPENED_WITHIN} seconds'))"""
BAD_WORDS = ", ".join(f"'{state}'" for state in sorted(BAD))
#: The database server of the row ``site``, as the records name it.
SERVER = """coalesce(
            CASE WHEN jsonb_typeof(site.record -> 'database') = 'object'
                THEN site.record -> 'database' ->> 'host' || ':' || coalesce(site.record -> 'database' ->> 'port',
                    platform.record -> 'database' ->> 'port', '5432') END,
            platform.record -> 'database' ->> 'host' || ':' || coalesce(platform.record -> 'database' ->> 'port',
                '5432'),
            '')"""
IS_SERVED = "site.enabled AND site.state = 'active'"

CREATE = f"""
-- Takes what makes two operator processes decide one after the other, and says what time it is.
CREATE FUNCTION {SCHEMA}.lock_incidents() RETURNS double precision
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE public.control_incident IN SHARE ROW EXCLUSIVE MODE;
    RETURN extract(epoch FROM clock_timestamp());
END $$;

-- What monitors have seen of hostnames that are bad, or that an incident concerns. A site that is meant to be closed
-- is in maintenance, whatever answers there, and so is one while somebody works on it.
CREATE FUNCTION {SCHEMA}.list_seen() RETURNS TABLE (
    hostname text, place text, uid uuid, site text, state text, reason text, code integer, since double precision,
    is_fresh boolean, server text, nodes text[]
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed uuid[] := array[]::uuid[];
    is_all_closed boolean := false;
    speaking text[] := array(
        SELECT monitor.place FROM public.control_list_monitors() AS monitor WHERE monitor.seconds < {SILENT_AFTER}
    );
BEGIN
    SELECT coalesce(array_agg(one.site_id) FILTER (WHERE one.site_id IS NOT NULL), closed),
        coalesce(bool_or(one.site_id IS NULL), false)
    INTO closed, is_all_closed FROM public.control_maintenance AS one
    WHERE one.since <= clock_timestamp() AND coalesce(one.till > clock_timestamp(), true);
    RETURN QUERY
        SELECT seen.hostname::text, seen.place::text, site.uid, site.id::text,
            CASE WHEN {IS_SERVED} AND NOT is_all_closed AND site.uid <> ALL (closed) THEN seen.state
                ELSE '{MAINTENANCE}' END::text,
            seen.reason::text, seen.code::integer, extract(epoch FROM seen.since)::double precision,
            seen.place = ANY (speaking),
            {shortened(SERVER, 120)},
            array(
                SELECT node.id::text FROM public.control_node AS node
                JOIN public.control_node_group AS held ON held.id = node.group_id
                WHERE node.state <> '{AWAY}' AND (held.holds = '{ALL}' OR (held.holds = '{PLACED}' AND EXISTS (
                    SELECT FROM public.control_placement AS placement
                    WHERE placement.node_id = node.id AND placement.site_id = site.uid AND NOT placement.is_gone
                ))) ORDER BY node.id
            )
        FROM public.control_probe_latest AS seen
        JOIN public.control_hostname AS name ON name.name = seen.hostname AND name.site_id = seen.site_id
        JOIN public.control_site AS site ON site.uid = name.site_id AND site.retired_at IS NULL
        CROSS JOIN public.control_platform AS platform
        WHERE seen.state IN ({BAD_WORDS}) OR EXISTS (
            SELECT FROM public.control_incident_hostname AS concerned
            JOIN public.control_incident AS incident ON incident.id = concerned.incident_id
            WHERE concerned.hostname = seen.hostname AND concerned.place = seen.place AND {CURRENT}
        )
        ORDER BY seen.since, seen.hostname, seen.place LIMIT {MOST_ROWS};
END $$;

-- How many sites there are that a database server, and a place, could take down.
CREATE FUNCTION {SCHEMA}.count_sites() RETURNS TABLE (what text, name text, sites bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT 'server', {shortened(SERVER, 120)}, count(*)
        FROM public.control_site AS site CROSS JOIN public.control_platform AS platform
        WHERE site.retired_at IS NULL AND {IS_SERVED} GROUP BY 2
        UNION ALL
        SELECT 'place', seen.place::text, count(DISTINCT site.uid)
        FROM public.control_probe_latest AS seen
        JOIN public.control_hostname AS name ON name.name = seen.hostname AND name.site_id = seen.site_id
        JOIN public.control_site AS site ON site.uid = name.site_id
        WHERE site.retired_at IS NULL AND {IS_SERVED} GROUP BY 2;
    END;

-- Nodes, monitors and the courier: for how many seconds each has said nothing, after how many it should have, and
-- whether its disk is full.
CREATE FUNCTION {SCHEMA}.list_processes()
    RETURNS TABLE (what text, name text, seconds double precision, period double precision, is_full boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT '{NODE}', node.id::text,
            extract(epoch FROM clock_timestamp() - coalesce(report.seen_at, node.joined_at))::double precision, 0,
            coalesce(report.conditions @> '[{{"type": "{DISK}", "status": "{TRUE}"}}]', false)
        FROM public.control_node AS node LEFT JOIN public.control_report AS report ON report.node_id = node.id
        WHERE node.state IN ('{ACTIVE}', '{DRAINING}')
        UNION ALL
        SELECT 'monitor', monitor.place, monitor.seconds, 0, false FROM public.control_list_monitors() AS monitor
        UNION ALL
        SELECT '{COURIER}', '', extract(epoch FROM clock_timestamp() - beat.seen_at)::double precision, beat.period,
            false
        FROM public.control_heartbeat AS beat WHERE beat.process = '{COURIER}';
    END;

CREATE FUNCTION {SCHEMA}.list_incidents() RETURNS TABLE (
    id uuid, kind text, cause text, subject text, site uuid, since double precision, till double precision,
    sites integer, word text, hostnames jsonb
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT incident.id, incident.kind, incident.cause, incident.subject, incident.site_id,
            extract(epoch FROM incident.since)::double precision, extract(epoch FROM incident.till)::double precision,
            incident.count, incident.word, coalesce((
                SELECT jsonb_agg(jsonb_build_object('hostname', one.hostname, 'place', one.place, 'uid', one.site_id,
                    'site', site.id, 'state', one.state, 'reason', one.reason, 'code', one.code, 'turns', one.turns,
                    'since', extract(epoch FROM one.since), 'till', extract(epoch FROM one.till)))
                FROM public.control_incident_hostname AS one JOIN public.control_site AS site ON site.uid = one.site_id
                WHERE one.incident_id = incident.id
            ), '[]')
        FROM public.control_incident AS incident WHERE {CURRENT} ORDER BY incident.since, incident.id;
    END;

CREATE FUNCTION {SCHEMA}.keep_incident(
    incident uuid, kind text, cause text, subject text, site uuid, summary text, sites integer, is_open boolean,
    folded uuid, word text, line_kind text, line text, hostnames jsonb
) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT public.control_keep_incident(
            incident, kind, cause, subject, site, summary, sites, is_open, folded, word, line_kind, line, hostnames
        );
    END;

-- Says that the operator process lives, which it does each so many seconds.
CREATE FUNCTION {SCHEMA}.beat(period double precision) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT public.control_beat('{OPERATOR}', period);
    END;

CREATE FUNCTION {SCHEMA}.forget_incidents() RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH told AS (
            DELETE FROM public.control_alert AS old
            WHERE old.ended_at < clock_timestamp() - interval '{ALERT_DAYS} days'
                AND NOT EXISTS (
                    SELECT FROM public.control_incident AS open WHERE open.id = old.incident_id AND open.till IS NULL
                )
            RETURNING 1
        )
        SELECT count(*)::integer FROM told;
        WITH forgotten AS (
            SELECT old.id FROM public.control_incident AS old
            WHERE old.till < clock_timestamp() - interval '{KEPT_DAYS} days' ORDER BY old.till LIMIT 500
        ), lines AS (
            DELETE FROM public.control_incident_line AS one USING forgotten WHERE one.incident_id = forgotten.id
        ), hostnames AS (
            DELETE FROM public.control_incident_hostname AS one USING forgotten WHERE one.incident_id = forgotten.id
        ), unfolded AS (
            UPDATE public.control_incident AS one SET folded_id = NULL FROM forgotten
            WHERE one.folded_id = forgotten.id AND NOT EXISTS (SELECT FROM forgotten AS other WHERE other.id = one.id)
        ), gone AS (
            DELETE FROM public.control_incident AS one USING forgotten WHERE one.id = forgotten.id RETURNING 1
        )
        SELECT count(*)::integer FROM gone;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.lock_incidents, {SCHEMA}.list_seen, {SCHEMA}.count_sites, {SCHEMA}.list_processes,
    {SCHEMA}.list_incidents, {SCHEMA}.keep_incident, {SCHEMA}.beat, {SCHEMA}.forget_incidents FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"""
DROP FUNCTION {SCHEMA}.lock_incidents, {SCHEMA}.list_seen, {SCHEMA}.count_sites, {SCHEMA}.list_processes,
    {SCHEMA}.list_incidents, {SCHEMA}.keep_incident, {SCHEMA}.beat, {SCHEMA}.forget_incidents;
"""

LOCK = f"SELECT {SCHEMA}.lock_incidents()"
LIST_SEEN = (
    "SELECT hostname, place, uid, site, state, reason, code, since, is_fresh, server, nodes "  # noqa: S608
    f"FROM {SCHEMA}.list_seen()"
)
COUNT_SITES = f"SELECT what, name, sites FROM {SCHEMA}.count_sites()"  # noqa: S608
LIST_PROCESSES = f"SELECT what, name, seconds, period, is_full FROM {SCHEMA}.list_processes()"  # noqa: S608
LIST_INCIDENTS = (
    "SELECT id, kind, cause, subject, site, since, till, sites, word, hostnames "  # noqa: S608
    f"FROM {SCHEMA}.list_incidents()"
)
KEEP = f"SELECT {SCHEMA}.keep_incident(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
BEAT = f"SELECT {SCHEMA}.beat(%s)"
