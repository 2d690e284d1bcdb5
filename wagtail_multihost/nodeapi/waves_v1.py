"""
What a wave keeps from a node whose turn has not come: a change of many sites, or of the platform, goes to one node, to
a tenth of them, then to the rest.

The former record that such a node is given has the newest of the keys that count at once, so that no node serves a site
that is disabled, or a hostname that it has no more. It never says where data is, nor has it what only one site may
have, other than the newest: registration makes no wave of such a change.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import DONE, REST
from wagtail_multihost.nodeapi.v1 import SCHEMA

#: One wave at a time: whoever begins the next one would have to know which of two former records a node has.
RULES = f"""
CREATE UNIQUE INDEX control_wave_one_runs ON control_wave ((true)) WHERE state <> '{DONE}';
CREATE UNIQUE INDEX control_wave_one_platform ON control_wave_item (wave_id) WHERE site_id IS NULL;
"""
#: For the views of nodes, which join them: no node may read these, as they are of all sites. ``uid`` is NULL for the
#: platform. A node that joins in the last stage is held back by nothing.
VIEWS = f"""
CREATE VIEW {SCHEMA}.held_back WITH (security_barrier) AS
    SELECT item.site_id AS uid, item.former
    FROM {SCHEMA}.self AS me
    JOIN control_wave AS wave ON wave.state <> '{DONE}' AND wave.stage < {REST} AND NOT wave.admitted ? me.id
    JOIN control_wave_item AS item ON item.wave_id = wave.id AND item.is_current;

-- The revision at which a node's turn came: it reads the record again then, although nobody has changed it since.
CREATE VIEW {SCHEMA}.turn WITH (security_barrier) AS
    SELECT item.site_id AS uid, max((wave.admitted ->> me.id)::bigint) AS revision
    FROM {SCHEMA}.self AS me
    JOIN control_wave AS wave ON wave.admitted ? me.id
    JOIN control_wave_item AS item ON item.wave_id = wave.id
    GROUP BY item.site_id;
"""  # noqa: S608  # constants
