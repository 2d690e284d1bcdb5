"""
What placement rests on in PostgreSQL: how many nodes of which group each site wants, which nodes may get sites, the one
function that changes a placement, and how what a node reports becomes true of what is placed on it.

No node, and nobody who only reads, has rights on any of this.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.event_types import GROUP_REMOVED, NODE_REMOVED, PLACEMENT_CHANGED, PLACEMENT_SERVING
from wagtail_multihost.nodeapi.node_states import ACTIVE, AWAY, PLACED, PLAN_RUNNING, PLAN_STOPPED, SILENT_AFTER

#: What can be done to a placement. A node is no longer asked for a site that it is leaving, and still serves it.
PLACE, LEAVE, STAY, REMOVE = "placed", "leaving", "staying", "gone"

#: Parts that each node would have separately, by the tables that say so: the defaults are those of the specs, and a
#: test compares both with the rule of :mod:`wagtail_multihost.registry.nodes`.
LOCAL_PARTS = (("database", "engine", "sqlite"), ("cache", "backend", "locmem"), ("storage", "backend", "files"))
IS_LOCAL = " OR ".join(
    f"coalesce(site.record #>> '{{{table},{key}}}', platform.record #>> '{{{table},{key}}}', '{local}') = '{local}'"
    for table, key, local in LOCAL_PARTS
)

#: A node that has not reported yet is not silent for as long as one that has may be.
WISHES = f"""
CREATE VIEW control_wish AS
    SELECT site.uid, site.id AS site, held.id AS group_id, part.is_local,
        CASE WHEN part.is_local THEN 1
            WHEN jsonb_typeof(site.record -> 'replicas') = 'number' THEN (site.record ->> 'replicas')::integer
            ELSE held.replicas END AS replicas
    FROM control_site AS site CROSS JOIN control_platform AS platform
    CROSS JOIN LATERAL (SELECT {IS_LOCAL} AS is_local) AS part
    LEFT JOIN control_node_group AS held ON held.holds = '{PLACED}' AND CASE WHEN site.record ? 'node_group'
        THEN held.id = site.record ->> 'node_group' ELSE held.is_default END
    WHERE site.retired_at IS NULL;

CREATE VIEW control_candidate AS
    SELECT node.id, node.group_id, node.zone, node.weight
    FROM control_node AS node JOIN control_node_group AS held ON held.id = node.group_id AND held.holds = '{PLACED}'
    LEFT JOIN control_report AS report ON report.node_id = node.id
    WHERE node.state = '{ACTIVE}' AND node.weight > 0
        AND coalesce(report.seen_at, node.joined_at) > clock_timestamp() - interval '{SILENT_AFTER} seconds'
        AND NOT EXISTS (SELECT FROM control_plan AS plan
            WHERE plan.node = node.id AND plan.state IN ('{PLAN_RUNNING}', '{PLAN_STOPPED}'));
"""  # noqa: S608  # constants

CHANGE = f"""
CREATE FUNCTION control_change_placement(wanted_node text, wanted_site uuid, change text, actor text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted bigint;
BEGIN
    counted := public.control_record_event('{PLACEMENT_CHANGED}',
        (SELECT site.id FROM public.control_site AS site WHERE site.uid = wanted_site), wanted_site, actor,
        jsonb_build_object('node', wanted_node, 'change', change));
    IF change = '{PLACE}' THEN
        INSERT INTO public.control_placement
            (node_id, site_id, is_serving, is_leaving, is_gone, revision, front_revision)
        VALUES (wanted_node, wanted_site, false, false, false, counted, counted)
        ON CONFLICT (node_id, site_id) DO UPDATE
            SET is_serving = false, is_leaving = false, is_gone = false, revision = counted, front_revision = counted;
    ELSE
        UPDATE public.control_placement SET
            is_serving = is_serving AND change <> '{REMOVE}',
            is_leaving = (change = '{LEAVE}'), is_gone = (change = '{REMOVE}'),
            revision = CASE WHEN change = '{REMOVE}' THEN counted ELSE revision END, front_revision = counted
        WHERE node_id = wanted_node AND site_id = wanted_site;
    END IF;
    RETURN counted;
END $$;
REVOKE ALL ON FUNCTION control_change_placement FROM PUBLIC;
"""  # noqa: S608  # constants

#: Of a report, as ``told``: what the node has applied, less what it names as something that it could not do.
IS_REMOVED = """NOT coalesce(told.sites ? site.id, false) AND (
            (placement.is_gone AND placement.revision <= told.applied) OR site.removed_revision <= told.applied
        )"""
#: A site whose process does not listen yet would answer nobody.
IS_SERVED = """NOT (placement.is_gone OR placement.is_serving)
            AND placement.revision <= told.applied AND site.retired_at IS NULL
            AND NOT coalesce(told.sites ? site.id, false)
            AND CASE jsonb_typeof(told.starting) WHEN 'array' THEN NOT told.starting ? site.id ELSE false END"""
#: Whether a report says anything new of placements; ``told`` has the node, what it has applied and its sites.
HAS_NEWS = f"""EXISTS (
        SELECT FROM public.control_placement AS placement
        JOIN public.control_site AS site ON site.uid = placement.site_id
        WHERE placement.node_id = told.node AND (({IS_REMOVED}) OR ({IS_SERVED}))
    )"""  # constants
SETTLE = f"""
CREATE FUNCTION control_settle_placements(node text, applied bigint, sites jsonb, starting jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted bigint;
    served integer;
BEGIN
    -- The head first, as whoever else writes: two that lock in different orders could end each other.
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    -- What is checked at the end of a transaction is asked as the caller, who may read no table.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    -- The order to remove a site has been carried out.
    DELETE FROM public.control_placement AS placement
    USING (SELECT node, applied, sites) AS told, public.control_site AS site
    WHERE placement.node_id = told.node AND site.uid = placement.site_id AND {IS_REMOVED};
    SELECT count(*) INTO served
    FROM (SELECT node, applied, sites, starting) AS told, public.control_placement AS placement
    JOIN public.control_site AS site ON site.uid = placement.site_id
    WHERE placement.node_id = told.node AND {IS_SERVED};
    IF served > 0 THEN
        counted := public.control_record_event('{PLACEMENT_SERVING}', '', NULL, 'node:' || node,
            jsonb_build_object('node', node, 'sites', served));
        UPDATE public.control_placement AS placement SET is_serving = true, front_revision = counted
        FROM (SELECT node, applied, sites, starting) AS told, public.control_site AS site
        WHERE placement.node_id = told.node AND site.uid = placement.site_id AND {IS_SERVED};
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
END $$;
REVOKE ALL ON FUNCTION control_settle_placements FROM PUBLIC;
"""  # noqa: S608  # constants

REMOVAL = f"""
CREATE FUNCTION control_delete_node(wanted text, kind text, actor text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_role text;
BEGIN
    PERFORM public.control_record_event(kind, '', NULL, actor,
        (SELECT jsonb_build_object('node', node.id, 'group', node.group_id) FROM public.control_node AS node
            WHERE node.id = wanted));
    SELECT identity.role INTO own_role FROM public.control_node_identity AS identity WHERE identity.node_id = wanted;
    DELETE FROM public.control_sealed_secret WHERE node_id = wanted;
    DELETE FROM public.control_placement WHERE node_id = wanted;
    DELETE FROM public.control_report WHERE node_id = wanted;
    DELETE FROM public.control_node_identity WHERE node_id = wanted;
    DELETE FROM public.control_hold WHERE node_id = wanted;
    DELETE FROM public.control_job WHERE node_id = wanted;
    DELETE FROM public.control_node WHERE id = wanted;
    IF own_role IS NOT NULL THEN
        PERFORM node_join_v1.drop_role(own_role);
    END IF;
END $$;

-- What the web process may do with a node's identity: end that of one that is away, with nothing placed on it, and that
-- is silent. The web process can write the former, and of the latter nothing.
CREATE FUNCTION control_remove_node(wanted text, actor text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    IF NOT EXISTS (SELECT FROM public.control_node AS node WHERE node.id = wanted AND node.state = '{AWAY}')
        OR EXISTS (SELECT FROM public.control_placement AS placement JOIN public.control_site AS site
            ON site.uid = placement.site_id AND site.retired_at IS NULL
            WHERE placement.node_id = wanted AND NOT placement.is_gone)
        OR EXISTS (SELECT FROM public.control_report AS report WHERE report.node_id = wanted
            AND report.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds')
    THEN
        RETURN false;
    END IF;
    PERFORM public.control_delete_node(wanted, '{NODE_REMOVED}', actor);
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN true;
END $$;
-- The same of a group without nodes, and its tokens.
CREATE FUNCTION control_remove_group(wanted text, actor text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    IF EXISTS (SELECT FROM public.control_node AS node WHERE node.group_id = wanted)
        OR NOT EXISTS (SELECT FROM public.control_node_group AS held WHERE held.id = wanted)
    THEN
        RETURN false;
    END IF;
    PERFORM public.control_record_event('{GROUP_REMOVED}', '', NULL, actor, jsonb_build_object('group', wanted));
    DELETE FROM public.control_group_token WHERE group_id = wanted;
    DELETE FROM public.control_node_group WHERE id = wanted;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION control_delete_node, control_remove_node, control_remove_group FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = f"{WISHES}{CHANGE}{SETTLE}{REMOVAL}"
DROP = """
DROP FUNCTION control_remove_group, control_remove_node, control_delete_node, control_settle_placements,
    control_change_placement;
DROP VIEW control_candidate, control_wish;
"""
#: ``web`` is filled in.
GRANT = """
        GRANT EXECUTE ON FUNCTION public.control_change_placement, public.control_remove_node,
            public.control_remove_group TO {web};"""
CHANGE_PLACEMENT = "SELECT control_change_placement(%s, %s, %s, %s)"
REMOVE_NODE = "SELECT control_remove_node(%s, %s)"
REMOVE_GROUP = "SELECT control_remove_group(%s, %s)"
