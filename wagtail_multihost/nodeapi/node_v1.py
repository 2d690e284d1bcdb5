"""
Version 1 of what a node may see and do in PostgreSQL: views of what is placed on it, and functions that say what it has
done. Who asks is the login alone (``session_user``), which each node has of its own.

All is level-triggered: a node reads what has changed since a revision that it has applied, and how many sites it must
have now. Until its turn in a wave comes, it is given the former records. What is gone stays listed, so that a node
never has to take a missing answer for an order to remove something.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi import placements_v1
from wagtail_multihost.nodeapi.event_types import NODE_CHANGED, NODE_DRAINING, NODE_JOINED, NODE_LEFT
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    ALL,
    AWAY,
    DRAINING,
    FRONT,
    JOINING,
    PLACED,
    SILENT_AFTER,
)
from wagtail_multihost.nodeapi.v1 import CHANNEL, SCHEMA
from wagtail_multihost.nodeapi.waves_v1 import RULES as WAVE_RULES
from wagtail_multihost.nodeapi.waves_v1 import VIEWS as WAVE_VIEWS

#: The role that all nodes' own roles are members of; it cannot log in.
ROLE = "multihost_node"
VERSION_LENGTH = 40
REVISION_DIGITS, MOST_CONDITIONS = 15, 50
MOST_REPORT_BYTES = 200_000
REPORT_CHANNEL = "multihost_reports"
#: So many times in so many seconds a node may join, be asked, drain or be away: each is an event, which all nodes are
#: woken for, and which stays.
MOST_CHANGES, CHANGES_SECONDS = 20, 60


def is_restless(node: str) -> str:
    """Return a condition for whether a node has changed its own state so often that it may not again yet."""
    return f"""(SELECT count(*) >= {MOST_CHANGES} FROM public.control_event AS event
            WHERE event.revision > (SELECT head.revision FROM public.control_head AS head) - 1000
                AND event.at > clock_timestamp() - interval '{CHANGES_SECONDS} seconds'
                AND event.actor = 'node:' || {node}
                AND event.type IN ('{NODE_CHANGED}', '{NODE_JOINED}', '{NODE_DRAINING}', '{NODE_LEFT}'))"""  # noqa: S608  # constants


#: Whether a report is short enough to be kept.
IS_SHORT = f"""octet_length(report.conditions::text) + octet_length(report.sites::text)
                + octet_length(coalesce(report.starting::text, '')) <= {MOST_REPORT_BYTES}"""
#: Of a report, texts, and a number that is none but a revision: PostgreSQL takes numbers and nestings that readers of
#: JSON elsewhere refuse, and nobody could list the nodes any more.
CONDITION_TEXTS = ("type", "status", "reason", "message", "since")
CONDITION = f"""jsonb_build_object(
                        {", ".join(f"'{name}', coalesce(said ->> '{name}', '')" for name in CONDITION_TEXTS)},
                        'revision', CASE WHEN said ->> 'revision' ~ '^[0-9]{{1,{REVISION_DIGITS}}}$'
                            THEN (said ->> 'revision')::bigint ELSE 0 END
                    )"""

#: Takes the head, and writes an event for the next revision: what registration does, for the functions below.
RECORD_EVENT = f"""
CREATE FUNCTION control_record_event(kind text, site text, uid uuid, actor text, metadata jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH head AS (
            UPDATE public.control_head AS counted SET revision = counted.revision + 1 WHERE counted.id = 1
            RETURNING counted.revision
        ), written AS (
            INSERT INTO public.control_event (revision, type, at, site, uid, generation, actor, request, metadata)
            SELECT head.revision, kind, clock_timestamp(), coalesce(site, ''), uid, NULL, actor, gen_random_uuid(),
                metadata
            FROM head RETURNING revision, at
        ), bell AS (
            SELECT pg_notify('{CHANNEL}', json_build_object(
                'v', 1, 'revision', written.revision, 'first', written.revision, 'at', written.at
            )::text) FROM written
        )
        SELECT written.revision FROM written, bell;
    END;
REVOKE ALL ON FUNCTION control_record_event FROM PUBLIC;
"""  # noqa: S608  # constants

VIEWS = f"""
CREATE VIEW {SCHEMA}.self WITH (security_barrier) AS
    SELECT node.id, node.group_id AS "group", held.holds, node.address, node.zone, node.weight, node.state,
        node.has_left AS may_return, node.revision, coalesce(report.applied, 0) AS applied
    FROM control_node_identity AS identity
    JOIN control_node AS node ON node.id = identity.node_id
    JOIN control_node_group AS held ON held.id = node.group_id
    LEFT JOIN control_report AS report ON report.node_id = node.id
    WHERE identity.role = session_user::text;

{WAVE_VIEWS}
CREATE VIEW {SCHEMA}.placed_platform WITH (security_barrier) AS
    SELECT coalesce(held.former, platform.record) AS record, greatest(platform.revision, turn.revision) AS revision
    FROM {SCHEMA}.self AS me CROSS JOIN control_platform AS platform
    LEFT JOIN {SCHEMA}.held_back AS held ON held.uid IS NULL
    LEFT JOIN {SCHEMA}.turn AS turn ON turn.uid IS NULL
    WHERE me.holds <> '{FRONT}';

CREATE VIEW {SCHEMA}.placed_site WITH (security_barrier) AS
    WITH mine AS (
        SELECT site.uid, site.revision FROM {SCHEMA}.self AS me JOIN control_site AS site ON site.retired_at IS NULL
        WHERE me.holds = '{ALL}'
        UNION ALL
        SELECT site.uid, greatest(site.revision, placement.revision)
        FROM {SCHEMA}.self AS me
        JOIN control_placement AS placement ON placement.node_id = me.id AND NOT placement.is_gone
        JOIN control_site AS site ON site.uid = placement.site_id AND site.retired_at IS NULL
        WHERE me.holds = '{PLACED}'
    )
    SELECT site.id, site.uid, site.generation, coalesce(held.former, site.record) AS record,
        greatest(mine.revision, turn.revision) AS revision,
        (
            SELECT max(secret.serial) FROM control_sealed_secret AS secret
            WHERE secret.site_id = site.uid AND secret.node_id = me.id
        ) AS sealed_serial
    FROM mine
    CROSS JOIN {SCHEMA}.self AS me
    JOIN control_site AS site ON site.uid = mine.uid
    LEFT JOIN {SCHEMA}.held_back AS held ON held.uid = site.uid
    LEFT JOIN {SCHEMA}.turn AS turn ON turn.uid = site.uid;

-- The newest of each field. Only the node's own key opens it.
CREATE VIEW {SCHEMA}.sealed WITH (security_barrier) AS
    SELECT DISTINCT ON (secret.site_id, secret.field)
        secret.site_id AS uid, secret.field, secret.version, secret.fingerprint, secret.sealed, secret.serial
    FROM {SCHEMA}.self AS me JOIN control_sealed_secret AS secret ON secret.node_id = me.id
    ORDER BY secret.site_id, secret.field, secret.version DESC;

CREATE VIEW {SCHEMA}.gone_site WITH (security_barrier) AS
    SELECT site.id, site.uid, site.removed_revision AS revision
    FROM {SCHEMA}.self AS me JOIN control_site AS site ON site.retired_at IS NOT NULL
    WHERE me.holds = '{ALL}' OR EXISTS (
        SELECT FROM control_placement AS placement WHERE placement.node_id = me.id AND placement.site_id = site.uid
    )
    UNION ALL
    SELECT site.id, site.uid, placement.revision
    FROM {SCHEMA}.self AS me
    JOIN control_placement AS placement ON placement.node_id = me.id AND placement.is_gone
    JOIN control_site AS site ON site.uid = placement.site_id AND site.retired_at IS NULL;

-- How many seconds are left, as a node's own clock may be wrong. Fronts have all sites.
CREATE VIEW {SCHEMA}.hold WITH (security_barrier) AS
    SELECT site.id AS site, hold.node_id AS node, hold.reason, hold.actor, hold.until,
        extract(epoch FROM hold.until - clock_timestamp())::double precision AS seconds
    FROM {SCHEMA}.self AS me JOIN control_hold AS hold ON hold.until > clock_timestamp()
    LEFT JOIN control_site AS site ON site.uid = hold.site_id
    WHERE (hold.node_id = me.id OR hold.node_id IS NULL)
        AND (hold.site_id IS NULL OR me.holds = '{FRONT}'
            OR hold.site_id IN (SELECT placed.uid FROM {SCHEMA}.placed_site AS placed)
            OR hold.site_id IN (SELECT gone.uid FROM {SCHEMA}.gone_site AS gone));
"""  # noqa: S608  # constants

FUNCTIONS = f"""
-- ``sites`` are those of which the newest record is not in use, with the reason, and ``starting`` those at whose
-- sockets nobody listens, as a list of ids; NULL if the node cannot name them all.
CREATE FUNCTION {SCHEMA}.report(
    boot uuid, applied bigint, version text, conditions jsonb, sites jsonb, starting jsonb
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        -- What it says of placements becomes so first, and takes the head only where something does.
        SELECT public.control_settle_placements(told.node, told.applied, told.sites, told.starting)
        FROM (SELECT self.id::text AS node, report.applied AS applied, report.sites AS sites,
                report.starting AS starting
            FROM {SCHEMA}.self AS self WHERE {IS_SHORT}
        ) AS told
        WHERE {placements_v1.HAS_NEWS};
        WITH me AS (
            SELECT self.id, self.holds FROM {SCHEMA}.self AS self
            WHERE {IS_SHORT} AND jsonb_typeof(report.conditions) = 'array' AND jsonb_typeof(report.sites) = 'object'
        ), told AS (
            INSERT INTO public.control_report AS known (node_id, applied, seen_at, boot, version, conditions, sites)
            -- No later revision than there is, and nothing of sites that it does not have.
            SELECT me.id, least(report.applied, head.revision), clock_timestamp(), report.boot,
                left(report.version, {VERSION_LENGTH}), (
                    SELECT coalesce(jsonb_agg({CONDITION}), '[]')
                    FROM (SELECT one.value FROM jsonb_array_elements(report.conditions) AS one
                        WHERE jsonb_typeof(one.value) = 'object' LIMIT {MOST_CONDITIONS}) AS one (said)
                ), (
                    SELECT coalesce(jsonb_object_agg(said.key, coalesce(said.value, '')), '{{}}')
                    FROM jsonb_each_text(report.sites) AS said
                    WHERE said.key IN (SELECT placed.id FROM {SCHEMA}.placed_site AS placed)
                        OR (me.holds = '{FRONT}' AND said.key IN (
                            SELECT site.id FROM public.control_site AS site WHERE site.retired_at IS NULL
                        ))
                )
            FROM me CROSS JOIN {SCHEMA}.head AS head
            ON CONFLICT (node_id) DO UPDATE SET
                applied = excluded.applied, seen_at = excluded.seen_at, version = excluded.version,
                conditions = excluded.conditions, sites = excluded.sites, boot = excluded.boot,
                -- One that was followed by another, and speaks again, is a second node under the same id.
                other_boot = CASE WHEN known.boot <> excluded.boot THEN known.boot ELSE known.other_boot END,
                duplicate_at = CASE WHEN known.other_boot = excluded.boot AND known.boot <> excluded.boot
                    THEN clock_timestamp() ELSE known.duplicate_at END
            RETURNING known.duplicate_at > clock_timestamp() - interval '{SILENT_AFTER} seconds' AS is_duplicate
        ), bell AS (
            SELECT pg_notify('{REPORT_CHANNEL}', me.id) FROM me, told
        )
        SELECT coalesce(told.is_duplicate, false) FROM told, bell;
    END;

CREATE FUNCTION {SCHEMA}.enter_state(wanted text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me record;
    counted bigint;
BEGIN
    -- The head first, as whoever else writes: two that lock in different orders could end each other.
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    -- What is checked at the end of a transaction is asked as the caller, who may read no table.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    SELECT node.id, node.state, node.group_id, node.has_left INTO me
    FROM public.control_node AS node JOIN {SCHEMA}.self AS self ON self.id = node.id;
    -- It comes back from where it went by itself, and not from where a person or a plan has put it.
    IF me.id IS NULL OR NOT (CASE wanted
        WHEN '{JOINING}' THEN me.state IN ('{DRAINING}', '{AWAY}') AND me.has_left
        WHEN '{ACTIVE}' THEN me.state = '{JOINING}'
        WHEN '{DRAINING}' THEN me.state IN ('{JOINING}', '{ACTIVE}')
        WHEN '{AWAY}' THEN me.state = '{DRAINING}'
        ELSE false END)
    THEN
        RETURN me.id IS NOT NULL AND me.state = wanted;
    END IF;
    IF {is_restless("me.id")} THEN
        RETURN false;
    END IF;
    counted := public.control_record_event(
        CASE wanted WHEN '{JOINING}' THEN '{NODE_CHANGED}' WHEN '{ACTIVE}' THEN '{NODE_JOINED}'
            WHEN '{DRAINING}' THEN '{NODE_DRAINING}' ELSE '{NODE_LEFT}' END,
        '', NULL, 'node:' || me.id, jsonb_build_object('node', me.id, 'group', me.group_id)
    );
    UPDATE public.control_node SET state = wanted, revision = counted,
        has_left = CASE wanted WHEN '{AWAY}' THEN has_left ELSE wanted = '{DRAINING}' END
    WHERE id = me.id;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN true;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = f"{RECORD_EVENT}{placements_v1.CREATE}{WAVE_RULES}{VIEWS}{FUNCTIONS}"
DROP = f"""
DROP FUNCTION {SCHEMA}.enter_state, {SCHEMA}.report;
DROP VIEW {SCHEMA}.hold, {SCHEMA}.gone_site, {SCHEMA}.sealed, {SCHEMA}.placed_site, {SCHEMA}.placed_platform,
    {SCHEMA}.turn, {SCHEMA}.held_back, {SCHEMA}.self;
DROP INDEX control_wave_one_runs, control_wave_one_platform;
{placements_v1.DROP}
DROP FUNCTION control_record_event;
"""

#: What the role of all nodes gets. Their own roles are made one by one.
VIEW_NAMES = ("head", "self", "placed_platform", "placed_site", "sealed", "gone_site", "hold")
GRANT = "\n".join(
    [
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};",
        *(f"GRANT SELECT ON {SCHEMA}.{name} TO {ROLE};" for name in VIEW_NAMES),
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.report, {SCHEMA}.enter_state TO {ROLE};",
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.take_job, {SCHEMA}.report_job TO {ROLE};",
    ]
)

#: Everything of one moment. ``since`` and ``sealed`` are the revision and the serial that the node has, NULL for
#: everything; ``also`` are ids of sites that are wanted all the same.
READ = f"""
SELECT head.incarnation, head.revision, head.oldest,
    (SELECT to_jsonb(self) FROM {SCHEMA}.self),
    (SELECT jsonb_build_object('record', record, 'revision', revision) FROM {SCHEMA}.placed_platform
        WHERE %(since)s::bigint IS NULL OR revision > %(since)s::bigint),
    (SELECT coalesce(jsonb_object_agg(site.id, jsonb_build_object(
            'uid', site.uid, 'generation', site.generation, 'revision', site.revision, 'record', site.record,
            'serial', site.sealed_serial, 'sealed', (
                SELECT coalesce(jsonb_object_agg(sealed.field, jsonb_build_object(
                    'version', sealed.version, 'fingerprint', sealed.fingerprint,
                    'sealed', encode(sealed.sealed, 'base64')
                )), '{{}}') FROM {SCHEMA}.sealed WHERE sealed.uid = site.uid
            )
        )), '{{}}') FROM {SCHEMA}.placed_site AS site
        WHERE %(since)s::bigint IS NULL OR site.revision > %(since)s::bigint
            OR site.sealed_serial > %(sealed)s::bigint OR site.id = ANY(%(also)s::text[])),
    (SELECT count(*) FROM {SCHEMA}.placed_site),
    (SELECT coalesce(jsonb_agg(to_jsonb(gone)), '[]') FROM {SCHEMA}.gone_site AS gone
        WHERE gone.id = ANY(%(also)s::text[]) OR gone.revision > %(since)s::bigint),
    (SELECT coalesce(jsonb_agg(to_jsonb(hold)), '[]') FROM {SCHEMA}.hold)
FROM {SCHEMA}.head AS head
"""  # noqa: S608  # constants
REPORT = f"SELECT {SCHEMA}.report(%s, %s, %s, %s, %s, %s)"
ENTER_STATE = f"SELECT {SCHEMA}.enter_state(%s)"
