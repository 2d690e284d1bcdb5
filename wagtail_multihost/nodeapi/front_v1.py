"""
Version 1 of what a front server may see: the hostnames and certificates' states of all sites, which nodes serve each, and
where these are. Of records it is given the keys that are declared for fronts, and never a secret or a reference to one.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, FRONT, PLACED
from wagtail_multihost.nodeapi.v1 import SCHEMA
from wagtail_multihost.spec.declared import declarations, parts
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


def front_keys(spec: type) -> list[str]:
    """Return the keys of a spec's table that are declared for fronts; tables are given with their own such keys alone."""
    return sorted(one.name for one, declared in declarations(spec) if declared.front and not declared.is_secret)


def listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


SITE_KEYS, PLATFORM_KEYS = front_keys(SiteSpec), front_keys(PlatformSpec)
#: Tables of which a front is given some keys.
TABLES = {name: part for name, part in parts(SiteSpec) if part.front}

CREATE = f"""
CREATE VIEW {SCHEMA}.front_platform WITH (security_barrier) AS
    SELECT coalesce(jsonb_object_agg(stated.key, stated.value) FILTER (WHERE stated.key IN ({listed(PLATFORM_KEYS)})), '{{}}')
        AS record, platform.revision
    FROM {SCHEMA}.self AS me CROSS JOIN control_platform AS platform
    LEFT JOIN LATERAL jsonb_each(platform.record) AS stated ON true
    WHERE me.holds = '{FRONT}'
    GROUP BY platform.revision;

-- A node is asked once it has said that it serves, until it drains or the site is taken from it.
CREATE VIEW {SCHEMA}.front_site WITH (security_barrier) AS
    SELECT site.id, site.uid, site.generation,
        (SELECT coalesce(jsonb_object_agg(stated.key, stated.value), '{{}}') FROM jsonb_each(site.record) AS stated
            WHERE stated.key IN ({listed(SITE_KEYS)})) AS record,
        ARRAY(
            SELECT node.id FROM control_node AS node JOIN control_node_group AS held ON held.id = node.group_id
            LEFT JOIN control_placement AS placement ON placement.node_id = node.id AND placement.site_id = site.uid
            WHERE node.state = '{ACTIVE}' AND node.address <> '' AND (
                held.holds = '{ALL}'
                OR (held.holds = '{PLACED}' AND placement.is_serving AND NOT placement.is_gone)
            )
            ORDER BY node.id
        ) AS nodes,
        greatest(site.revision, (
            SELECT max(placement.revision) FROM control_placement AS placement WHERE placement.site_id = site.uid
        )) AS revision
    FROM {SCHEMA}.self AS me JOIN control_site AS site ON site.retired_at IS NULL
    WHERE me.holds = '{FRONT}';

CREATE VIEW {SCHEMA}.front_node WITH (security_barrier) AS
    SELECT node.id, node.address, node.zone, node.weight, node.state, node.revision
    FROM {SCHEMA}.self AS me CROSS JOIN control_node AS node
    WHERE me.holds = '{FRONT}' AND node.address <> '';
"""  # noqa: S608  # constants
DROP = f"DROP VIEW {SCHEMA}.front_node, {SCHEMA}.front_site, {SCHEMA}.front_platform;"
VIEW_NAMES = ("front_platform", "front_site", "front_node")
