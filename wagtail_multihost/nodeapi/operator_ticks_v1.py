"""
What the operator process carries on in PostgreSQL, again and again, beside waves: nodes that have left. The function
takes each step that is due, with an event for it, and returns how many it took.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.event_types import NODE_FORGOTTEN
from wagtail_multihost.nodeapi.node_states import ACTIVE, AWAY, PLACED, SILENT_AFTER
from wagtail_multihost.nodeapi.operator_v1 import FORGOTTEN_AFTER, HOLDS, KILLED_AFTER, SCHEMA

#: Seconds. Reading all sites of a node may take half of it.
LONGEST_TRANSACTION = 60

CREATE = f"""
-- Nodes that joined by a token and have left are forgotten. So are those that were killed, once they have been silent
-- for long, and the database was there to be spoken to, and another node of their group was heard; but not if sites are
-- placed there: what has become of these, a person says. Only what joined by a token is: the web process can write the
-- other columns.
CREATE FUNCTION {SCHEMA}.forget_nodes() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    node record;
    steps integer := 0;
    long_ago timestamptz := clock_timestamp() - interval '{KILLED_AFTER} seconds';
BEGIN
    FOR node IN
        SELECT one.id FROM public.control_node AS one
        JOIN public.control_node_identity AS identity ON identity.node_id = one.id AND identity.token IS NOT NULL
        JOIN public.control_node_group AS held ON held.id = one.group_id
        LEFT JOIN public.control_report AS report ON report.node_id = one.id
        WHERE one.is_transient AND (
            (one.state = '{AWAY}'
                AND coalesce(report.seen_at, one.joined_at) < clock_timestamp() - interval '{FORGOTTEN_AFTER} seconds')
            OR ((held.holds <> '{PLACED}' OR NOT EXISTS (
                    SELECT FROM public.control_placement AS placement
                    JOIN public.control_site AS site ON site.uid = placement.site_id AND site.retired_at IS NULL
                    WHERE placement.node_id = one.id AND NOT placement.is_gone
                )) AND coalesce(report.seen_at, one.joined_at) < long_ago
                AND pg_postmaster_start_time() < long_ago AND EXISTS (
                    SELECT FROM public.control_node AS other
                    JOIN public.control_report AS heard ON heard.node_id = other.id
                    WHERE other.group_id = one.group_id AND other.state = '{ACTIVE}'
                        AND heard.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds'
                ))
        )
    LOOP
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        PERFORM public.control_delete_node(node.id, '{NODE_FORGOTTEN}', 'operator:nodes');
        steps := steps + 1;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN steps;
END $$;

-- What was sealed for a node that does not hold the site any more.
CREATE FUNCTION {SCHEMA}.forget_sealed() RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH forgotten AS (
            DELETE FROM public.control_sealed_secret AS secret
            USING public.control_node AS node, public.control_node_group AS held, public.control_site AS site
            WHERE node.id = secret.node_id AND held.id = node.group_id AND site.uid = secret.site_id
                AND (site.retired_at IS NOT NULL OR NOT {HOLDS})
            RETURNING 1
        )
        SELECT count(*)::integer FROM forgotten;
    END;

-- A transaction of a node's may hold what all others wait for, and no bound of a session is one that it cannot lift.
CREATE FUNCTION {SCHEMA}.end_long_transactions() RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT node_join_v1.end_long_transactions({LONGEST_TRANSACTION});
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.forget_nodes, {SCHEMA}.forget_sealed,
    {SCHEMA}.end_long_transactions FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"""
DROP FUNCTION {SCHEMA}.forget_nodes, {SCHEMA}.forget_sealed, {SCHEMA}.end_long_transactions;
"""
