"""
The roles of the control database, as SQL that an operator runs: who owns it and migrates, whom the web process is, and
whom nodes, the operator, the courier and the monitor log in as.

It can be run again at any time, and is after each migration. No password is in it: who runs it sets them, or uses peer
authentication.
"""

from __future__ import annotations

from typing import NamedTuple

from wagtail_multihost.control.fleet_roles import (
    FLEET_REFUSED,
    FLEET_RIGHTS,
    FLEET_ROLES,
    INCIDENTS_REFUSED,
    REFUSED_TO_WEB,
    WEB,
)
from wagtail_multihost.nodeapi import courier_v1, join_v1, monitor_v1, operator_v1, v1

OWNER, READER, COURIER = "multihost_owner", "multihost_reader", courier_v1.ROLE
OPERATOR, JOIN, MONITOR = operator_v1.ROLE, join_v1.ROLE, monitor_v1.ROLE


class Role(NamedTuple):
    """A role: how many connections it may have, and how its sessions are bounded unless they say otherwise."""

    name: str
    connections: int
    bounds: tuple[str, ...]


ROLES = (
    Role(OWNER, 5, ("lock_timeout = '30s'",)),
    Role(WEB, 60, ("statement_timeout = '60s'", "idle_in_transaction_session_timeout = '2min'")),
    Role(
        READER,
        200,
        (
            "statement_timeout = '30s'",
            "idle_in_transaction_session_timeout = '30s'",
            "default_transaction_read_only = on",
        ),
    ),
    Role(COURIER, 4, ("statement_timeout = '15s'", "idle_in_transaction_session_timeout = '15s'")),
    Role(OPERATOR, 4, ("statement_timeout = '60s'", "idle_in_transaction_session_timeout = '60s'")),
    # Two of it wait for each other's lease.
    Role(MONITOR, 4, ("statement_timeout = '30s'", "idle_in_transaction_session_timeout = '15s'")),
    Role(JOIN, 20, ("statement_timeout = '15s'", "idle_in_transaction_session_timeout = '15s'")),
)
#: Schemas of functions and views that other processes than the web's use.
SCHEMAS = ", ".join(f"'{part.SCHEMA}'" for part in (v1, courier_v1, operator_v1, join_v1, monitor_v1))
#: What the web process may not do with a table, although it writes others: the head and the platform are one row each,
#: sites are retired and never deleted, and what happened is not changed afterwards.
REFUSED = {
    "control_head": "INSERT, UPDATE, DELETE",
    "control_platform": "INSERT, DELETE",
    "control_site": "DELETE",
    "control_event": "UPDATE, DELETE",
    "control_record": "UPDATE, DELETE",
    "wagtailcore_modellogentry": "UPDATE, DELETE",
    "django_migrations": "INSERT, UPDATE, DELETE",
    **FLEET_REFUSED,
    **INCIDENTS_REFUSED,
}

CREATE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {name} LOGIN;
    END IF;
END $$;
ALTER ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {connections};
"""
#: Whoever ran the first migration: from here on the owner does. Everyone else could make large objects, without a right
#: to any table (https://www.postgresql.org/docs/current/lo-interfaces.html), until the disk is full.
TAKE_OVER = f"""
DO $$
DECLARE
    one record;
BEGIN
    EXECUTE format('ALTER DATABASE %I OWNER TO {OWNER}', current_database());
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {WEB}, {READER}, {COURIER}, {OPERATOR}, {JOIN}, {MONITOR}',
        current_database());
    FOR one IN
        SELECT nspname FROM pg_namespace WHERE nspname IN ({SCHEMAS})
    LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO {OWNER}', one.nspname);
    END LOOP;
    FOR one IN
        SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', {SCHEMAS}) AND c.relkind IN ('r', 'p', 'v')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO {OWNER}', one.kind, one.name);
    END LOOP;
    FOR one IN
        SELECT p.oid::regprocedure AS name
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ({SCHEMAS})
            OR (n.nspname = 'public' AND p.proname LIKE 'control\\_%')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO {OWNER}', one.name);
    END LOOP;
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
DO $$ BEGIN
    -- What fills the disk or the transaction log without a right to any table.
    EXECUTE format('ALTER DATABASE %I SET temp_file_limit = %L', current_database(), '4GB');
    EXECUTE (
        SELECT string_agg(format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure), ';')
        FROM pg_proc AS p WHERE p.proname = 'pg_logical_emit_message' AND p.pronamespace = 'pg_catalog'::regnamespace
    );
END $$;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
    pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO {OWNER};
"""  # noqa: S608
WEB_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {WEB};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {WEB};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {WEB};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {WEB};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {WEB};
"""
#: The web process counts the head up, with an event for each revision. Who could change the other columns could use the
#: revisions up, or make nodes take the registry for another one.
WEB_HEAD = f"""
DO $$ BEGIN
    IF to_regclass('public.control_head') IS NOT NULL THEN
        GRANT UPDATE (revision) ON public.control_head TO {WEB};
    END IF;
END $$;
"""
READER_RIGHTS = f"""
DO $$ BEGIN
    IF to_regnamespace('{v1.SCHEMA}') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA {v1.SCHEMA} TO {READER};
        GRANT SELECT ON ALL TABLES IN SCHEMA {v1.SCHEMA} TO {READER};
        ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {v1.SCHEMA} GRANT SELECT ON TABLES TO {READER};
    END IF;
    IF to_regnamespace('{courier_v1.SCHEMA}') IS NOT NULL THEN
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {courier_v1.SCHEMA} FROM PUBLIC;
        {courier_v1.GRANT}
    END IF;
END $$;
"""  # noqa: S608
HEAD = (
    "-- The roles of the control database. Run it in that database as a superuser, before the "
    "first migration and after each.\n"
)
PASSWORDS = (
    f"-- The roles have no password yet: log in with peer authentication, or set one in psql: \\password {WEB}\n"
)


def roles_sql() -> str:
    """Return the whole of it, in one transaction."""
    made = [CREATE_ROLE.format(name=role.name, connections=role.connections) for role in ROLES]
    bounds = [f"ALTER ROLE {role.name} SET {bound};\n" for role in ROLES for bound in (*role.bounds, join_v1.NO_JIT)]
    refused = [REFUSED_TO_WEB.format(table=table, rights=rights) for table, rights in REFUSED.items()]
    return "".join(
        [
            HEAD,
            "BEGIN;\n",
            *made,
            FLEET_ROLES,
            *bounds,
            TAKE_OVER,
            WEB_RIGHTS,
            *refused,
            WEB_HEAD,
            READER_RIGHTS,
            FLEET_RIGHTS.format(web=WEB, owner=OWNER),
            "COMMIT;\n",
            PASSWORDS,
        ]
    )
