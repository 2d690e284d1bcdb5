"""
Version 1 of what a front server may see: the hostnames and certificates' states of all sites, which nodes serve each,
and where these are. Of records it is given the keys that are declared for fronts, and never a secret or a reference to
one.

While a change goes through the nodes in a wave, fronts are given the former records, and the new ones when it is done:
a hostname that only some nodes know yet is not answered by half of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, DONE, DRAINING, FRONT, PLACED, SILENT_AFTER
from wagtail_multihost.nodeapi.node_v1 import ROLE
from wagtail_multihost.nodeapi.v1 import SCHEMA
from wagtail_multihost.spec.declared import declarations, parts
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.options import Options, front_fields, site_fields
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.tls import TlsSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: The tables of a site of which fronts are given some keys, and the servers whose options they need.
PARTS = {"storage": StorageSpec, "tls": TlsSpec}
TARGETS: tuple[type[Options], ...] = (NginxOptions, UwsgiOptions, SystemdOptions)


def front_keys(spec: type) -> list[str]:
    """Return the keys of a spec's table that are declared for fronts, and that a database may state."""
    return sorted(
        one.name
        for one, declared in declarations(spec)
        if declared.front and not declared.is_secret and declared.who != "node"
    )


def front_options(kind: type[Options], *, of_platform: bool) -> list[str]:
    """Return the options of a target that are declared for fronts, and that a database may state."""
    known = {one.name: declared for one, declared in declarations(kind)}
    stated = {one.name for one in site_fields(kind)}
    return sorted(
        one.name
        for one in front_fields(kind)
        if known[one.name].who != "node" and not known[one.name].is_secret and (of_platform or one.name in stated)
    )


def front_tables(*, of_platform: bool) -> dict[str, list[str]]:
    """Return the tables in a record of which fronts are given some keys, and these."""
    tables = {name: front_keys(PARTS[name]) for name, part in parts(SiteSpec) if part.front}
    return tables | {kind.target: front_options(kind, of_platform=of_platform) for kind in TARGETS}


# The platform's nodes are those that are registered.
PLATFORM_KEYS = [name for name in front_keys(PlatformSpec) if name != "nodes"]
SITE_KEYS = [name for name in front_keys(SiteSpec) if name != "nodes"]


def chosen(record: str, keys: Iterable[str]) -> str:
    """Return an expression for the ``keys`` alone of a table, which is an expression too."""
    listed = ", ".join(f"'{name}'" for name in keys)
    return (
        "(SELECT coalesce(jsonb_object_agg(stated.key, stated.value), '{}') "  # noqa: S608  # constants
        f"FROM jsonb_each(CASE jsonb_typeof({record}) WHEN 'object' THEN {record} ELSE '{{}}' END) AS stated "
        f"WHERE stated.key IN ({listed}))"
    )


def front_record(record: str, keys: Iterable[str], tables: dict[str, list[str]]) -> str:
    """Return an expression for what fronts are given of a record."""
    found = [chosen(record, keys)]
    for table, names in sorted(tables.items()):
        inner = chosen(f"({record} -> '{table}')", names)
        found.append(f"CASE WHEN {record} ? '{table}' THEN jsonb_build_object('{table}', {inner}) ELSE '{{}}' END")
    return "\n        || ".join(found)


def former_of(site: str) -> str:
    """Return a query for the record before the wave that has not given the present one to all nodes yet."""
    return (
        "(SELECT item.former FROM control_wave_item AS item JOIN control_wave AS wave ON wave.id = item.wave_id "  # noqa: S608
        f"WHERE item.site_id {site} AND item.is_current AND wave.state <> '{DONE}' ORDER BY wave.revision LIMIT 1)"
    )


def last_stage_of(site: str) -> str:
    """Return an expression for the revision at which a wave last gave something to further nodes, or ended."""
    return (
        "(SELECT max(wave.stage_revision) FROM control_wave_item AS item JOIN control_wave AS wave "  # noqa: S608
        f"ON wave.id = item.wave_id WHERE item.site_id {site})"
    )


PLATFORM, THE_SITE = "IS NULL", "= site.uid"

CREATE = f"""
CREATE VIEW {SCHEMA}.front_platform WITH (security_barrier) AS
    SELECT {front_record("shown.record", PLATFORM_KEYS, front_tables(of_platform=True))} AS record, shown.revision
    FROM {SCHEMA}.self AS me CROSS JOIN control_platform AS platform
    LEFT JOIN LATERAL {former_of(PLATFORM)} AS held ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(held.former, platform.record) AS record,
            greatest(platform.revision, {last_stage_of(PLATFORM)}) AS revision
    ) AS shown
    WHERE me.holds = '{FRONT}';

-- The nodes are those that a site is placed on and that have said that they serve it; nodes that hold all sites are
-- not repeated for each.
CREATE VIEW {SCHEMA}.front_site WITH (security_barrier) AS
    SELECT site.id, site.uid, site.generation,
        {front_record("shown.record", SITE_KEYS, front_tables(of_platform=False))} AS record,
        ARRAY(
            SELECT node.id::text FROM control_placement AS placement
            JOIN control_node AS node ON node.id = placement.node_id
            JOIN control_node_group AS held ON held.id = node.group_id
            WHERE placement.site_id = site.uid AND placement.is_serving AND NOT placement.is_gone
                AND NOT placement.is_leaving AND held.holds = '{PLACED}'
            ORDER BY node.id
        ) AS nodes,
        shown.revision
    FROM {SCHEMA}.self AS me JOIN control_site AS site ON site.retired_at IS NULL
    LEFT JOIN LATERAL {former_of(THE_SITE)} AS held ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(held.former, site.record) AS record, greatest(
            site.revision, {last_stage_of(THE_SITE)},
            (SELECT max(placement.front_revision) FROM control_placement AS placement
                WHERE placement.site_id = site.uid)
        ) AS revision
    ) AS shown
    WHERE me.holds = '{FRONT}';

CREATE VIEW {SCHEMA}.front_gone WITH (security_barrier) AS
    SELECT site.id, site.uid, site.removed_revision AS revision
    FROM {SCHEMA}.self AS me JOIN control_site AS site ON site.retired_at IS NOT NULL
    WHERE me.holds = '{FRONT}';

-- Nodes that drain are asked only for sites that no other node has.
CREATE VIEW {SCHEMA}.front_node WITH (security_barrier) AS
    SELECT node.id, node.address, node.state, held.holds = '{ALL}' AS holds_all
    FROM {SCHEMA}.self AS me
    JOIN control_node AS node ON node.address <> '' AND node.state IN ('{ACTIVE}', '{DRAINING}')
    JOIN control_node_group AS held ON held.id = node.group_id AND held.holds <> '{FRONT}'
    WHERE me.holds = '{FRONT}';

-- The fronts that have not applied a revision, or are silent; NULL if there is none: what it took from them is asked no
-- more.
CREATE FUNCTION control_fronts_behind(wanted bigint) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT string_agg(front.id, ', ' ORDER BY front.id) FROM public.control_node AS front
        JOIN public.control_node_group AS held ON held.id = front.group_id AND held.holds = '{FRONT}'
        LEFT JOIN public.control_report AS report ON report.node_id = front.id
        WHERE front.state = '{ACTIVE}' AND NOT coalesce(
            report.applied >= control_fronts_behind.wanted
                AND report.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds', false
        );
    END;
CREATE FUNCTION control_fronts_passed(wanted bigint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT public.control_fronts_behind(wanted) IS NULL;
    END;
REVOKE ALL ON FUNCTION control_fronts_behind, control_fronts_passed FROM PUBLIC;

-- A node that is forgotten goes once its placed sites are served elsewhere, and fronts ask for them there.
CREATE FUNCTION {SCHEMA}.fronts_passed() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT coalesce(bool_and(me.address = '' OR (
            NOT beside.is_missing AND public.control_fronts_passed(greatest(me.revision, beside.revision))
        )), false)
        FROM {SCHEMA}.self AS me CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(other.revision IS NULL), false) AS is_missing, max(other.revision) AS revision
            FROM public.control_placement AS mine
            JOIN public.control_node AS node ON node.id = mine.node_id AND node.is_transient
            JOIN public.control_wish AS wish ON wish.uid = mine.site_id AND NOT wish.is_local
            CROSS JOIN LATERAL (
                SELECT min(placement.front_revision) AS revision FROM public.control_placement AS placement
                JOIN public.control_node AS asked ON asked.id = placement.node_id AND asked.state = '{ACTIVE}'
                WHERE placement.site_id = mine.site_id AND placement.node_id <> me.id
                    AND placement.is_serving AND NOT placement.is_gone AND NOT placement.is_leaving
            ) AS other
            WHERE me.holds = '{PLACED}' AND mine.node_id = me.id AND mine.is_serving AND NOT mine.is_gone
        ) AS beside;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.fronts_passed FROM PUBLIC;
"""  # noqa: S608  # constants
VIEW_NAMES = ("front_platform", "front_site", "front_gone", "front_node")
DROP = f"""
DROP FUNCTION {SCHEMA}.fronts_passed, control_fronts_passed, control_fronts_behind;
DROP VIEW {", ".join(f"{SCHEMA}.{name}" for name in reversed(VIEW_NAMES))};
"""
GRANT = "\n".join(
    [
        *(f"GRANT SELECT ON {SCHEMA}.{name} TO {ROLE};" for name in VIEW_NAMES),
        f"GRANT EXECUTE ON FUNCTION {SCHEMA}.fronts_passed TO {ROLE};",
    ]
)

#: Everything of one moment, as :data:`wagtail_multihost.nodeapi.node_v1.READ` has it, and the nodes, always all of
#: them. ``since`` is the revision that the front has, NULL for everything; ``also`` are ids of sites that are wanted
#: all the same. Nothing is sealed for a front.
READ = f"""
SELECT head.incarnation, head.revision, head.oldest,
    (SELECT to_jsonb(self) FROM {SCHEMA}.self),
    (SELECT jsonb_build_object('record', record, 'revision', revision) FROM {SCHEMA}.front_platform
        WHERE %(since)s::bigint IS NULL OR revision > %(since)s::bigint),
    (SELECT coalesce(jsonb_object_agg(site.id, jsonb_build_object(
            'uid', site.uid, 'generation', site.generation, 'revision', site.revision, 'record', site.record,
            'serial', NULL, 'sealed', '{{}}'::jsonb, 'nodes', site.nodes
        )), '{{}}') FROM {SCHEMA}.front_site AS site
        WHERE %(since)s::bigint IS NULL OR site.revision > %(since)s::bigint OR site.id = ANY(%(also)s::text[])),
    (SELECT count(*) FROM {SCHEMA}.front_site),
    (SELECT coalesce(jsonb_agg(to_jsonb(gone)), '[]') FROM {SCHEMA}.front_gone AS gone
        WHERE gone.id = ANY(%(also)s::text[]) OR gone.revision > %(since)s::bigint),
    (SELECT coalesce(jsonb_agg(to_jsonb(hold)), '[]') FROM {SCHEMA}.hold),
    (SELECT coalesce(jsonb_agg(to_jsonb(node) ORDER BY node.id), '[]') FROM {SCHEMA}.front_node AS node)
FROM {SCHEMA}.head AS head
"""  # noqa: S608  # constants
FRONTS_PASSED = f"SELECT {SCHEMA}.fronts_passed()"
