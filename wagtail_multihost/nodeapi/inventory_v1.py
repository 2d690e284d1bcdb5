"""
Version 1 of what a node says of the versions that its sites run.

Sites say it to their node, so neither is believed: a node says it of sites that are placed on it alone, and what has
not the form of a name and a version of a package is dropped here again. It makes no event and does not take the head.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_v1 import ROLE
from wagtail_multihost.nodeapi.v1 import SCHEMA
from wagtail_multihost.nodeapi.version_file import (
    MOST_DROPPED,
    MOST_PACKAGES,
    NAME,
    NAME_LENGTH,
    VERSION,
    VERSION_LENGTH,
)

#: Of one call. A node that has more to say calls again.
MOST_REPORT_BYTES = 300_000
#: What was said of a site is replaced so often at most.
PAUSE_SECONDS = 20
NAMES_AND_VERSIONS = f"""octet_length(one.key) <= {NAME_LENGTH} AND octet_length(one.value) <= {VERSION_LENGTH}
                    AND one.key ~ '{NAME}' AND one.value ~ '{VERSION}'"""

CREATE = f"""
ALTER TABLE control_inventory
    ADD CONSTRAINT control_inventory_site FOREIGN KEY (site_id) REFERENCES control_site (uid) ON DELETE CASCADE,
    ADD CONSTRAINT control_inventory_node FOREIGN KEY (node_id) REFERENCES control_node (id) ON DELETE CASCADE;

-- ``versions`` has by the ids of sites what each runs; returned are the ids of those of which it is kept now.
CREATE FUNCTION {SCHEMA}.report_versions(versions jsonb) RETURNS text[]
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM public.control_inventory AS former USING {SCHEMA}.self AS me
        WHERE former.node_id = me.id AND former.site_id NOT IN (SELECT placed.uid FROM {SCHEMA}.placed_site AS placed);
        WITH told AS (
            SELECT me.id AS node, placed.uid, placed.id, said.value AS value FROM {SCHEMA}.self AS me
            CROSS JOIN jsonb_each(CASE
                WHEN jsonb_typeof(report_versions.versions) = 'object'
                    AND octet_length(report_versions.versions::text) <= {MOST_REPORT_BYTES}
                THEN report_versions.versions ELSE '{{}}' END
            ) AS said
            JOIN {SCHEMA}.placed_site AS placed ON placed.id = said.key
            WHERE jsonb_typeof(said.value -> 'packages') = 'object'
        ), sifted AS (
            SELECT told.node, told.uid, left(coalesce(told.value ->> 'python', ''), {VERSION_LENGTH}) AS python,
                coalesce((
                    SELECT jsonb_object_agg(kept.key, kept.value) FROM (
                        SELECT one.key, one.value FROM jsonb_each_text(told.value -> 'packages') AS one
                        WHERE {NAMES_AND_VERSIONS} ORDER BY one.key LIMIT {MOST_PACKAGES}
                    ) AS kept
                ), '{{}}') AS packages,
                (SELECT count(*) FROM jsonb_object_keys(told.value -> 'packages')) AS stated,
                CASE WHEN told.value ->> 'dropped' ~ '^[0-9]{{1,4}}$'
                    THEN (told.value ->> 'dropped')::bigint ELSE 0 END AS dropped
            FROM told
        ), kept AS (
            INSERT INTO public.control_inventory AS known (site_id, node_id, python, packages, dropped, seen_at)
            SELECT sifted.uid, sifted.node, CASE WHEN sifted.python ~ '{VERSION}' THEN sifted.python ELSE '' END,
                sifted.packages, least({MOST_DROPPED}, sifted.dropped + sifted.stated
                    - (SELECT count(*) FROM jsonb_object_keys(sifted.packages))),
                clock_timestamp()
            FROM sifted
            ON CONFLICT (site_id, node_id) DO UPDATE SET
                python = excluded.python, packages = excluded.packages, dropped = excluded.dropped,
                seen_at = excluded.seen_at
                WHERE known.seen_at < clock_timestamp() - interval '{PAUSE_SECONDS} seconds'
            RETURNING known.site_id
        )
        SELECT coalesce(array_agg(told.id::text ORDER BY told.id), '{{}}')
        FROM told JOIN kept ON kept.site_id = told.uid;
    END;
REVOKE ALL ON FUNCTION {SCHEMA}.report_versions FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.report_versions;"
#: Left out where there is no such function yet.
GRANT = f"""
DO $$ BEGIN
    IF to_regprocedure('{SCHEMA}.report_versions(jsonb)') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION {SCHEMA}.report_versions TO {ROLE};
    END IF;
END $$;
"""
REPORT = f"SELECT {SCHEMA}.report_versions(%s)"
