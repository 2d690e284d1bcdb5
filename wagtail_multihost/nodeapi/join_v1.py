"""
Version 1 of how a node joins a group by itself: with a token that the operator process has minted, it gets a role of
its own by one call. The web process can neither mint a token nor let a node join.

A token is ``ID.SECRET``. The database keeps a digest of the secret's digest, so that neither it nor its log has what a
node needs to join; the operator process keeps the secret, and seals to a node's key only if its ``proof`` is of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import NamedTuple
from uuid import UUID, uuid4

from wagtail_multihost.nodeapi import node_v1
from wagtail_multihost.nodeapi.node_states import AWAY, JOINING, SILENT_AFTER

SCHEMA = "node_join_v1"
#: Whom a node logs in as until it has a role of its own. It may call one function, and nothing else.
ROLE = "multihost_join"
#: Owns that function, and makes roles; nobody can log in as it.
ENROLLER = "multihost_enroller"
SECRET_BYTES = 32
KEY_BYTES = 32
CONNECTIONS = 4

CREATE = f"""
CREATE SCHEMA {SCHEMA};

CREATE FUNCTION {SCHEMA}.join(
    token uuid, digest bytea, node text, address text, zone text, public_key bytea, proof bytea, verifier text
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
    known record;
    own_role text;
    counted bigint;
BEGIN
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    SELECT found.id, found.group_id INTO wanted FROM public.control_group_token AS found
    WHERE found.id = join.token AND found.digest = sha256(join.digest) AND found.expires_at > clock_timestamp();
    IF wanted.id IS NULL THEN
        RAISE EXCEPTION 'The token is not known, or has expired.' USING ERRCODE = 'invalid_authorization_specification';
    END IF;
    IF join.node !~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' OR length(join.node) > 40 OR length(join.public_key) <> {KEY_BYTES}
        OR join.verifier !~ '^SCRAM-SHA-256\\$[0-9]+:[A-Za-z0-9+/=]+\\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$'
        OR length(join.verifier) > 300 OR length(join.proof) <> 32
    THEN
        RAISE EXCEPTION 'The node''s id, its key or its password''s verifier is not accepted.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT node.id, node.group_id, node.state, node.is_transient, identity.public_key, identity.role, report.seen_at
    INTO known
    FROM public.control_node AS node
    LEFT JOIN public.control_node_identity AS identity ON identity.node_id = node.id
    LEFT JOIN public.control_report AS report ON report.node_id = node.id
    WHERE node.id = join.node;
    IF known.id IS NOT NULL AND NOT (
        known.is_transient AND known.group_id = wanted.group_id AND (
            known.state = '{AWAY}' OR known.public_key = join.public_key
            OR coalesce(known.seen_at, '-infinity') < clock_timestamp() - interval '{SILENT_AFTER} seconds'
        )
    ) THEN
        RAISE EXCEPTION 'There is a node % already, which speaks, or which a token does not replace.', join.node
            USING ERRCODE = 'unique_violation';
    END IF;
    own_role := coalesce(known.role, '{node_v1.ROLE}_' || replace(join.node, '-', '_'));
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = own_role) THEN
        EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT {CONNECTIONS} IN ROLE {node_v1.ROLE}', own_role);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', own_role, join.verifier);
    counted := public.control_record_event(
        'node.changed', '', NULL, 'node:' || join.node, jsonb_build_object('node', join.node, 'group', wanted.group_id)
    );
    INSERT INTO public.control_node AS node
        (id, group_id, address, zone, weight, state, is_transient, revision, joined_at)
    VALUES (join.node, wanted.group_id, join.address, join.zone, 100, '{JOINING}', true, counted, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET address = excluded.address, zone = excluded.zone, state = '{JOINING}',
        revision = excluded.revision, joined_at = excluded.joined_at;
    -- What was sealed to another key is of no use any more.
    DELETE FROM public.control_sealed_secret AS secret
    WHERE secret.node_id = join.node AND known.public_key IS DISTINCT FROM join.public_key;
    INSERT INTO public.control_node_identity AS identity
        (node_id, role, public_key, fingerprint, proof, token, confirmed_at)
    VALUES (
        join.node, own_role, join.public_key, encode(sha256(join.public_key), 'hex'), join.proof, wanted.id, NULL
    )
    ON CONFLICT (node_id) DO UPDATE SET public_key = excluded.public_key, fingerprint = excluded.fingerprint,
        proof = excluded.proof, token = excluded.token, confirmed_at = CASE
            WHEN identity.public_key = excluded.public_key THEN identity.confirmed_at END;
    PERFORM pg_notify('{node_v1.REPORT_CHANNEL}', join.node);
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN own_role;
END $$;
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608  # constants

GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {SCHEMA} TO {ROLE};
"""
DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"
JOIN = f"SELECT {SCHEMA}.join(%s, %s, %s, %s, %s, %s, %s, %s)"


class GroupToken(NamedTuple):
    """A token by which nodes join a group; it is written as ``ID.SECRET``."""

    id: UUID
    secret: bytes

    @property
    def text(self) -> str:
        """What whoever starts nodes is given."""
        return f"{self.id}.{base64.urlsafe_b64encode(self.secret).decode().rstrip('=')}"

    @property
    def shown_digest(self) -> bytes:
        """What a node shows when it joins."""
        return hashlib.sha256(self.secret).digest()

    @property
    def kept_digest(self) -> bytes:
        """What the database keeps."""
        return hashlib.sha256(self.shown_digest).digest()

    def prove(self, node: str, public_key: bytes) -> bytes:
        """Return the proof that a key is of a node that has this token."""
        return hmac.digest(self.secret, b"multihost node\0" + node.encode() + b"\0" + public_key, "sha256")


def make_token() -> GroupToken:
    return GroupToken(uuid4(), secrets.token_bytes(SECRET_BYTES))


def parse_token(text: str) -> GroupToken:
    """Return the token that a text is; raises ValueError."""
    identifier, _, secret = text.strip().partition(".")
    try:
        token = GroupToken(UUID(identifier), base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
    except ValueError:
        token = None
    if token is None or len(token.secret) != SECRET_BYTES:
        raise ValueError("It is not a group's token, as multihost-operator mints them.")
    return token
