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
from wagtail_multihost.nodeapi.event_types import NODE_CHANGED
from wagtail_multihost.nodeapi.node_states import AWAY, JOINING, SILENT_AFTER
from wagtail_multihost.spec.platform import NODE_ADDRESS

SCHEMA = "node_join_v1"
#: Whom a node logs in as until it has a role of its own. It may call one function, and nothing else.
ROLE = "multihost_join"
#: Owns that function, and makes roles; nobody can log in as it.
ENROLLER = "multihost_enroller"
SECRET_BYTES = 32
KEY_BYTES = 32
CONNECTIONS = 4
#: Blank, or where front servers ask it.
ADDRESS = f"^({NODE_ADDRESS})?$"
ZONE = "^([a-z0-9]+(-[a-z0-9]+)*)?$"
#: Of every role's sessions. PostgreSQL compiles what it expects to be costly: a view that is read in a millisecond took
#: 0.7 s over empty tables that had statistics of full ones.
NO_JIT = "jit = off"
#: Defaults of a node's sessions, which it can lift: multihost-operator ends what takes too long.
BOUNDS = ("statement_timeout = '60s'", "idle_in_transaction_session_timeout = '30s'", NO_JIT)
SET_BOUNDS = " ".join(f"EXECUTE format($q$ALTER ROLE %I SET {bound}$q$, own_role);" for bound in BOUNDS)

#: Admits a node: everything but its role. The owner's, and called by the enroller alone.
ADMIT = f"""
CREATE FUNCTION control_admit_node(
    token uuid, digest bytea, node text, address text, zone text, public_key bytea, proof bytea, verifier text
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
    known record;
    own_role text;
    counted bigint;
BEGIN
    -- Who has no token must not hold the head.
    SELECT found.id, found.group_id INTO wanted FROM public.control_group_token AS found
    WHERE found.id = control_admit_node.token AND found.digest = sha256(control_admit_node.digest)
        AND found.expires_at > clock_timestamp();
    IF wanted.id IS NULL THEN
        RAISE EXCEPTION 'The token is not known, or has expired.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Regular expressions are for what is short.
    IF NOT coalesce(CASE WHEN length(control_admit_node.node) <= 40 AND length(control_admit_node.address) <= 270
            AND length(control_admit_node.zone) <= 40 AND length(control_admit_node.verifier) <= 300
        THEN control_admit_node.node ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND control_admit_node.address ~ '{ADDRESS}'
            AND control_admit_node.zone ~ '{ZONE}'
            AND control_admit_node.verifier
                ~ '^SCRAM-SHA-256\\$[0-9]+:[A-Za-z0-9+/=]+\\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$'
            AND length(control_admit_node.public_key) = {KEY_BYTES} AND length(control_admit_node.proof) = 32
        END, false)
    THEN
        RAISE EXCEPTION 'The node''s id, address, zone, key or password''s verifier is not accepted.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    -- What is checked at the end of a transaction is asked as the caller, who may read no table.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
    SELECT one.id, one.group_id, one.state, one.is_transient, identity.public_key, identity.role, report.seen_at
    INTO known
    FROM public.control_node AS one
    LEFT JOIN public.control_node_identity AS identity ON identity.node_id = one.id
    LEFT JOIN public.control_report AS report ON report.node_id = one.id
    WHERE one.id = control_admit_node.node;
    IF known.id IS NOT NULL AND NOT (
        known.is_transient AND known.group_id = wanted.group_id AND (
            known.state = '{AWAY}' OR known.public_key = control_admit_node.public_key
            OR coalesce(known.seen_at, '-infinity') < clock_timestamp() - interval '{SILENT_AFTER} seconds'
        )
    ) THEN
        RAISE EXCEPTION 'There is a node % already, which speaks, or which a token does not replace.',
            control_admit_node.node USING ERRCODE = 'unique_violation';
    END IF;
    IF {node_v1.is_restless("control_admit_node.node")} THEN
        RAISE EXCEPTION 'The node % has joined or left too often. It may again later.', control_admit_node.node
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Joins wait for each other here; a node that comes back with its own key is none more.
    IF known.public_key IS DISTINCT FROM control_admit_node.public_key THEN
        UPDATE public.control_group_token AS used SET joins_left = used.joins_left - 1
        WHERE used.id = wanted.id AND used.joins_left > 0;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'The token has let in as many nodes as it may.' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    own_role := coalesce(known.role, '{node_v1.ROLE}_' || replace(control_admit_node.node, '-', '_'));
    counted := public.control_record_event('{NODE_CHANGED}', '', NULL, 'node:' || control_admit_node.node,
        jsonb_build_object('node', control_admit_node.node, 'group', wanted.group_id));
    INSERT INTO public.control_node
        (id, group_id, address, zone, weight, state, has_left, is_transient, revision, joined_at)
    VALUES (control_admit_node.node, wanted.group_id, control_admit_node.address, control_admit_node.zone, 100,
        '{JOINING}', false, true, counted, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET address = excluded.address, zone = excluded.zone, state = '{JOINING}',
        has_left = false, revision = excluded.revision, joined_at = excluded.joined_at;
    -- What was sealed to another key is of no use any more.
    DELETE FROM public.control_sealed_secret AS secret
    WHERE secret.node_id = control_admit_node.node AND known.public_key IS DISTINCT FROM control_admit_node.public_key;
    INSERT INTO public.control_node_identity AS identity
        (node_id, role, public_key, fingerprint, proof, token, confirmed_at)
    VALUES (control_admit_node.node, own_role, control_admit_node.public_key,
        encode(sha256(control_admit_node.public_key), 'hex'), control_admit_node.proof, wanted.id, NULL)
    ON CONFLICT (node_id) DO UPDATE SET public_key = excluded.public_key, fingerprint = excluded.fingerprint,
        proof = excluded.proof, token = excluded.token, confirmed_at = CASE
            WHEN identity.public_key = excluded.public_key THEN identity.confirmed_at END;
    PERFORM pg_notify('{node_v1.REPORT_CHANNEL}', control_admit_node.node);
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN own_role;
END $$;
REVOKE ALL ON FUNCTION control_admit_node FROM PUBLIC;
"""  # noqa: S608  # constants

#: Makes a node that stays, for who runs SQL as the owner or a superuser: its role is made by the same SQL.
ENROL_NODE = f"""
CREATE FUNCTION control_enrol_node(node text, wanted text, address text, zone text, public_key bytea) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
BEGIN
    IF length(control_enrol_node.public_key) <> {KEY_BYTES} THEN
        RAISE EXCEPTION 'The key is not one of {KEY_BYTES} bytes.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE public.control_head SET revision = revision WHERE id = 1;
    SELECT one.group_id, one.is_transient, identity.public_key INTO known FROM public.control_node AS one
    LEFT JOIN public.control_node_identity AS identity ON identity.node_id = one.id
    WHERE one.id = control_enrol_node.node;
    IF known.is_transient OR known.group_id <> control_enrol_node.wanted THEN
        RAISE EXCEPTION 'There is a node % already, which joined by a token or is in another group.',
            control_enrol_node.node USING ERRCODE = 'unique_violation';
    END IF;
    IF known.group_id IS NULL THEN
        INSERT INTO public.control_node
            (id, group_id, address, zone, weight, state, has_left, is_transient, revision, joined_at)
        VALUES (control_enrol_node.node, control_enrol_node.wanted, control_enrol_node.address,
            control_enrol_node.zone, 100, '{JOINING}', false, false,
            public.control_record_event('{NODE_CHANGED}', '', NULL, 'operator:enrol',
                jsonb_build_object('node', control_enrol_node.node, 'group', control_enrol_node.wanted)),
            clock_timestamp());
    ELSE
        -- What is not stated stays.
        UPDATE public.control_node AS one SET
            address = coalesce(nullif(control_enrol_node.address, ''), one.address),
            zone = coalesce(nullif(control_enrol_node.zone, ''), one.zone),
            revision = public.control_record_event('{NODE_CHANGED}', '', NULL, 'operator:enrol',
                jsonb_build_object('node', control_enrol_node.node, 'group', control_enrol_node.wanted))
        WHERE one.id = control_enrol_node.node AND (
            control_enrol_node.address NOT IN ('', one.address) OR control_enrol_node.zone NOT IN ('', one.zone)
        );
    END IF;
    -- What was sealed to another key is of no use any more.
    DELETE FROM public.control_sealed_secret AS secret WHERE secret.node_id = control_enrol_node.node
        AND known.public_key IS DISTINCT FROM control_enrol_node.public_key;
    INSERT INTO public.control_node_identity AS identity (node_id, role, public_key, fingerprint)
    VALUES (control_enrol_node.node, '{node_v1.ROLE}_' || replace(control_enrol_node.node, '-', '_'),
        control_enrol_node.public_key, encode(sha256(control_enrol_node.public_key), 'hex'))
    ON CONFLICT (node_id) DO UPDATE SET public_key = excluded.public_key, fingerprint = excluded.fingerprint,
        proof = NULL, token = NULL, confirmed_at = CASE
            WHEN identity.public_key = excluded.public_key THEN identity.confirmed_at END;
    PERFORM pg_notify('{node_v1.REPORT_CHANNEL}', control_enrol_node.node);
    SET CONSTRAINTS ALL IMMEDIATE;
END $$;
REVOKE ALL ON FUNCTION control_enrol_node FROM PUBLIC;
"""  # noqa: S608  # constants

#: The enroller's, which may make roles and end their sessions, and reads nothing.
ENROLL = f"""
CREATE SCHEMA {SCHEMA};

CREATE FUNCTION {SCHEMA}.end_sessions(own_role text) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT pg_terminate_backend(activity.pid) FROM pg_stat_activity AS activity
        WHERE activity.usename = end_sessions.own_role;
    END;

CREATE FUNCTION {SCHEMA}.join(
    token uuid, digest bytea, node text, address text, zone text, public_key bytea, proof bytea, verifier text
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_role text;
BEGIN
    own_role := public.control_admit_node(token, digest, node, address, zone, public_key, proof, verifier);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = own_role) THEN
        EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT {CONNECTIONS} IN ROLE {node_v1.ROLE}', own_role);
    END IF;
    -- Whoever had the login before may have given it other settings.
    EXECUTE format('ALTER ROLE %I RESET ALL', own_role);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', own_role, current_database());
    {SET_BOUNDS}
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', own_role, verifier);
    -- Who had the login before would go on as this node.
    PERFORM {SCHEMA}.end_sessions(own_role);
    RETURN own_role;
END $$;

-- The role of a node that is forgotten, and its sessions, which would outlive it. One that owns something, in this
-- database or another one of the server, cannot be dropped: it stays without a login.
CREATE FUNCTION {SCHEMA}.drop_role(own_role text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF own_role ~ '^{node_v1.ROLE}_[a-z0-9_]+$' AND EXISTS (SELECT FROM pg_roles WHERE rolname = own_role) THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN', own_role);
        PERFORM {SCHEMA}.end_sessions(own_role);
        BEGIN
            EXECUTE format('DROP ROLE %I', own_role);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL;
        END;
    END IF;
END $$;

CREATE FUNCTION {SCHEMA}.end_long_transactions(seconds integer) RETURNS integer
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT count(pg_terminate_backend(activity.pid))::integer FROM pg_stat_activity AS activity
        LEFT JOIN pg_roles AS known ON known.oid = activity.usesysid
        WHERE ((activity.usename = '{ROLE}' OR activity.usename ~ '^{node_v1.ROLE}_')
                AND activity.xact_start < clock_timestamp() - make_interval(secs => seconds))
            -- Who logged in while the role was being dropped has a session without a name.
            OR (known.oid IS NULL AND activity.usesysid IS NOT NULL AND activity.datname = current_database())
            OR (activity.usename ~ '^{node_v1.ROLE}_' AND NOT known.rolcanlogin);
    END;
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608  # constants
CREATE = f"{ADMIT}{ENROL_NODE}{ENROLL}"

GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON FUNCTION {SCHEMA}.join TO {ROLE};
"""
DROP = f"DROP SCHEMA {SCHEMA} CASCADE; DROP FUNCTION control_admit_node, control_enrol_node;"
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
