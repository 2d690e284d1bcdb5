"""
How a wave goes on. The operator process asks for the next step again and again; each one that is taken has an event.

A stage ends once all nodes whose turn has come have applied the change and nothing new was wrong with them for a while.
Where something is, the wave stops by itself, until someone says how it goes on.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.event_types import WAVE_ADVANCED, WAVE_DONE, WAVE_STOPPED
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    APPLIED,
    DONE,
    FALSE,
    FRONT,
    ONE,
    REST,
    RUNNING,
    SILENT_AFTER,
    STOPPED,
)
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA

SILENT = "silent"
REASON_LENGTH = 500

#: What can be wrong with a node. A report is the node's own word, so its form is looked at too.
AILMENT = f"""
CREATE VIEW control_node_ailment AS
    SELECT node.id AS node_id, '{SILENT}'::text COLLATE "C" AS what, NULL::uuid AS site_id
    FROM control_node AS node LEFT JOIN control_report AS report ON report.node_id = node.id
    WHERE coalesce(report.seen_at, '-infinity') < clock_timestamp() - interval '{SILENT_AFTER} seconds'
    UNION ALL
    SELECT DISTINCT report.node_id, '{APPLIED}'::text COLLATE "C", NULL::uuid
    FROM control_report AS report
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(report.conditions) WHEN 'array' THEN report.conditions ELSE '[]' END
    ) AS condition
    WHERE condition ->> 'type' = '{APPLIED}' AND condition ->> 'status' = '{FALSE}'
    UNION ALL
    SELECT report.node_id, site.id::text COLLATE "C", site.uid
    FROM control_report AS report
    CROSS JOIN LATERAL jsonb_object_keys(
        CASE jsonb_typeof(report.sites) WHEN 'object' THEN report.sites ELSE '{{}}' END
    ) AS refused (site)
    JOIN control_site AS site ON site.id = refused.site AND site.retired_at IS NULL
        -- What waits for the end of a hold is not the change's fault.
        AND NOT EXISTS (
            SELECT FROM control_hold AS hold WHERE hold.site_id = site.uid AND hold.until > clock_timestamp()
        );
    -- Hostnames that answer worse through a node than before are one more kind, once they are observed for each node.

-- The nodes that a change can be tried on.
CREATE VIEW control_wave_candidate AS
    SELECT node.id AS node_id, held.holds
    FROM control_node AS node JOIN control_node_group AS held ON held.id = node.group_id
    WHERE node.state = '{ACTIVE}' AND held.holds <> '{FRONT}'
        AND NOT EXISTS (
            SELECT FROM control_node_ailment AS ailment WHERE ailment.node_id = node.id AND ailment.site_id IS NULL
        )
        AND NOT EXISTS (
            SELECT FROM control_hold AS hold
            WHERE hold.until > clock_timestamp() AND hold.site_id IS NULL
                AND (hold.node_id = node.id OR hold.node_id IS NULL)
        );
"""  # noqa: S608  # constants

#: Begins a stage. Whoever calls it holds the head, and has counted the revision. The first node is one that has many of
#: the sites; the last stage is for all nodes, whatever they are.
ENTER_STAGE = f"""
CREATE FUNCTION control_enter_stage(entered uuid, next_stage integer, counted bigint) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH ranked AS (
            SELECT candidate.node_id, row_number() OVER (
                ORDER BY NOT wave.admitted ? candidate.node_id,
                    CASE WHEN candidate.holds = '{ALL}' THEN 2147483647 ELSE (
                        SELECT count(*) FROM public.control_placement AS placement
                        JOIN public.control_wave_item AS item ON item.wave_id = wave.id
                            AND (item.site_id = placement.site_id OR item.site_id IS NULL)
                        WHERE placement.node_id = candidate.node_id AND NOT placement.is_gone
                    ) END DESC,
                    md5(wave.id::text || candidate.node_id)
            ) AS place, count(*) OVER () AS total
            FROM public.control_wave AS wave CROSS JOIN public.control_wave_candidate AS candidate
            WHERE wave.id = entered
        ), chosen AS (
            SELECT ranked.node_id FROM ranked
            WHERE ranked.place <= CASE next_stage WHEN {ONE} THEN 1 ELSE greatest(2, ceil(ranked.total / 10.0)) END
            UNION
            SELECT node.id FROM public.control_node AS node WHERE next_stage = {REST}
        )
        UPDATE public.control_wave AS wave SET stage = next_stage, stage_revision = counted,
            stage_at = clock_timestamp(), settled_at = NULL, state = '{RUNNING}', reason = '',
            admitted = wave.admitted || (
                SELECT coalesce(jsonb_object_agg(chosen.node_id, counted), '{{}}')
                FROM chosen WHERE NOT wave.admitted ? chosen.node_id
            )
        WHERE wave.id = entered;
        UPDATE public.control_wave AS wave SET baseline = (
            SELECT coalesce(jsonb_object_agg(found.node_id, found.ailments), '{{}}') FROM (
                SELECT ailment.node_id, jsonb_agg(ailment.what) AS ailments
                FROM public.control_node_ailment AS ailment WHERE wave.admitted ? ailment.node_id
                GROUP BY ailment.node_id
            ) AS found
        )
        WHERE wave.id = entered;
    END;
REVOKE ALL ON FUNCTION control_enter_stage FROM PUBLIC;
"""  # noqa: S608  # constants

WAIT, STOP, REPLACE, SETTLE, ADVANCE = "wait", "stop", "replace", "settle", "advance"
#: What to do next with a wave, and which nodes are the reason. Nodes that were not well before the stage began are not
#: waited for; where none is left that is, another one takes their place.
JUDGE = f"""
CREATE FUNCTION {SCHEMA}.judge_wave(judged uuid) RETURNS TABLE (step text, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH wave AS (
            SELECT * FROM public.control_wave AS one WHERE one.id = judged AND one.state = '{RUNNING}'
        ), fresh AS (
            SELECT DISTINCT ailment.node_id, ailment.what
            FROM wave JOIN public.control_node_ailment AS ailment ON wave.admitted ? ailment.node_id
            JOIN public.control_node AS node ON node.id = ailment.node_id AND node.state = '{ACTIVE}'
            WHERE NOT coalesce(wave.baseline -> ailment.node_id, '[]') ? ailment.what
                AND (ailment.site_id IS NULL OR EXISTS (
                    SELECT FROM public.control_wave_item AS item
                    WHERE item.wave_id = wave.id AND item.is_current
                        AND (item.site_id IS NULL OR item.site_id = ailment.site_id)
                ))
        ), able AS (
            SELECT candidate.node_id, coalesce(report.applied, 0) < (wave.admitted ->> candidate.node_id)::bigint
                AS is_behind
            FROM wave JOIN public.control_wave_candidate AS candidate ON wave.admitted ? candidate.node_id
            LEFT JOIN public.control_report AS report ON report.node_id = candidate.node_id
        )
        SELECT CASE
            WHEN EXISTS (SELECT FROM fresh) THEN '{STOP}'
            WHEN wave.stage < {REST} AND NOT EXISTS (SELECT FROM able) THEN
                CASE WHEN EXISTS (SELECT FROM public.control_wave_candidate) THEN '{REPLACE}' ELSE '{WAIT}' END
            WHEN EXISTS (SELECT FROM able WHERE able.is_behind) THEN '{WAIT}'
            WHEN wave.settled_at IS NULL THEN '{SETTLE}'
            WHEN clock_timestamp() < wave.settled_at + make_interval(secs => wave.bake_seconds) THEN '{WAIT}'
            ELSE '{ADVANCE}' END,
            left((SELECT string_agg(fresh.node_id || ': ' || fresh.what, ', ' ORDER BY fresh.node_id, fresh.what)
                FROM fresh), {REASON_LENGTH})
        FROM wave;
    END;
"""  # noqa: S608  # constants

ADVANCE_WAVES = f"""
CREATE FUNCTION {SCHEMA}.advance_waves() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wave record;
    found record;
    counted bigint;
    steps integer := 0;
BEGIN
    FOR wave IN SELECT one.id, one.stage FROM public.control_wave AS one WHERE one.state = '{RUNNING}' LOOP
        -- Who only looks does not keep others from writing.
        IF (SELECT judged.step FROM {SCHEMA}.judge_wave(wave.id) AS judged) = '{WAIT}' THEN
            CONTINUE;
        END IF;
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        -- What is checked at the end of a transaction is asked as the caller, who may read no table.
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
        SELECT one.id, one.stage, judged.step, judged.reason INTO found
        FROM public.control_wave AS one CROSS JOIN LATERAL {SCHEMA}.judge_wave(one.id) AS judged
        WHERE one.id = wave.id;
        IF found.id IS NULL OR found.step = '{WAIT}' THEN
            CONTINUE;
        END IF;
        IF found.step = '{SETTLE}' THEN
            UPDATE public.control_wave SET settled_at = clock_timestamp() WHERE id = found.id;
        ELSIF found.step = '{STOP}' THEN
            PERFORM public.control_record_event('{WAVE_STOPPED}', '', NULL, 'operator:waves',
                jsonb_build_object('wave', found.id, 'stage', found.stage, 'reason', found.reason));
            UPDATE public.control_wave SET state = '{STOPPED}', reason = found.reason WHERE id = found.id;
        ELSIF found.step = '{ADVANCE}' AND found.stage >= {REST} THEN
            counted := public.control_record_event('{WAVE_DONE}', '', NULL, 'operator:waves',
                jsonb_build_object('wave', found.id));
            -- Front servers read again: they were given the former records until now.
            UPDATE public.control_wave SET state = '{DONE}', stage_revision = counted WHERE id = found.id;
            -- The items stay, as they say which nodes have to read again; nobody is given what they held.
            UPDATE public.control_wave_item SET former = '{{}}' WHERE wave_id = found.id;
        ELSE
            counted := public.control_record_event('{WAVE_ADVANCED}', '', NULL, 'operator:waves', jsonb_build_object(
                'wave', found.id,
                'stage', CASE found.step WHEN '{ADVANCE}' THEN found.stage + 1 ELSE found.stage END
            ));
            PERFORM public.control_enter_stage(
                found.id, CASE found.step WHEN '{ADVANCE}' THEN found.stage + 1 ELSE found.stage END, counted
            );
        END IF;
        steps := steps + 1;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.judge_wave, {SCHEMA}.advance_waves FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = f"{AILMENT}{ENTER_STAGE}{JUDGE}{ADVANCE_WAVES}"
DROP = f"""
DROP FUNCTION {SCHEMA}.advance_waves, {SCHEMA}.judge_wave, control_enter_stage;
DROP VIEW control_wave_candidate, control_node_ailment;
"""
#: What the web process may call, which begins waves and, as people wish it, goes on with them.
GRANT_WEB = "GRANT EXECUTE ON FUNCTION public.control_enter_stage TO {web};"
ENTER = "SELECT control_enter_stage(%s, %s, %s)"
