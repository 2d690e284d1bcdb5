"""
Incidents in PostgreSQL: functions of the tables' owner, by which the schemas of the operator process, the courier and
nodes write them. No login may call them itself.

Of what monitors have seen nothing is here but what one function reads: tables of another part, which it asks for when
it runs.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.event_types import INCIDENT_CHANGED, INCIDENT_CLOSED, INCIDENT_OPENED
from wagtail_multihost.nodeapi.incident_words import (
    CHANGED,
    CLOSED,
    HEALED,
    LINE_LENGTH,
    NODE,
    OPENED,
    PERIODS,
    SILENT_AFTER,
    SUBJECT_LENGTH,
    SUMMARY_LENGTH,
)
from wagtail_multihost.nodeapi.node_states import ACTIVE, DRAINING
from wagtail_multihost.nodeapi.node_states import SILENT_AFTER as NODE_SILENT_AFTER
from wagtail_multihost.nodeapi.probe_states import OUTSIDE

#: Of one incident.
MOST_HOSTNAMES, MOST_LINES = 20_000, 500
ACTOR = "operator:incidents"
#: Whether the process of the row ``beat`` lives.
IS_BEATING = f"""beat.seen_at > clock_timestamp()
            - make_interval(secs => greatest({SILENT_AFTER}, {PERIODS} * least(beat.period, 86400)))"""


def shortened(text: str, length: int) -> str:
    """Return SQL for a text as it is kept: short, and without characters that control anything."""
    return f"regexp_replace(left(coalesce({text}, ''), {length}), '[[:cntrl:]]', ' ', 'g')"


CREATE = f"""
-- Writes an incident as it is now, with the hostnames that have changed in it, and a line unless that is blank. What
-- people are told of is an event.
CREATE FUNCTION control_keep_incident(
    incident uuid, kind text, cause text, subject text, site uuid, summary text, sites integer, is_open boolean,
    folded uuid, word text, line_kind text, line text, hostnames jsonb
) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_is timestamptz := clock_timestamp();
BEGIN
    IF jsonb_array_length(hostnames) > {MOST_HOSTNAMES} THEN
        RAISE EXCEPTION 'There are too many hostnames.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO public.control_incident AS kept
        (id, kind, cause, subject, site_id, since, till, summary, count, phase, word, told_at, folded_id)
    VALUES (incident, control_keep_incident.kind, control_keep_incident.cause,
        {shortened("control_keep_incident.subject", SUBJECT_LENGTH)}, control_keep_incident.site, now_is,
        CASE WHEN NOT is_open THEN now_is END, {shortened("control_keep_incident.summary", SUMMARY_LENGTH)}, sites,
        CASE WHEN control_keep_incident.word = '' THEN 0 ELSE 1 END, control_keep_incident.word, now_is, folded)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, cause = excluded.cause, subject = excluded.subject,
        site_id = excluded.site_id, summary = excluded.summary, count = excluded.count,
        till = CASE WHEN NOT is_open THEN coalesce(kept.till, now_is) END, folded_id = excluded.folded_id,
        phase = kept.phase + excluded.phase,
        word = CASE WHEN excluded.phase = 0 THEN kept.word ELSE excluded.word END,
        told_at = CASE WHEN excluded.phase = 0 THEN kept.told_at ELSE now_is END;
    INSERT INTO public.control_incident_hostname AS kept
        (incident_id, site_id, hostname, place, state, reason, code, turns, since, till)
    SELECT incident, one.site, one.hostname, one.place, one.state, one.reason, one.code, one.turns,
        to_timestamp(one.since), to_timestamp(one.till)
    FROM jsonb_to_recordset(hostnames) AS one(site uuid, hostname text, place text, state text, reason text,
        code integer, turns jsonb, since double precision, till double precision)
    ON CONFLICT (incident_id, hostname, place) DO UPDATE SET site_id = excluded.site_id, state = excluded.state,
        reason = excluded.reason, code = excluded.code, turns = excluded.turns, since = excluded.since,
        till = excluded.till;
    PERFORM public.control_add_line(incident, line_kind, line);
    IF control_keep_incident.word <> '' THEN
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        PERFORM public.control_record_event(
            CASE control_keep_incident.word WHEN '{OPENED}' THEN '{INCIDENT_OPENED}'
                WHEN '{CHANGED}' THEN '{INCIDENT_CHANGED}' WHEN '{CLOSED}' THEN '{INCIDENT_CLOSED}' END,
            (SELECT one.id FROM public.control_site AS one WHERE one.uid = control_keep_incident.site),
            control_keep_incident.site, '{ACTOR}',
            jsonb_build_object('incident', incident, 'kind', control_keep_incident.kind));
    END IF;
    -- What is checked at the end of a transaction is asked as the caller, who may read no table.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
END $$;

CREATE FUNCTION control_add_line(incident uuid, kind text, line text) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO public.control_incident_line (incident_id, at, kind, text)
        SELECT incident, clock_timestamp(), kind, {shortened("line", LINE_LENGTH)}
        WHERE line <> '' AND (
            SELECT count(*) FROM public.control_incident_line AS known WHERE known.incident_id = incident
        ) < {MOST_LINES};
    END;

-- What was done about a site, or a node where that is NULL, as a line of each incident that concerns it now. Returns
-- how many these are.
CREATE FUNCTION control_note_healing(site uuid, node text, line text) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    counted integer := 0;
BEGIN
    FOR found IN
        SELECT one.id FROM public.control_incident AS one WHERE one.till IS NULL AND CASE
            WHEN control_note_healing.site IS NULL
                THEN one.cause = '{NODE}' AND one.subject = control_note_healing.node
            ELSE EXISTS (
                SELECT FROM public.control_incident_hostname AS concerned
                WHERE concerned.incident_id = one.id AND concerned.site_id = control_note_healing.site
            ) END
    LOOP
        PERFORM public.control_add_line(found.id, '{HEALED}', line);
        counted := counted + 1;
    END LOOP;
    RETURN counted;
END $$;

-- The monitors that should speak, and for how many seconds each has not: of a node that is away or silent itself,
-- nobody expects that.
CREATE FUNCTION control_list_monitors() RETURNS TABLE (place text, seconds double precision)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT monitor.place::text, extract(epoch FROM clock_timestamp() - max(monitor.seen_at))::double precision
        FROM public.control_monitor AS monitor
        LEFT JOIN public.control_node AS node ON node.id = monitor.place
        LEFT JOIN public.control_report AS report ON report.node_id = node.id
        WHERE monitor.seen_at IS NOT NULL AND (monitor.place = '{OUTSIDE}' OR (
            node.state IN ('{ACTIVE}', '{DRAINING}')
            AND report.seen_at > clock_timestamp() - interval '{NODE_SILENT_AFTER} seconds'
        ))
        GROUP BY monitor.place;
    END;

CREATE FUNCTION control_beat(process text, period double precision) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO public.control_heartbeat AS beat (process, seen_at, period)
        VALUES (process, clock_timestamp(), control_beat.period)
        ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at, period = excluded.period
        WHERE beat.seen_at < clock_timestamp() - interval '5 seconds' OR beat.period <> excluded.period;
    END;
REVOKE ALL ON FUNCTION control_keep_incident, control_add_line, control_note_healing, control_list_monitors,
    control_beat FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = """
DROP FUNCTION control_keep_incident, control_add_line, control_note_healing, control_list_monitors, control_beat;
"""
