"""
The roles of nodes and of those who let them join, as SQL that an operator runs with that of the other roles: one
without a login whose members are the nodes' own, and one, also without a login, that may make these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wagtail_multihost.control import maintenance_sql
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi import (
    front_v1,
    healing_v1,
    inventory_v1,
    join_v1,
    monitor_v1,
    node_v1,
    observations_v1,
    operator_v1,
    placements_v1,
    usage_v1,
    v1,
    wave_ticks_v1,
)
from wagtail_multihost.sealing import parse_public_key
from wagtail_multihost.spec.identifiers import NODE_LENGTH, parse_slug, shown
from wagtail_multihost.spec.platform import NODE_ADDRESS

WEB = "multihost_web"
ENROLLER = join_v1.ENROLLER
#: Tables and roles that there are not yet are left out.
REFUSED_TO_WEB = f"""
DO $$ BEGIN
    IF to_regclass('public.{{table}}') IS NOT NULL AND to_regrole('{WEB}') IS NOT NULL THEN
        REVOKE {{rights}}, TRUNCATE, TRIGGER, REFERENCES ON public.{{table}} FROM {WEB};
    END IF;
END $$;
"""
#: Who a node is, what it says, what is sealed, how the courier signs, and what monitors have seen: a web process that
#: was taken over could let one of its own join, or make outages unseen.
FLEET_REFUSED = {
    "control_group_token": "SELECT, INSERT, UPDATE, DELETE",
    "control_node_identity": "INSERT, UPDATE, DELETE",
    "control_report": "INSERT, UPDATE, DELETE",
    "control_sealed_secret": "SELECT, INSERT, UPDATE, DELETE",
    "control_courier_key": "INSERT, UPDATE, DELETE",
    "control_monitor": "INSERT, UPDATE, DELETE",
    "control_probe_latest": "INSERT, UPDATE, DELETE",
    "control_probe_period": "INSERT, UPDATE, DELETE",
    "control_probe_coverage": "INSERT, UPDATE, DELETE",
    "control_probe_hour": "INSERT, UPDATE, DELETE",
    "control_maintenance": "INSERT, UPDATE, DELETE",
    "control_heal_step": "INSERT, UPDATE, DELETE",
    "control_heal_budget": "INSERT, UPDATE, DELETE",
    "control_inventory": "INSERT, UPDATE, DELETE",
    "control_usage": "INSERT, UPDATE, DELETE",
    "control_site_size": "INSERT, UPDATE, DELETE",
}
#: What was seen, who is told of it and what became of that: a web process that was taken over says neither. It may say
#: who is to be told, and when nobody is.
INCIDENTS_REFUSED = {
    "control_incident": "INSERT, UPDATE, DELETE",
    "control_incident_hostname": "INSERT, UPDATE, DELETE",
    "control_incident_line": "INSERT, UPDATE, DELETE",
    "control_alert": "INSERT, UPDATE",  # what waits goes with its recipient
    "control_heartbeat": "INSERT, UPDATE, DELETE",
}


def refuse_to_web(refused: Mapping[str, str]) -> str:
    """Return SQL for a migration that makes tables: the web process has rights on them until roles are made again."""
    return "".join(REFUSED_TO_WEB.format(table=table, rights=rights) for table, rights in refused.items())


REFUSE_WEB = refuse_to_web(FLEET_REFUSED)
#: CREATEROLE is a right over every role that is no superuser's until PostgreSQL 16, so nobody is this one: it owns
#: functions that make and drop roles of nodes, and end their sessions.
FLEET_ROLES = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{node_v1.ROLE}') THEN
        CREATE ROLE {node_v1.ROLE} NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ENROLLER}') THEN
        CREATE ROLE {ENROLLER} NOLOGIN;
    END IF;
END $$;
ALTER ROLE {node_v1.ROLE} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE {ENROLLER} NOLOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT {node_v1.ROLE} TO {ENROLLER} WITH ADMIN OPTION;
-- It ends sessions of nodes, and sees how long their transactions last.
GRANT pg_signal_backend, pg_read_all_stats TO {ENROLLER};
"""  # noqa: S608  # constants
#: What a version does not have yet is left out. ``web`` and ``owner`` are filled in.
FLEET_RIGHTS = f"""
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {node_v1.ROLE}', current_database());
    IF to_regnamespace('{join_v1.SCHEMA}') IS NOT NULL THEN
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {v1.SCHEMA} FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION public.control_record_event TO {{web}};
        {placements_v1.GRANT.format(web="{web}")}
        {wave_ticks_v1.GRANT_WEB}
        {node_v1.GRANT}
        {front_v1.GRANT}
        {healing_v1.GRANT}
        GRANT USAGE ON SCHEMA public TO {ENROLLER};
        GRANT EXECUTE ON FUNCTION public.control_admit_node TO {ENROLLER};
        -- Who owns a function needs the right to make things in its schema.
        GRANT USAGE, CREATE ON SCHEMA {join_v1.SCHEMA} TO {ENROLLER};
        ALTER FUNCTION {join_v1.SCHEMA}.join OWNER TO {ENROLLER};
        ALTER FUNCTION {join_v1.SCHEMA}.drop_role OWNER TO {ENROLLER};
        ALTER FUNCTION {join_v1.SCHEMA}.end_long_transactions OWNER TO {ENROLLER};
        ALTER FUNCTION {join_v1.SCHEMA}.end_sessions OWNER TO {ENROLLER};
        GRANT USAGE ON SCHEMA {join_v1.SCHEMA} TO {{owner}};
        GRANT EXECUTE ON FUNCTION {join_v1.SCHEMA}.drop_role, {join_v1.SCHEMA}.end_long_transactions TO {{owner}};
        {join_v1.GRANT}
        {operator_v1.GRANT}
    END IF;
    IF to_regnamespace('{monitor_v1.SCHEMA}') IS NOT NULL THEN
        {maintenance_sql.GRANT.format(web="{web}")}
        {observations_v1.GRANT}
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {monitor_v1.SCHEMA} FROM PUBLIC;
        {monitor_v1.GRANT}
    END IF;
END $$;
{inventory_v1.GRANT}{usage_v1.GRANT}"""


#: Who a node that stays is. Values are quoted where they are filled in.
ENROL = f"""-- The node {{node}}, which stays: run it in the control database as a superuser.
BEGIN;
SELECT public.control_enrol_node('{{node}}', '{{group}}', '{{address}}', '{{zone}}', decode('{{key}}', 'base64'));
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{role}}') THEN
        CREATE ROLE {{role}} LOGIN CONNECTION LIMIT {join_v1.CONNECTIONS} IN ROLE {node_v1.ROLE};
    END IF;
END $$;
{{bounds}}COMMIT;
-- It has no password yet: log in with peer authentication or a certificate, or set one in psql: \\password {{role}}
-- Compare what multihost-agent --fingerprint says on the node, then: multihost-operator confirm {{node}} FINGERPRINT
"""  # noqa: S608  # constants


class NodeToEnrol(NamedTuple):
    """A node that stays, and its public ``key`` in base64, as ``multihost-agent --fingerprint`` prints it."""

    id: str
    group: str
    key: str
    address: str = ""
    zone: str = ""


def enrol_sql(node: NodeToEnrol) -> str:
    """Return the SQL that makes a node with a role of its own; raises ConfigurationError with all problems."""
    problems = [Problem(where, message) for where, message in node_problems(node)]
    if problems:
        raise ConfigurationError(problems)
    role = f"{node_v1.ROLE}_{node.id.replace('-', '_')}"
    return ENROL.format(
        node=node.id,
        group=node.group,
        address=node.address,
        zone=node.zone,
        key=node.key,
        role=role,
        bounds="".join(f"ALTER ROLE {role} SET {bound};\n" for bound in join_v1.BOUNDS),
    )


def node_problems(node: NodeToEnrol) -> Iterator[tuple[str, str]]:
    for where, value in (("--node", node.id), ("--group", node.group)):
        try:
            parse_slug(value, what=f"The {where.removeprefix('--')}", length=NODE_LENGTH)
        except ValueError as error:
            yield where, str(error)
    if node.address and not re.fullmatch(NODE_ADDRESS, node.address):
        yield "--address", f"The address {shown(node.address)} is not accepted: write 10.0.0.5:8080."
    if not re.fullmatch(join_v1.ZONE, node.zone) or len(node.zone) > NODE_LENGTH:
        yield "--zone", f"The zone {shown(node.zone)} is not accepted: write a word such as eu-1."
    try:
        parse_public_key(node.key)
    except ValueError as error:
        yield "--key", str(error)
