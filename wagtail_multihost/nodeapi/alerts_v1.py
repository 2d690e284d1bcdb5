"""
Version 1 of how people are told of incidents, in PostgreSQL: functions of the courier's schema, which make alerts of
incidents, give them out, take down what came of each, and watch over the processes that nobody else watches.

An alert is sent at least once: it is marked after it was sent, by the attempt that sent it. One that still waits says
what is so when it is sent, so that a slow provider gets one message and not the whole story. Where it goes, and with
which secrets, is in a file of the courier's own; here are labels. Each recipient is told of its own sites alone.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.courier_v1 import SCHEMA
from wagtail_multihost.nodeapi.incident_words import (
    CLOSED,
    COURIER,
    DISK,
    KINDS,
    MONITOR,
    MONITOR_SILENT,
    NODE,
    OF_SITE,
    OPENED,
    OPERATOR,
    OPERATOR_SILENT,
    REOPENED_WITHIN,
    SILENT_AFTER,
    TEST,
)
from wagtail_multihost.nodeapi.incidents_v1 import IS_BEATING, shortened
from wagtail_multihost.nodeapi.probe_states import OUTSIDE

LABEL_LENGTH, PROBLEM_LENGTH = 40, 300
#: Seconds. A courier that is silent for longer has lost its alerts to another one.
LEASE_SECONDS = 180
MOST_ALERTS = 10
#: Seconds until the second attempt, each time so many times as long, and the most between two.
FIRST_PAUSE, FACTOR, LONGEST_PAUSE = 5, 3, 3_600
#: About a day of attempts.
MOST_ATTEMPTS = 30
#: Seconds. What is over for longer is no news, and the courier says so often which labels it knows.
NEWS_SECONDS, KNOWN_SECONDS = 86_400, 600
#: So many sites and hostnames are named in one message.
MOST_NAMED = 20
MOST_LABELS = 200

#: Whether a hostname of the row ``incident`` is one that the row ``recipient`` is told of.
IS_OWN = "(recipient.sites IS NULL OR recipient.sites ? concerned.site_id::text)"
#: Whether no silence keeps the row ``incident`` from the row ``recipient``, in a time that is filled in.
IS_HEARD = f"""(
            NOT EXISTS (
                SELECT FROM public.control_silence AS silence
                WHERE {{when}} AND ((silence.site_id IS NULL AND silence.node = '') OR (
                    incident.cause IN ('{NODE}', '{DISK}', '{MONITOR}') AND silence.node = incident.subject
                ))
            ) AND CASE WHEN NOT EXISTS (
                SELECT FROM public.control_incident_hostname AS concerned WHERE concerned.incident_id = incident.id
            ) THEN recipient.sites IS NULL ELSE EXISTS (
                SELECT FROM public.control_incident_hostname AS concerned
                WHERE concerned.incident_id = incident.id AND {IS_OWN} AND NOT EXISTS (
                    SELECT FROM public.control_silence AS silence WHERE {{when}}
                        AND (silence.site_id = concerned.site_id OR silence.node = concerned.place)
                )
            ) END
        )"""  # noqa: S608  # constants
IS_NOW = "silence.since <= clock_timestamp() AND silence.until > clock_timestamp()"
WAS_THEN = "silence.since < incident.till AND silence.until > incident.since"
#: Of the row ``one``: a process that is silent.
SUMMARY = f"""CASE one.kind WHEN '{OPERATOR_SILENT}' THEN '{KINDS[OPERATOR_SILENT]}'
                    ELSE '{KINDS[MONITOR_SILENT]} The place: ' || one.subject || '.' END"""

CREATE = f"""
-- Alerts of what recipients have not been told yet, and tests that somebody has asked for. Returns how many.
CREATE FUNCTION {SCHEMA}.queue_alerts() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
    counted integer := 0;
BEGIN
    FOR one IN
        UPDATE public.control_recipient AS recipient SET test_wanted_at = NULL
        WHERE recipient.test_wanted_at IS NOT NULL RETURNING recipient.label
    LOOP
        DELETE FROM public.control_alert AS old WHERE old.recipient_id = one.label AND old.word = '{TEST}';
        INSERT INTO public.control_alert
            (id, incident_id, recipient_id, phase, word, made_at, attempts, due_at, problem)
        VALUES (gen_random_uuid(), NULL, one.label, 0, '{TEST}', clock_timestamp(), 0, clock_timestamp(), '');
        counted := counted + 1;
    END LOOP;
    FOR one IN
        SELECT incident.id, incident.phase, incident.word, recipient.label, waiting.id AS waiting
        FROM public.control_incident AS incident
        JOIN public.control_recipient AS recipient
            ON recipient.is_active AND recipient.made_at <= incident.told_at
        CROSS JOIN LATERAL (
            SELECT max(alert.phase) AS phase FROM public.control_alert AS alert
            WHERE alert.incident_id = incident.id AND alert.recipient_id = recipient.label
        ) AS told
        LEFT JOIN public.control_alert AS waiting
            ON waiting.incident_id = incident.id AND waiting.recipient_id = recipient.label
            AND waiting.ended_at IS NULL
        WHERE incident.folded_id IS NULL AND incident.phase > coalesce(told.phase, 0)
            AND (incident.till IS NULL OR incident.till > clock_timestamp() - interval '{NEWS_SECONDS} seconds')
            AND (waiting.id IS NULL OR waiting.lease_until IS NULL OR waiting.lease_until <= clock_timestamp())
            AND (told.phase IS NOT NULL OR recipient.kinds = '[]' OR recipient.kinds ? incident.kind)
            AND {IS_HEARD.format(when=IS_NOW)}
            -- What was over before anybody could be told is told once, unless it was to be kept silent.
            AND (incident.till IS NULL OR told.phase IS NOT NULL OR {IS_HEARD.format(when=WAS_THEN)})
        ORDER BY incident.told_at
    LOOP
        IF one.waiting IS NULL THEN
            INSERT INTO public.control_alert
                (id, incident_id, recipient_id, phase, word, made_at, attempts, due_at, problem)
            VALUES (gen_random_uuid(), one.id, one.label, one.phase, one.word, clock_timestamp(), 0,
                clock_timestamp(), '')
            ON CONFLICT DO NOTHING;
        ELSE
            UPDATE public.control_alert AS alert SET phase = one.phase, word = one.word
            WHERE alert.id = one.waiting AND alert.ended_at IS NULL;
        END IF;
        counted := counted + 1;
    END LOOP;
    -- Nobody is told that something begins which another incident has taken in.
    UPDATE public.control_alert AS alert SET ended_at = clock_timestamp(), problem = ''
    FROM public.control_incident AS incident
    WHERE alert.incident_id = incident.id AND alert.ended_at IS NULL AND incident.folded_id IS NOT NULL
        AND (alert.lease_until IS NULL OR alert.lease_until <= clock_timestamp());
    RETURN counted;
END $$;

-- Gives out alerts for the labels that the courier knows: one at a time for each, so that a slow provider holds up no
-- other one, and first those that have not failed yet.
CREATE FUNCTION {SCHEMA}.take_alerts(most integer, labels text[]) RETURNS TABLE (
    id uuid, lease uuid, recipient text, word text, kind text, cause text, subject text, began double precision,
    lasted double precision, sites bigint, names text[], hostnames jsonb, is_all boolean
)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH open AS (
            SELECT alert.id, alert.attempts, alert.due_at, row_number() OVER (
                PARTITION BY alert.recipient_id
                ORDER BY coalesce(alert.lease_until > clock_timestamp(), false) DESC, alert.attempts, alert.due_at
            ) AS turn
            FROM public.control_alert AS alert
            WHERE alert.ended_at IS NULL AND alert.recipient_id = ANY (take_alerts.labels)
                AND (alert.due_at <= clock_timestamp() OR alert.lease_until > clock_timestamp())
        ), chosen AS (
            SELECT candidate.id AS chosen_id
            FROM public.control_alert AS candidate JOIN open ON open.id = candidate.id
            WHERE open.turn = 1 AND candidate.ended_at IS NULL
                AND (candidate.lease_until IS NULL OR candidate.lease_until <= clock_timestamp())
            ORDER BY open.attempts, open.due_at LIMIT greatest(0, least(take_alerts.most, {MOST_ALERTS}))
            FOR UPDATE OF candidate SKIP LOCKED
        ), taken AS (
            UPDATE public.control_alert AS alert
            SET lease = gen_random_uuid(), lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds'
            FROM chosen WHERE alert.id = chosen.chosen_id
            RETURNING alert.id, alert.lease, alert.recipient_id, alert.word, alert.incident_id
        )
        SELECT taken.id, taken.lease, taken.recipient_id::text, taken.word::text, coalesce(incident.kind, '')::text,
            coalesce(incident.cause, '')::text,
            -- Which server or node it is, the people of a site need not know.
            CASE WHEN recipient.sites IS NULL OR incident.cause = '{OF_SITE}' THEN coalesce(incident.subject, '')
                ELSE '' END::text,
            extract(epoch FROM clock_timestamp() - incident.since)::double precision,
            extract(epoch FROM incident.till - incident.since)::double precision,
            CASE WHEN recipient.sites IS NULL THEN greatest(own.sites, incident.count) ELSE own.sites END,
            coalesce(own.names, array[]::text[]), coalesce(own.hostnames, '[]'), recipient.sites IS NULL
        FROM taken
        JOIN public.control_recipient AS recipient ON recipient.label = taken.recipient_id
        LEFT JOIN public.control_incident AS incident ON incident.id = taken.incident_id
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT concerned.site_id) AS sites,
                (array_agg(DISTINCT site.id::text))[1:{MOST_NAMED}] AS names,
                jsonb_path_query_array(jsonb_agg(
                    jsonb_build_array(concerned.hostname, concerned.place, concerned.state, concerned.reason,
                        concerned.code) ORDER BY concerned.till IS NOT NULL, concerned.hostname, concerned.place
                ), '$[0 to {MOST_NAMED - 1}]') AS hostnames
            FROM public.control_incident_hostname AS concerned
            JOIN public.control_site AS site ON site.uid = concerned.site_id
            WHERE concerned.incident_id = incident.id AND {IS_OWN}
        ) AS own ON true;
    END;

CREATE FUNCTION {SCHEMA}.report_alert(id uuid, lease uuid, sent boolean, problem text) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH told AS (
            UPDATE public.control_alert AS alert
            SET attempts = alert.attempts + 1, lease = NULL, lease_until = NULL,
                sent_at = CASE WHEN report_alert.sent THEN clock_timestamp() END,
                ended_at = CASE WHEN report_alert.sent OR alert.attempts + 1 >= {MOST_ATTEMPTS}
                    THEN clock_timestamp() END,
                problem = CASE WHEN report_alert.sent THEN '' ELSE
                    {shortened("report_alert.problem", PROBLEM_LENGTH)} END,
                due_at = clock_timestamp() + make_interval(
                    secs => least({LONGEST_PAUSE}, {FIRST_PAUSE} * power({FACTOR}, least(alert.attempts, 20)))
                )
            WHERE alert.id = report_alert.id AND alert.lease = report_alert.lease AND alert.ended_at IS NULL
                AND alert.lease_until > clock_timestamp() AND report_alert.sent IS NOT NULL
            RETURNING alert.recipient_id, alert.problem
        ), shown AS (
            UPDATE public.control_recipient AS recipient SET problem = told.problem FROM told
            WHERE recipient.label = told.recipient_id AND recipient.problem <> told.problem RETURNING 1
        )
        SELECT EXISTS (SELECT FROM told);
    END;

-- Says which labels the courier's file has, so that people see when a recipient is none of them.
CREATE FUNCTION {SCHEMA}.show_labels(labels text[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_recipient AS recipient SET known_at = clock_timestamp()
        WHERE recipient.label = ANY (labels[1:{MOST_LABELS}]) AND (
            recipient.known_at IS NULL OR recipient.known_at < clock_timestamp() - interval '{KNOWN_SECONDS} seconds'
        );
    END;

-- Says that the courier lives, which it does each so many seconds, and, if it watches, opens and closes incidents
-- of who looks after everything else: the operator process, and the monitors while it is silent. Returns whether both
-- live.
CREATE FUNCTION {SCHEMA}.beat(seconds double precision, watches boolean) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
    known record;
    has_operator boolean;
BEGIN
    PERFORM public.control_beat('{COURIER}', beat.seconds);
    has_operator := coalesce((
        SELECT {IS_BEATING} FROM public.control_heartbeat AS beat WHERE beat.process = '{OPERATOR}'
    ), false);
    FOR one IN
        SELECT '{OPERATOR_SILENT}' AS kind, '{OPERATOR}' AS cause, '' AS subject, NOT has_operator AS is_silent
        FROM public.control_heartbeat AS beat WHERE beat.process = '{OPERATOR}' AND watches
        UNION ALL
        SELECT '{MONITOR_SILENT}', '{MONITOR}', monitor.place, monitor.seconds > {SILENT_AFTER}
        FROM public.control_list_monitors() AS monitor WHERE NOT has_operator AND watches
    LOOP
        SELECT incident.id, incident.till INTO known FROM public.control_incident AS incident
        WHERE incident.cause = one.cause AND incident.subject = one.subject AND incident.kind = one.kind AND (
            incident.till IS NULL OR (incident.folded_id IS NULL
                AND incident.till > clock_timestamp() - interval '{REOPENED_WITHIN} seconds')
        ) ORDER BY incident.till DESC NULLS FIRST LIMIT 1;
        IF one.is_silent AND (known.id IS NULL OR known.till IS NOT NULL) AND NOT EXISTS (
            SELECT FROM public.control_incident AS other
            WHERE other.cause = one.cause AND other.subject = one.subject AND other.till IS NULL
        ) THEN
            PERFORM public.control_keep_incident(coalesce(known.id, gen_random_uuid()), one.kind, one.cause,
                one.subject, NULL, {SUMMARY}, 0, true, NULL, '{OPENED}', '{OPENED}', {SUMMARY}, '[]');
        ELSIF NOT one.is_silent AND known.id IS NOT NULL AND known.till IS NULL THEN
            PERFORM public.control_keep_incident(known.id, one.kind, one.cause, one.subject, NULL, {SUMMARY}, 0,
                false, NULL, '{CLOSED}', '{CLOSED}', 'It works again.', '[]');
        END IF;
    END LOOP;
    RETURN has_operator AND coalesce((
        SELECT monitor.seconds <= {SILENT_AFTER} FROM public.control_list_monitors() AS monitor
        ORDER BY monitor.place <> '{OUTSIDE}', monitor.seconds LIMIT 1
    ), false);
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.queue_alerts, {SCHEMA}.take_alerts, {SCHEMA}.report_alert, {SCHEMA}.show_labels,
    {SCHEMA}.beat FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"""
DROP FUNCTION {SCHEMA}.queue_alerts, {SCHEMA}.take_alerts, {SCHEMA}.report_alert, {SCHEMA}.show_labels, {SCHEMA}.beat;
"""

QUEUE = f"SELECT {SCHEMA}.queue_alerts()"
TAKE = (
    "SELECT id, lease, recipient, word, kind, cause, subject, began, lasted, sites, names, hostnames, is_all "  # noqa: S608
    f"FROM {SCHEMA}.take_alerts(%s, %s)"
)
REPORT = f"SELECT {SCHEMA}.report_alert(%s, %s, %s, %s)"
SHOW_LABELS = f"SELECT {SCHEMA}.show_labels(%s)"
BEAT = f"SELECT {SCHEMA}.beat(%s, %s)"
