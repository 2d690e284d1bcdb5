"""
What the operator process carries on in PostgreSQL, again and again: waves, and nodes that have left. Each function takes one
step where one is due, with an event for it, and returns how many it took.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    APPLIED,
    AWAY,
    DONE,
    FALSE,
    FRONT,
    ONE,
    REST,
    RUNNING,
    SILENT_AFTER,
    STOPPED,
    TENTH,
)
from wagtail_multihost.nodeapi.operator_v1 import FORGOTTEN_AFTER, SCHEMA

CREATE = f"""
CREATE FUNCTION {SCHEMA}.advance_waves() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wave record;
    broken text;
    behind integer;
    steps integer := 0;
    counted bigint;
    next_stage integer;
BEGIN
    FOR wave IN SELECT * FROM public.control_wave WHERE state = '{RUNNING}' ORDER BY revision LOOP
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        SELECT string_agg(report.node_id, ', ' ORDER BY report.node_id) INTO broken
        FROM public.control_report AS report
        WHERE wave.admitted ? report.node_id AND report.seen_at > wave.stage_at AND (
            report.sites <> '{{}}' OR EXISTS (
                SELECT FROM jsonb_array_elements(report.conditions) AS condition
                WHERE condition ->> 'type' = '{APPLIED}' AND condition ->> 'status' = '{FALSE}'
            )
        );
        IF broken IS NOT NULL THEN
            counted := public.control_record_event('wave.stopped', '', NULL, 'operator:waves',
                jsonb_build_object('wave', wave.id, 'nodes', broken));
            UPDATE public.control_wave SET state = '{STOPPED}', reason = left('Not as it should be: ' || broken, 500)
            WHERE id = wave.id;
            steps := steps + 1;
            CONTINUE;
        END IF;
        SELECT count(*) INTO behind FROM jsonb_array_elements_text(wave.admitted) AS one
        LEFT JOIN public.control_report AS report ON report.node_id = one
        JOIN public.control_node AS node ON node.id = one AND node.state = '{ACTIVE}'
        WHERE coalesce(report.applied, 0) < wave.stage_revision
            OR report.seen_at < clock_timestamp() - interval '{SILENT_AFTER} seconds';
        IF behind > 0 OR clock_timestamp() < wave.stage_at + make_interval(secs => wave.bake_seconds) THEN
            CONTINUE;
        END IF;
        next_stage := wave.stage + 1;
        counted := public.control_record_event(
            CASE WHEN wave.stage >= {REST} THEN 'wave.done' ELSE 'wave.advanced' END, '', NULL, 'operator:waves',
            jsonb_build_object('wave', wave.id, 'stage', next_stage)
        );
        IF wave.stage >= {REST} THEN
            UPDATE public.control_wave SET state = '{DONE}', stage_revision = counted WHERE id = wave.id;
        ELSE
            UPDATE public.control_wave SET stage = next_stage, stage_revision = counted, stage_at = clock_timestamp(),
                admitted = (
                    SELECT coalesce(jsonb_agg(node.id), '[]') FROM (
                        SELECT node.id, row_number() OVER (
                            ORDER BY NOT (wave.admitted ? node.id), md5(wave.id::text || node.id)
                        ) AS place, count(*) OVER () AS total
                        FROM public.control_node AS node
                        JOIN public.control_node_group AS held ON held.id = node.group_id AND held.holds <> '{FRONT}'
                        WHERE node.state <> '{AWAY}'
                    ) AS node
                    WHERE next_stage = {REST}
                        OR node.place <= CASE next_stage WHEN {TENTH} THEN greatest(2, ceil(node.total / 10.0)) ELSE 1 END
                )
            WHERE id = wave.id;
        END IF;
        steps := steps + 1;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;

-- Nodes that joined by a token and have left are forgotten; so are those that were killed, once they have been silent.
CREATE FUNCTION {SCHEMA}.forget_nodes() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    node record;
    steps integer := 0;
BEGIN
    FOR node IN
        SELECT one.id, one.group_id, identity.role FROM public.control_node AS one
        LEFT JOIN public.control_node_identity AS identity ON identity.node_id = one.id
        LEFT JOIN public.control_report AS report ON report.node_id = one.id
        WHERE one.is_transient AND one.state = '{AWAY}'
            AND coalesce(report.seen_at, one.joined_at) < clock_timestamp() - interval '{FORGOTTEN_AFTER} seconds'
    LOOP
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        PERFORM public.control_record_event('node.forgotten', '', NULL, 'operator:nodes',
            jsonb_build_object('node', node.id, 'group', node.group_id));
        DELETE FROM public.control_sealed_secret WHERE node_id = node.id;
        DELETE FROM public.control_placement WHERE node_id = node.id;
        DELETE FROM public.control_report WHERE node_id = node.id;
        DELETE FROM public.control_node_identity WHERE node_id = node.id;
        DELETE FROM public.control_hold WHERE node_id = node.id;
        DELETE FROM public.control_job WHERE node_id = node.id;
        DELETE FROM public.control_node WHERE id = node.id;
        IF node.role IS NOT NULL AND EXISTS (SELECT FROM pg_roles WHERE rolname = node.role) THEN
            EXECUTE format('DROP ROLE %I', node.role);
        END IF;
        steps := steps + 1;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.advance_waves, {SCHEMA}.forget_nodes FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.advance_waves, {SCHEMA}.forget_nodes;"
FIRST_STAGE = ONE
