"""
Version 1 of what the operator process tells of sites' probe keys: it makes and seals them, and states their public
parts, by which monitors know which site has answered. Whoever could state another one could hide that a hostname leads
to the wrong site.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.operator_v1 import PROBE_KEY, SCHEMA
from wagtail_multihost.spec.proofs import KEY_BYTES

#: ``is_served``: its processes may run already, and start once more with the key.
CREATE = f"""
CREATE VIEW {SCHEMA}.probe_key AS
    SELECT site.uid, site.id, site.has_key OR site.refers_to_key AS is_served, known.probe_key AS public_key,
        EXISTS (
            SELECT FROM control_sealed_secret AS secret
            WHERE secret.site_id = site.uid AND secret.node_id IS NULL AND secret.field = '{PROBE_KEY}'
        ) AS has_probe_key
    FROM {SCHEMA}.site AS site JOIN control_site AS known ON known.uid = site.uid;

-- No event, and no other generation: no node reads it, and nothing that is served changes.
CREATE FUNCTION {SCHEMA}.tell_probe_key(site uuid, public_key bytea) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF octet_length(tell_probe_key.public_key) IS DISTINCT FROM {KEY_BYTES} THEN
        RAISE EXCEPTION 'It is no public key of Ed25519.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE public.control_site AS told SET probe_key = tell_probe_key.public_key
    WHERE told.uid = tell_probe_key.site AND told.retired_at IS NULL;
    RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.tell_probe_key FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"""
DROP FUNCTION {SCHEMA}.tell_probe_key;
DROP VIEW {SCHEMA}.probe_key;
"""
