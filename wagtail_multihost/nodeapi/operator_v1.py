"""
Version 1 of what the operator process may do in PostgreSQL: mint group tokens, confirm nodes' keys, seal secrets, forget
nodes that have left, and carry plans and waves on. It holds the recovery key; no other login may do any of this.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import AWAY

SCHEMA = "operator_v1"
ROLE = "multihost_operator"
#: Seconds that a node which has left stays listed, so that people see that it has.
FORGOTTEN_AFTER = 3600

CREATE = f"""
CREATE SCHEMA {SCHEMA};

-- What still has to be sealed: each secret that is kept for recovery, for each node that has the site and a key that counts.
CREATE VIEW {SCHEMA}.unsealed AS
    SELECT secret.site_id AS uid, site.id AS site, secret.field, secret.version, secret.sealed, node.id AS node,
        identity.public_key, identity.fingerprint, identity.proof, identity.token, identity.confirmed_at
    FROM control_sealed_secret AS secret
    JOIN control_site AS site ON site.uid = secret.site_id AND site.retired_at IS NULL
    JOIN control_node AS node ON node.state <> '{AWAY}'
    JOIN control_node_group AS held ON held.id = node.group_id
    JOIN control_node_identity AS identity ON identity.node_id = node.id AND identity.public_key IS NOT NULL
    WHERE secret.node_id IS NULL
        AND (held.holds = 'all' OR (held.holds = 'placed' AND EXISTS (
            SELECT FROM control_placement AS placement
            WHERE placement.node_id = node.id AND placement.site_id = secret.site_id AND NOT placement.is_gone
        )))
        AND NOT EXISTS (
            SELECT FROM control_sealed_secret AS done
            WHERE done.node_id = node.id AND done.site_id = secret.site_id AND done.field = secret.field
                AND done.version = secret.version AND done.fingerprint = identity.fingerprint
        );

CREATE FUNCTION {SCHEMA}.seal(site uuid, field text, version integer, node text, fingerprint text, sealed bytea)
    RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM public.control_sealed_secret AS old
        WHERE old.site_id = seal.site AND old.field = seal.field AND old.version <= seal.version
            AND old.node_id IS NOT DISTINCT FROM nullif(seal.node, '');
        INSERT INTO public.control_sealed_secret (site_id, field, version, node_id, fingerprint, sealed, serial, made_at)
        SELECT seal.site, seal.field, seal.version, nullif(seal.node, ''), seal.fingerprint, seal.sealed,
            coalesce((SELECT max(known.serial) FROM public.control_sealed_secret AS known), 0) + 1, clock_timestamp()
        RETURNING serial;
    END;

CREATE FUNCTION {SCHEMA}.mint(id uuid, wanted text, digest bytea, seconds integer) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM public.control_group_token AS old WHERE old.expires_at < clock_timestamp() - interval '7 days';
        INSERT INTO public.control_group_token (id, group_id, digest, expires_at, minted_at)
        VALUES (mint.id, mint.wanted, mint.digest, clock_timestamp() + make_interval(secs => mint.seconds),
            clock_timestamp());
    END;

CREATE FUNCTION {SCHEMA}.confirm(node text, fingerprint text) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_node_identity AS identity SET confirmed_at = clock_timestamp()
        WHERE identity.node_id = confirm.node AND identity.fingerprint = confirm.fingerprint
        RETURNING true;
    END;
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608  # constants

GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {SCHEMA} TO {ROLE};
"""
DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"
