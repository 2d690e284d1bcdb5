"""
Version 1 of what the operator process may do in PostgreSQL: mint group tokens, confirm nodes' keys, seal secrets,
forget nodes that have left, and carry plans and waves on. It holds the recovery key; no other login may do any of
this.

What these views say of who a node is, is a hint: the operator process seals to no key that its folder does not know.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.node_states import ALL, AWAY, PLACED
from wagtail_multihost.nodeapi.v1 import CHANNEL

SCHEMA = "operator_v1"
ROLE = "multihost_operator"
#: Seconds that a node which has left stays listed, so that people see that it has.
FORGOTTEN_AFTER = 3600
#: Seconds that a node which was killed stays listed. While the database was away nobody was silent.
KILLED_AFTER = 86_400
#: What is sealed, and the path of its key in the record, are short.
MOST_SEALED_BYTES = 20_000
SECRET_KEY, FALLBACKS, PROBE_KEY = "secret_key", "secret_key_fallbacks", "probe_key"
#: What is sealed of every site, without a word in its record.
OWN_KEYS = (SECRET_KEY, FALLBACKS, PROBE_KEY)

#: Whether a node of a group holds a site, whatever state it is in.
HOLDS = f"""(held.holds = '{ALL}' OR (held.holds = '{PLACED}' AND EXISTS (
            SELECT FROM control_placement AS placement
            WHERE placement.node_id = node.id AND placement.site_id = secret.site_id AND NOT placement.is_gone
        )))"""  # constants

VIEWS = f"""
CREATE VIEW {SCHEMA}.node_group AS SELECT id, holds FROM control_node_group;

CREATE VIEW {SCHEMA}.node_key AS
    SELECT node.id AS node, node.group_id AS "group", held.holds, node.state, identity.public_key, identity.token,
        identity.proof, identity.confirmed_at, report.seen_at
    FROM control_node AS node
    JOIN control_node_group AS held ON held.id = node.group_id
    JOIN control_node_identity AS identity ON identity.node_id = node.id
    LEFT JOIN control_report AS report ON report.node_id = node.id
    WHERE identity.public_key IS NOT NULL;

-- Sealed for recovery: the newest version of each secret.
CREATE VIEW {SCHEMA}.secret AS
    SELECT secret.site_id AS uid, site.id AS site, secret.field, secret.version, secret.fingerprint, secret.sealed
    FROM control_sealed_secret AS secret
    JOIN control_site AS site ON site.uid = secret.site_id AND site.retired_at IS NULL
    WHERE secret.node_id IS NULL;

-- All that is sealed to the recovery key, of retired sites too: whoever changes the key seals all of it anew.
CREATE VIEW {SCHEMA}.kept AS
    SELECT secret.site_id AS uid, secret.field, secret.version, secret.fingerprint, secret.sealed
    FROM control_sealed_secret AS secret WHERE secret.node_id IS NULL;

CREATE VIEW {SCHEMA}.site AS
    SELECT site.uid, site.id, site.is_imported,
        coalesce(site.record ->> '{SECRET_KEY}' <> 'sealed:', false) OR site.record ? '{SECRET_KEY}_file'
            AS refers_to_key,
        EXISTS (
            SELECT FROM control_sealed_secret AS secret
            WHERE secret.site_id = site.uid AND secret.node_id IS NULL AND secret.field = '{SECRET_KEY}'
        ) AS has_key
    FROM control_site AS site WHERE site.retired_at IS NULL;

-- What still has to be sealed: each secret that is kept for recovery, for each node that has the site and a key.
CREATE VIEW {SCHEMA}.unsealed AS
    SELECT secret.site_id AS uid, site.id AS site, secret.field, secret.version, secret.sealed, node.id AS node
    FROM control_sealed_secret AS secret
    JOIN control_site AS site ON site.uid = secret.site_id AND site.retired_at IS NULL
    JOIN control_node AS node ON node.state <> '{AWAY}'
    JOIN control_node_group AS held ON held.id = node.group_id
    JOIN control_node_identity AS identity ON identity.node_id = node.id AND identity.public_key IS NOT NULL
    WHERE secret.node_id IS NULL AND {HOLDS}
        AND NOT EXISTS (
            SELECT FROM control_sealed_secret AS done
            WHERE done.node_id = node.id AND done.site_id = secret.site_id AND done.field = secret.field
                AND done.version = secret.version AND done.fingerprint = identity.fingerprint
        );
"""  # noqa: S608  # constants

FUNCTIONS = f"""
-- Keeps what was sealed to a node, or for recovery where that is blank; NULL where that version was kept already or is
-- an old one, or the node has another key. An advisory lock would be one that every login can take.
CREATE FUNCTION {SCHEMA}.seal(site uuid, field text, version integer, node text, fingerprint text, sealed bytea)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted bigint;
    holder text := nullif(seal.node, '');
BEGIN
    IF seal.version < 1 OR octet_length(seal.sealed) > {MOST_SEALED_BYTES} OR length(seal.field) > 100 THEN
        RAISE EXCEPTION 'What is sealed is too long, or of no version.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Serials rise in the order in which they can be seen.
    LOCK TABLE public.control_sealed_secret IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (
        SELECT FROM public.control_sealed_secret AS newer
        WHERE newer.site_id = seal.site AND newer.field = seal.field AND newer.node_id IS NOT DISTINCT FROM holder
            AND (newer.version > seal.version OR (newer.version = seal.version AND holder IS NULL))
    ) OR (holder IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.control_node_identity AS identity
        WHERE identity.node_id = holder AND identity.fingerprint = seal.fingerprint
    )) THEN
        RETURN NULL;
    END IF;
    DELETE FROM public.control_sealed_secret AS old
    WHERE old.site_id = seal.site AND old.field = seal.field AND old.node_id IS NOT DISTINCT FROM holder;
    INSERT INTO public.control_sealed_secret (site_id, field, version, node_id, fingerprint, sealed, serial, made_at)
    SELECT seal.site, seal.field, seal.version, holder, seal.fingerprint, seal.sealed,
        coalesce((SELECT max(known.serial) FROM public.control_sealed_secret AS known), 0) + 1, clock_timestamp()
    RETURNING serial INTO counted;
    IF holder IS NOT NULL THEN
        PERFORM pg_notify('{CHANNEL}', '{{"v": 1, "type": "secret.sealed"}}');
    END IF;
    RETURN counted;
END $$;

-- The same secret, sealed for recovery to another key; false where it is not sealed to the former one any more.
CREATE FUNCTION {SCHEMA}.reseal(
    site uuid, field text, version integer, former text, fingerprint text, sealed bytea
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH changed AS (
            UPDATE public.control_sealed_secret AS kept
            SET fingerprint = reseal.fingerprint, sealed = reseal.sealed, made_at = clock_timestamp()
            WHERE kept.site_id = reseal.site AND kept.field = reseal.field AND kept.version = reseal.version
                AND kept.node_id IS NULL AND kept.fingerprint = reseal.former
                AND octet_length(reseal.sealed) <= {MOST_SEALED_BYTES} AND length(reseal.fingerprint) = 64
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM changed);
    END;

CREATE FUNCTION {SCHEMA}.mint(id uuid, wanted text, digest bytea, seconds integer, nodes integer) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM public.control_group_token AS old WHERE old.expires_at < clock_timestamp() - interval '7 days';
        INSERT INTO public.control_group_token (id, group_id, digest, expires_at, minted_at, joins_left)
        VALUES (mint.id, mint.wanted, mint.digest, clock_timestamp() + make_interval(secs => mint.seconds),
            clock_timestamp(), mint.nodes);
    END;

CREATE FUNCTION {SCHEMA}.confirm(node text, fingerprint text) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_node_identity AS identity SET confirmed_at = clock_timestamp()
        WHERE identity.node_id = confirm.node AND identity.fingerprint = confirm.fingerprint
        RETURNING true;
    END;
"""  # noqa: S608  # constants

CREATE = f"""
CREATE SCHEMA {SCHEMA};
{VIEWS}
{FUNCTIONS}
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""

GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {SCHEMA} TO {ROLE};
"""
DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"
