"""
Version 1 of what the monitor outside may see and do in PostgreSQL: which hostnames there are, with the public keys by
which sites prove themselves, and functions that say what it has concluded. It speaks to hostile sites, so it sees no
record, and writes nothing but through these.

One monitor looks at a time, in the whole fleet: who has the lease. Its fence rises with each holder, so that one which
was thought dead cannot report.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.observations_v1 import VERSION_LENGTH
from wagtail_multihost.nodeapi.probe_states import OUTSIDE

SCHEMA = "monitor_v1"
ROLE = "multihost_monitor"
#: A monitor that is silent for longer has lost its place to another one. All times are those of the database's clock.
LEASE_SECONDS = 30
READY_PATH = "/-/ready"
#: Which pages of a site are looked at, each with the text that it must have: a table of its record.
PAGES = """CASE WHEN host.is_canonical AND jsonb_typeof(site.record -> 'watched_pages') = 'object' THEN (
            SELECT coalesce(jsonb_agg(jsonb_build_object('path', page.key, 'contains', page.value)), '[]')
            FROM jsonb_each_text(site.record -> 'watched_pages') AS page
        ) ELSE '[]'::jsonb END"""

VIEWS = f"""
CREATE VIEW {SCHEMA}.head AS SELECT incarnation, revision FROM control_head;

-- ``canonical`` is where a hostname redirects to; blank for what answers itself. A site that ``proves`` whose an answer
-- is has done so once: what answers in its place without a proof is not it.
CREATE VIEW {SCHEMA}.target WITH (security_barrier) AS
    SELECT host.name::text AS hostname, site.id::text AS site, site.uid, site.probe_key,
        site.state::text AS state,
        CASE WHEN host.role = 'hostname' AND NOT host.is_canonical THEN coalesce((
            SELECT other.name::text FROM control_hostname AS other
            WHERE other.site_id = site.uid AND other.is_canonical
        ), '') ELSE '' END AS canonical,
        CASE WHEN site.record ? 'tls' OR coalesce(platform.record ->> 'origin', 'https:') LIKE 'https:%' THEN 'https'
            ELSE 'http' END AS scheme,
        '{READY_PATH}'::text AS path, {PAGES} AS pages,
        site.probe_key IS NOT NULL AND EXISTS (
            SELECT FROM control_probe_latest AS latest WHERE latest.site_id = site.uid AND latest.has_proven
        ) AS proves
    FROM control_hostname AS host
    JOIN control_site AS site ON site.uid = host.site_id AND site.retired_at IS NULL AND site.enabled
    CROSS JOIN control_platform AS platform;
"""  # noqa: S608  # constants

FUNCTIONS = f"""
-- Makes the one who asks the monitor, or keeps it that; NULL while another one is.
CREATE FUNCTION {SCHEMA}.take_lease(boot uuid, version text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO public.control_monitor AS known (place, version, fence, lease_boot, lease_until)
        SELECT '{OUTSIDE}', left(coalesce(take_lease.version, ''), {VERSION_LENGTH}), 1, take_lease.boot,
            clock_timestamp() + interval '{LEASE_SECONDS} seconds'
        WHERE take_lease.boot IS NOT NULL
        ON CONFLICT (place) DO UPDATE SET lease_until = excluded.lease_until, version = excluded.version,
            lease_boot = excluded.lease_boot,
            fence = known.fence + (known.lease_boot IS DISTINCT FROM excluded.lease_boot)::integer
        WHERE known.lease_boot = excluded.lease_boot OR coalesce(known.lease_until <= clock_timestamp(), true)
        RETURNING known.fence;
    END;

CREATE FUNCTION {SCHEMA}.give_up_lease(boot uuid, fence bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_monitor AS known SET lease_until = NULL, lease_boot = NULL
        WHERE known.place = '{OUTSIDE}' AND known.lease_boot = give_up_lease.boot
            AND known.fence = give_up_lease.fence
        RETURNING true;
    END;

-- False, and nothing is kept, where another one has become the monitor meanwhile.
CREATE FUNCTION {SCHEMA}.report(
    boot uuid, fence bigint, seconds double precision, observations jsonb, latencies jsonb
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.control_monitor AS known
    SET lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds'
    WHERE known.place = '{OUTSIDE}' AND known.lease_boot = report.boot AND known.fence = report.fence
        AND known.lease_until > clock_timestamp();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM public.control_note_observations('{OUTSIDE}', report.boot, NULL, report.seconds, report.observations,
        report.latencies);
    RETURN true;
END $$;
"""  # noqa: S608  # constants

CREATE = f"""
CREATE SCHEMA {SCHEMA};
{VIEWS}
{FUNCTIONS}
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""
DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"
GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {SCHEMA} TO {ROLE};
"""

#: Everything of one moment: an empty list of targets is believed only with a count that says so too.
TARGETS = f"""
SELECT head.incarnation, head.revision,
    (SELECT coalesce(jsonb_agg((to_jsonb(target) - 'probe_key') || jsonb_build_object(
        'key', coalesce(encode(target.probe_key, 'base64'), '')
    )), '[]') FROM {SCHEMA}.target AS target),
    (SELECT count(*) FROM {SCHEMA}.target)
FROM {SCHEMA}.head AS head
"""  # noqa: S608  # constants
TAKE_LEASE = f"SELECT {SCHEMA}.take_lease(%s, %s)"
GIVE_UP_LEASE = f"SELECT {SCHEMA}.give_up_lease(%s, %s)"
REPORT = f"SELECT {SCHEMA}.report(%s, %s, %s, %s, %s)"
