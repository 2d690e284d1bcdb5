"""
What the operator process does about placement in PostgreSQL: it places sites that are on no node yet, places anew
what was on a node that said goodbye, and carries plans on that somebody has applied.

A move is: the site is placed on the target; the target says that it serves it; the fronts are told to ask the target
and no longer the source; once all of them have seen that, the source is told to remove it; and it says that it has. So
there is always a node that is asked and has the site. Nothing here reads how long a node has been silent in order to
move something: a silent one only stops a plan.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi import event_types
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    AWAY,
    DRAINING,
    MOVE_DONE,
    MOVE_PLACING,
    MOVE_REMOVING,
    MOVE_SKIPPED,
    MOVE_SWITCHING,
    MOVE_WAITING,
    PLACED,
    PLAN_DONE,
    PLAN_DRAIN,
    PLAN_RUNNING,
    PLAN_STOPPED,
    SILENT_AFTER,
)
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA
from wagtail_multihost.nodeapi.placements_v1 import LEAVE, PLACE, REMOVE, STAY

ACTOR = "operator:plans"
#: Seconds that a step of a move may take before its plan stops.
STEP_SECONDS = 900
#: Seconds in which a node that said goodbye may come back to its sites, as a container does that is started anew. Sites
#: that no other node has do not wait for it.
BACK_SECONDS = 120
REASON_LENGTH = 500

VACANT = f"""
-- What was on a node that joined by a token and said goodbye. A silent node has said nothing. Who joined by a token is
-- known by the identity, which the web process cannot write.
CREATE VIEW control_left_placement AS
    SELECT placement.site_id, placement.node_id,
        node.state = '{AWAY}' AND coalesce(report.seen_at, node.joined_at)
            < clock_timestamp() - interval '{BACK_SECONDS} seconds' AS is_given_up
    FROM control_placement AS placement
    JOIN control_node AS node ON node.id = placement.node_id AND node.is_transient
        AND (node.state = '{AWAY}' OR (node.state = '{DRAINING}' AND node.has_left))
    JOIN control_node_identity AS identity ON identity.node_id = node.id AND identity.token IS NOT NULL
    LEFT JOIN control_report AS report ON report.node_id = node.id
    WHERE NOT placement.is_gone;

-- Sites that are on no node; and those that were on one that left: as many nodes as that were, and not more than are
-- wanted. What a site has on its node itself went with the node, and is brought by a person.
CREATE VIEW {SCHEMA}.vacant AS
    SELECT wish.uid, wish.site, wish.group_id AS "group", wish.replicas AS missing, '[]'::jsonb AS kept
    FROM control_wish AS wish
    WHERE wish.group_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM control_placement AS placement WHERE placement.site_id = wish.uid)
    UNION ALL
    SELECT wish.uid, wish.site, wish.group_id, counted.missing, counted.kept
    FROM control_wish AS wish CROSS JOIN LATERAL (
        SELECT (least(wish.replicas, count(*)) - CASE WHEN count(*) = count(gone.node_id) THEN 0
                ELSE count(*) - count(*) FILTER (WHERE gone.is_given_up) END)::integer AS missing,
            coalesce(jsonb_agg(jsonb_build_array(node.id, node.zone, node.weight) ORDER BY node.id)
                FILTER (WHERE gone.node_id IS NULL), '[]') AS kept
        FROM control_placement AS placement JOIN control_node AS node ON node.id = placement.node_id
        LEFT JOIN control_left_placement AS gone
            ON gone.site_id = placement.site_id AND gone.node_id = placement.node_id
        WHERE placement.site_id = wish.uid AND NOT placement.is_gone
    ) AS counted
    WHERE wish.group_id IS NOT NULL AND NOT wish.is_local
        AND wish.uid IN (SELECT gone.site_id FROM control_left_placement AS gone) AND counted.missing > 0;

CREATE VIEW {SCHEMA}.candidate AS
    SELECT candidate.id, candidate.group_id AS "group", candidate.zone, candidate.weight
    FROM control_candidate AS candidate;

CREATE FUNCTION {SCHEMA}.place(wanted uuid, nodes text[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    vacancy record;
    chosen text;
    steps integer := 0;
BEGIN
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    SELECT * INTO vacancy FROM {SCHEMA}.vacant AS vacant WHERE vacant.uid = wanted;
    IF vacancy.uid IS NULL OR public.control_is_held(wanted, nodes) THEN
        RETURN 0;
    END IF;
    FOR chosen IN
        SELECT candidate.id FROM {SCHEMA}.candidate AS candidate
        WHERE candidate.id = ANY(nodes) AND candidate."group" = vacancy."group" AND NOT EXISTS (
            SELECT FROM public.control_placement AS placement
            WHERE placement.node_id = candidate.id AND placement.site_id = wanted AND NOT placement.is_gone
        ) ORDER BY candidate.id LIMIT vacancy.missing
    LOOP
        PERFORM public.control_change_placement(chosen, wanted, '{PLACE}', '{ACTOR}');
        steps := steps + 1;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;
"""  # noqa: S608  # constants

ASKED = f"""
CREATE FUNCTION control_is_held(wanted uuid, nodes text[]) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT EXISTS (
            SELECT FROM public.control_hold AS hold WHERE hold.until > clock_timestamp()
                AND (hold.site_id IS NULL OR hold.site_id = wanted)
                AND (hold.node_id IS NULL OR hold.node_id = ANY(nodes))
        );
    END;

CREATE FUNCTION control_is_silent(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT NOT EXISTS (
            SELECT FROM public.control_report AS report
            WHERE report.node_id = wanted
                AND report.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds'
        );
    END;

-- Whether some other node that speaks is asked for a site, so that this one need not be.
CREATE FUNCTION control_is_served_beside(wanted uuid, beside text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT EXISTS (
            SELECT FROM public.control_placement AS placement
            JOIN public.control_node AS node ON node.id = placement.node_id AND node.state = '{ACTIVE}'
            WHERE placement.site_id = wanted AND placement.node_id <> beside AND placement.is_serving
                AND NOT placement.is_gone AND NOT placement.is_leaving
                AND NOT public.control_is_silent(placement.node_id)
        );
    END;
"""  # noqa: S608  # constants

#: Returns NULL where nothing can be done yet, a blank text where a step was taken, and otherwise why the plan stops.
ADVANCE_MOVE = f"""
CREATE FUNCTION control_advance_move(wanted bigint) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    move record;
    site record;
    source record;
    target record;
    report record;
    behind text;
    next_state text;
    counted bigint;
BEGIN
    SELECT * INTO move FROM public.control_move WHERE id = wanted;
    IF public.control_is_held(move.site_id, ARRAY[move.source, move.target]) THEN
        -- The time of a hold is none in which the step could have been taken.
        UPDATE public.control_move SET at = clock_timestamp() WHERE id = wanted;
        RETURN NULL;
    END IF;
    SELECT * INTO site FROM public.control_site AS found WHERE found.uid = move.site_id;
    SELECT * INTO source FROM public.control_placement AS found
    WHERE found.node_id = move.source AND found.site_id = move.site_id;
    SELECT * INTO target FROM public.control_placement AS found
    WHERE found.node_id = move.target AND found.site_id = move.site_id;
    SELECT * INTO report FROM public.control_report AS found WHERE found.node_id = move.target;
    counted := move.revision;
    IF site.retired_at IS NOT NULL THEN
        next_state := '{MOVE_SKIPPED}';
    ELSIF move.state = '{MOVE_WAITING}' THEN
        IF move.source <> '' AND (source.node_id IS NULL OR source.is_gone) THEN
            next_state := '{MOVE_SKIPPED}';
        ELSIF move.target = '' THEN
            IF NOT public.control_is_served_beside(move.site_id, move.source) THEN
                RETURN format('No other node that speaks serves the site %s, so it stays on %s.', site.id, move.source);
            END IF;
            counted := public.control_change_placement(move.source, move.site_id, '{LEAVE}', '{ACTOR}');
            next_state := '{MOVE_SWITCHING}';
        ELSIF NOT EXISTS (
            SELECT FROM public.control_node AS node
            JOIN public.control_node_group AS held ON held.id = node.group_id AND held.holds = '{PLACED}'
            WHERE node.id = move.target AND node.state = '{ACTIVE}'
        ) OR public.control_is_silent(move.target) THEN
            RETURN format('The node %s is not active, or silent.', move.target);
        ELSE
            IF target.node_id IS NULL OR target.is_gone THEN
                counted := public.control_change_placement(move.target, move.site_id, '{PLACE}', '{ACTOR}');
            ELSE
                counted := target.revision;
            END IF;
            next_state := '{MOVE_PLACING}';
        END IF;
    ELSIF move.state = '{MOVE_PLACING}' THEN
        IF target.node_id IS NULL OR target.is_gone THEN
            RETURN format('The site %s was taken from the node %s by someone else.', site.id, move.target);
        ELSIF public.control_is_silent(move.target) THEN
            RETURN format('The node %s is silent.', move.target);
        ELSIF target.is_serving THEN
            IF move.source = '' OR source.node_id IS NULL OR source.is_gone THEN
                next_state := '{MOVE_DONE}';
            ELSE
                counted := public.control_change_placement(move.source, move.site_id, '{LEAVE}', '{ACTOR}');
                next_state := '{MOVE_SWITCHING}';
            END IF;
        ELSIF report.sites ? site.id AND report.applied >= move.revision THEN
            RETURN format('The node %s does not take the site %s: %s', move.target, site.id,
                left(report.sites ->> site.id, 300));
        ELSIF clock_timestamp() > move.at + interval '{STEP_SECONDS} seconds' THEN
            RETURN format('The node %s does not serve the site %s after {STEP_SECONDS // 60} minutes: it has not '
                'applied it, or the site''s process does not listen there.', move.target, site.id);
        END IF;
    ELSIF move.state = '{MOVE_SWITCHING}' THEN
        behind := public.control_fronts_behind(greatest(move.revision, coalesce(target.front_revision, 0)));
        IF NOT public.control_is_served_beside(move.site_id, move.source) THEN
            counted := public.control_change_placement(move.source, move.site_id, '{STAY}', '{ACTOR}');
            UPDATE public.control_move SET state = CASE move.target WHEN '' THEN '{MOVE_WAITING}'
                ELSE '{MOVE_PLACING}' END, revision = counted, at = clock_timestamp() WHERE id = wanted;
            RETURN format('No other node that speaks serves the site %s, so it stays on %s.', site.id, move.source);
        ELSIF behind IS NULL THEN
            counted := public.control_change_placement(move.source, move.site_id, '{REMOVE}', '{ACTOR}');
            next_state := '{MOVE_REMOVING}';
        ELSIF clock_timestamp() > move.at + interval '{STEP_SECONDS} seconds' THEN
            RETURN format('The front servers %s have not seen where the site %s is now, or are silent.', behind,
                site.id);
        END IF;
    ELSIF move.state = '{MOVE_REMOVING}' THEN
        -- The order stays for a node that is silent. There is nothing else to wait for.
        IF source.node_id IS NULL OR NOT source.is_gone OR public.control_is_silent(move.source) THEN
            next_state := '{MOVE_DONE}';
        END IF;
    END IF;
    IF next_state IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE public.control_move SET state = next_state, revision = counted, at = clock_timestamp() WHERE id = wanted;
    RETURN '';
END $$;
"""  # noqa: S608  # constants

UNDER_WAY = f"'{MOVE_PLACING}', '{MOVE_SWITCHING}', '{MOVE_REMOVING}'"
ADVANCE_PLANS = f"""
CREATE FUNCTION {SCHEMA}.advance_plans() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted uuid;
    plan record;
    move record;
    said text;
    stop_reason text;
    room integer;
    steps integer := 0;
    counted bigint;
BEGIN
    FOR wanted IN SELECT id FROM public.control_plan WHERE state = '{PLAN_RUNNING}' ORDER BY applied_at LOOP
        -- The head first, as whoever else writes; then what somebody may have changed while this waited for it.
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
        SELECT * INTO plan FROM public.control_plan WHERE id = wanted AND state = '{PLAN_RUNNING}';
        CONTINUE WHEN plan.id IS NULL;
        stop_reason := NULL;
        FOR move IN
            SELECT id FROM public.control_move WHERE plan_id = plan.id AND state IN ({UNDER_WAY}) ORDER BY place
        LOOP
            said := public.control_advance_move(move.id);
            steps := steps + (said IS NOT DISTINCT FROM '')::integer;
            stop_reason := coalesce(stop_reason, nullif(said, ''));
        END LOOP;
        SELECT plan.most_at_once - count(*) INTO room
        FROM public.control_move WHERE plan_id = plan.id AND state IN ({UNDER_WAY});
        FOR move IN
            SELECT id FROM public.control_move AS waiting
            WHERE waiting.plan_id = plan.id AND waiting.state = '{MOVE_WAITING}'
                AND NOT public.control_is_held(waiting.site_id, ARRAY[waiting.source, waiting.target])
            ORDER BY waiting.place LIMIT CASE WHEN stop_reason IS NULL THEN greatest(room, 0) ELSE 0 END
        LOOP
            said := public.control_advance_move(move.id);
            steps := steps + (said IS NOT DISTINCT FROM '')::integer;
            stop_reason := coalesce(stop_reason, nullif(said, ''));
            EXIT WHEN stop_reason IS NOT NULL;
        END LOOP;
        IF stop_reason IS NOT NULL THEN
            PERFORM public.control_record_event('{event_types.PLAN_STOPPED}', '', NULL, '{ACTOR}',
                jsonb_build_object('plan', plan.id, 'reason', stop_reason));
            UPDATE public.control_plan SET state = '{PLAN_STOPPED}', problem = left(stop_reason, {REASON_LENGTH})
            WHERE id = plan.id;
            steps := steps + 1;
        ELSIF NOT EXISTS (
            SELECT FROM public.control_move
            WHERE plan_id = plan.id AND state NOT IN ('{MOVE_DONE}', '{MOVE_SKIPPED}')
        ) THEN
            PERFORM public.control_record_event('{event_types.PLAN_DONE}', '', NULL, '{ACTOR}',
                jsonb_build_object('plan', plan.id));
            UPDATE public.control_plan SET state = '{PLAN_DONE}', ended_at = clock_timestamp() WHERE id = plan.id;
            steps := steps + 1;
            -- A node that was emptied to be drained is asked no longer.
            IF plan.kind = '{PLAN_DRAIN}' AND EXISTS (
                SELECT FROM public.control_node WHERE id = plan.node AND state = '{ACTIVE}'
            ) AND NOT EXISTS (
                SELECT FROM public.control_placement AS placement JOIN public.control_site AS site
                ON site.uid = placement.site_id AND site.retired_at IS NULL
                WHERE placement.node_id = plan.node AND NOT placement.is_gone
            ) THEN
                counted := public.control_record_event('{event_types.NODE_DRAINING}', '', NULL, '{ACTOR}',
                    jsonb_build_object('node', plan.node, 'plan', plan.id));
                UPDATE public.control_node SET state = '{DRAINING}', revision = counted WHERE id = plan.node;
            END IF;
        END IF;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.advance_plans, {SCHEMA}.place FROM PUBLIC;
REVOKE ALL ON FUNCTION control_is_held, control_is_silent, control_is_served_beside, control_advance_move FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = f"{VACANT}{ASKED}{ADVANCE_MOVE}{ADVANCE_PLANS}"
DROP = f"""
DROP FUNCTION {SCHEMA}.advance_plans, {SCHEMA}.place, control_advance_move, control_is_served_beside,
    control_is_silent, control_is_held;
DROP VIEW {SCHEMA}.candidate, {SCHEMA}.vacant, control_left_placement;
"""
LIST_VACANT = f'SELECT uid, site, "group", missing, kept FROM {SCHEMA}.vacant ORDER BY site LIMIT %s'  # noqa: S608
LIST_CANDIDATES = f'SELECT id, "group", zone, weight FROM {SCHEMA}.candidate'  # noqa: S608
PLACE_SITE = f"SELECT {SCHEMA}.place(%s, %s)"
