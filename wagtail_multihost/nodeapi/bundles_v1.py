"""
What the operator process reads for bundles: all that a node would be given now, so that one that starts while the
database is away has it. A bundle is for one node, or for a group whose nodes hold all sites.

What is sealed in a node's is sealed to its own key. A group's has nothing sealed: whoever writes it seals to the key
of the group, if there is one, what is kept for recovery.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import ALL, AWAY, DONE, FRONT, JOINING, PLACED
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA

NODE, GROUP = "node", "group"

CREATE = f"""
-- Changes with everything that a bundle is made of.
CREATE VIEW {SCHEMA}.bundle_state AS
    SELECT head.incarnation, head.revision,
        coalesce((SELECT max(secret.serial) FROM control_sealed_secret AS secret), 0) AS serial,
        coalesce((
            SELECT md5(string_agg(hold.id::text || hold.until::text, ',' ORDER BY hold.id))
            FROM control_hold AS hold WHERE hold.until > clock_timestamp()
        ), '') AS holds
    FROM control_head AS head;

CREATE VIEW {SCHEMA}.bundle_owner AS
    SELECT '{NODE}' AS kind, node.id
    FROM control_node AS node JOIN control_node_group AS held ON held.id = node.group_id
    WHERE node.state <> '{AWAY}' AND NOT node.is_transient AND held.holds <> '{FRONT}'
    UNION ALL
    SELECT '{GROUP}', held.id FROM control_node_group AS held WHERE held.holds = '{ALL}';

CREATE VIEW {SCHEMA}.recovery AS
    SELECT DISTINCT ON (secret.site_id, secret.field) site.id AS site, secret.site_id AS uid, secret.field,
        secret.version, secret.sealed
    FROM control_sealed_secret AS secret JOIN control_site AS site ON site.uid = secret.site_id
    WHERE secret.node_id IS NULL AND site.retired_at IS NULL
    ORDER BY secret.site_id, secret.field, secret.version DESC;

CREATE FUNCTION {SCHEMA}.bundle(kind text, owner text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH me AS (
            SELECT node.id, node.group_id AS "group", held.holds, node.address, node.zone, node.weight, node.state,
                node.revision
            FROM public.control_node AS node JOIN public.control_node_group AS held ON held.id = node.group_id
            WHERE bundle.kind = '{NODE}' AND node.id = bundle.owner
            UNION ALL
            SELECT '', held.id, held.holds, '', '', 100, '{JOINING}', 0
            FROM public.control_node_group AS held
            WHERE bundle.kind = '{GROUP}' AND held.id = bundle.owner AND held.holds = '{ALL}'
        ), turn AS (
            -- A node that no wave has admitted yet is given the former records, and so is one that nobody knows.
            SELECT item.site_id, item.former
            FROM me CROSS JOIN public.control_wave_item AS item
            JOIN public.control_wave AS wave ON wave.id = item.wave_id AND wave.state <> '{DONE}'
            WHERE item.is_current AND NOT wave.admitted ? me.id
        ), mine AS (
            SELECT site.uid FROM me JOIN public.control_site AS site ON site.retired_at IS NULL
            WHERE me.holds = '{ALL}'
            UNION ALL
            SELECT placement.site_id
            FROM me JOIN public.control_placement AS placement ON placement.node_id = me.id AND NOT placement.is_gone
            WHERE me.holds = '{PLACED}'
        ), own AS (
            SELECT DISTINCT ON (secret.site_id, secret.field) secret.site_id, secret.field, secret.version,
                secret.fingerprint, secret.sealed, secret.serial
            FROM me JOIN public.control_sealed_secret AS secret ON secret.node_id = me.id
            ORDER BY secret.site_id, secret.field, secret.version DESC
        ), given AS (
            SELECT site.id, jsonb_build_object(
                'uid', site.uid, 'generation', site.generation, 'revision', site.revision,
                'record', coalesce(turn.former, site.record),
                'serial', (SELECT max(own.serial) FROM own WHERE own.site_id = site.uid),
                'sealed', (
                    SELECT coalesce(jsonb_object_agg(own.field, jsonb_build_object(
                        'version', own.version, 'fingerprint', own.fingerprint,
                        'sealed', encode(own.sealed, 'base64')
                    )), '{{}}') FROM own WHERE own.site_id = site.uid
                )
            ) AS value
            FROM mine
            JOIN public.control_site AS site ON site.uid = mine.uid AND site.retired_at IS NULL
            LEFT JOIN turn ON turn.site_id = site.uid
        )
        SELECT jsonb_build_object(
            'incarnation', head.incarnation, 'revision', head.revision,
            'node', to_jsonb(me) || jsonb_build_object('applied', 0),
            'platform', coalesce(
                (SELECT turn.former FROM turn WHERE turn.site_id IS NULL LIMIT 1),
                (SELECT platform.record FROM public.control_platform AS platform)
            ),
            'sites', (SELECT coalesce(jsonb_object_agg(given.id, given.value), '{{}}') FROM given),
            'holds', (
                SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'site', site.id, 'node', hold.node_id, 'reason', hold.reason, 'actor', hold.actor,
                    'until', hold.until, 'seconds', extract(epoch FROM hold.until - clock_timestamp())
                )), '[]')
                FROM public.control_hold AS hold LEFT JOIN public.control_site AS site ON site.uid = hold.site_id
                WHERE hold.until > clock_timestamp() AND (hold.node_id = me.id OR hold.node_id IS NULL)
                    AND (hold.site_id IS NULL OR hold.site_id IN (SELECT mine.uid FROM mine))
            )
        )
        FROM me CROSS JOIN public.control_head AS head;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.bundle FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.bundle; DROP VIEW {SCHEMA}.recovery, {SCHEMA}.bundle_owner, {SCHEMA}.bundle_state;"
STATE = f"SELECT incarnation, revision, serial, holds FROM {SCHEMA}.bundle_state"  # noqa: S608  # constants
OWNERS = f"SELECT kind, id FROM {SCHEMA}.bundle_owner ORDER BY kind, id"  # noqa: S608
BUNDLE = f"SELECT {SCHEMA}.bundle(%s, %s)"
RECOVERY = f"SELECT site, uid, field, version, sealed FROM {SCHEMA}.recovery ORDER BY uid, field"  # noqa: S608
