"""
Version 1 of what nodes read: views in a schema of their own, so that the tables behind them may change.

Once released, a column is never taken away or given another meaning; that is a new version beside this one.
"""

from __future__ import annotations

SCHEMA = "node_api_v1"
#: NOTIFY rings on it. A bell only says that there is something to read.
CHANNEL = "multihost_control"

#: Makes the views. They have the rights of their owner, so that a reader needs none on the tables.
CREATE = f"""
CREATE SCHEMA {SCHEMA};
CREATE VIEW {SCHEMA}.head AS
    SELECT incarnation, revision, oldest FROM control_head;
CREATE VIEW {SCHEMA}.platform AS
    SELECT record, generation FROM control_platform;
CREATE VIEW {SCHEMA}.site WITH (security_barrier) AS
    SELECT id, uid, generation, record FROM control_site WHERE retired_at IS NULL;
CREATE VIEW {SCHEMA}.event AS
    SELECT revision, type, at, nullif(site, '') AS site, uid, generation, actor, request, metadata FROM control_event;
"""  # noqa: S608

DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"

#: Everything that a registry is, of one revision: a second statement could read another one
#: (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED). The parameter ``only`` is a
#: list of ids, or NULL for all sites. The last column is the number of sites that there are; it is counted for all of
#: them alone, as one site must not cost more where there are more.
READ = f"""
SELECT head.incarnation, head.revision, (SELECT record FROM {SCHEMA}.platform),
    coalesce(jsonb_object_agg(site.id, site.record) FILTER (WHERE site.id IS NOT NULL), '{{}}'),
    CASE WHEN %(only)s::text[] IS NULL THEN (SELECT count(*) FROM {SCHEMA}.site) END
FROM {SCHEMA}.head AS head
LEFT JOIN {SCHEMA}.site AS site ON %(only)s::text[] IS NULL OR site.id = ANY(%(only)s::text[])
GROUP BY 1, 2
"""  # noqa: S608
