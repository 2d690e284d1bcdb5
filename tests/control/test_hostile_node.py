"""
A node that was taken over: with its role it learns and says what is its own sites', and burdens others for a minute at
most.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.findings import find_findings
from wagtail_multihost.control.models import Event, Hold, Job, Node, NodeIdentity, Report, SealedSecret, Wave
from wagtail_multihost.control.node_status import node_rows
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.nodeapi import jobs_v1, node_v1, v1
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DRAINING, JOINING, PLACED, RUNNING

SECRET = "a-word-that-is-in-borealis-alone"
LATER = "2100-01-01T00:00Z"


@pytest.fixture(name="nodes")
def _nodes(live_fleet: Fleet, postgres: Postgres) -> Iterator[tuple[NodeLogin, NodeLogin]]:
    """Return a hostile node that has the site aurora, and an honest one that has all; borealis has a SECRET."""
    Roles(postgres).make()
    save_group(OPERATOR, "few", PLACED)
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "evil", "few")
    save_node(OPERATOR, "good", "every", address="10.9.8.7:80")
    aurora = live_fleet.add("aurora")
    borealis = live_fleet.add("borealis", labels={"word": SECRET})
    place_sites(OPERATOR, "evil", [aurora])
    with ExitStack() as stack:
        logins = [stack.enter_context(node_login(postgres, node)) for node in ("evil", "good")]
        sealed = {"field": "secret_key", "fingerprint": "", "sealed": SECRET.encode()}
        SealedSecret.objects.create(site=aurora, version=1, node_id="good", serial=1, **sealed)
        SealedSecret.objects.create(site=borealis, version=1, node_id="good", serial=2, **sealed)
        SealedSecret.objects.create(site=borealis, version=1, serial=3, **sealed)
        Hold.objects.create(site=borealis, reason=SECRET, actor="user:1", until=LATER)
        Hold.objects.create(node_id="good", reason=SECRET, actor="user:1", until=LATER)
        yield logins[0], logins[1]


VIEWS = (*node_v1.VIEW_NAMES, "front_platform", "front_site", "front_node")


def test_hostile_node_reads_nothing_of_other_sites_and_nodes(nodes: tuple[NodeLogin, NodeLogin]) -> None:
    """In no view, by no error's message of a function that leaks what it is given, and in no plan."""
    evil, good = nodes
    seen = []
    with evil.connect() as opened:
        for view in VIEWS:
            seen.append(str(opened.execute(f"SELECT * FROM {v1.SCHEMA}.{view} AS v").fetchall()))
            for leak in ("(v::text)::integer = 1", "1 / (length(v::text) - length(v::text)) = 1"):
                try:
                    opened.execute(f"SELECT 1 FROM {v1.SCHEMA}.{view} AS v WHERE {leak}").fetchall()
                except psycopg.Error as error:
                    seen.append(str(error))
            explained = f"EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM {v1.SCHEMA}.{view} AS v WHERE v::text LIKE '%{{}}%'"
            seen.append(str(opened.execute(explained.format("x")).fetchall()))
    said = "\n".join(seen)
    assert "aurora" in said
    for word in (SECRET, "borealis", "10.9.8.7"):
        assert word not in said
    assert SECRET in str(good.read())


def test_hostile_node_brings_back_neither_another_nor_itself(nodes: tuple[NodeLogin, NodeLogin]) -> None:
    """A person has drained it, and the other one left by itself."""
    evil, good = nodes
    save_node(OPERATOR, "good", state=ACTIVE)
    assert good.enter(DRAINING) and good.enter(AWAY)
    save_node(OPERATOR, "evil", state=DRAINING)
    for wanted in (JOINING, ACTIVE):
        assert not evil.enter(wanted)
    assert evil.enter(DRAINING) and evil.enter(AWAY), "it goes, as it was told to"
    for wanted in (JOINING, ACTIVE):
        assert not evil.enter(wanted)
    assert dict(Node.objects.values_list("pk", "state")) == {"evil": AWAY, "good": AWAY}
    assert good.enter(JOINING) and good.enter(ACTIVE)
    assert good.enter(DRAINING)
    save_node(OPERATOR, "good", state=AWAY)
    assert not good.enter(JOINING), "a person said meanwhile that it stays away"


def test_hostile_node_makes_few_events(live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin]) -> None:
    """Each wakes all nodes and stays in the database. Another node comes and goes meanwhile as before."""
    evil, good = nodes
    before = live_fleet.revision
    for _ in range(40):
        for wanted in (ACTIVE, DRAINING, AWAY, JOINING):
            evil.enter(wanted)
    assert live_fleet.revision - before <= node_v1.MOST_CHANGES
    assert good.enter(ACTIVE) and good.enter(DRAINING) and good.enter(AWAY)
    with transaction.atomic():
        lock_head()
        past = timezone.now() - timedelta(seconds=node_v1.CHANGES_SECONDS + 1)
        Event.objects.filter(actor="node:evil").update(at=past)
    assert any(evil.enter(wanted) for wanted in (ACTIVE, DRAINING, AWAY, JOINING)), "a while later"


REFUSED = (
    "SELECT record FROM public.control_site",
    "SELECT sealed FROM public.control_sealed_secret",
    "SELECT public_key FROM public.control_node_identity",
    "SELECT digest FROM public.control_group_token",
    "SELECT record FROM node_api_v1.site",
    "SELECT record FROM node_api_v1.platform",
    "SELECT metadata FROM node_api_v1.event",
    "UPDATE node_api_v1.self SET group = 'every'",
    "UPDATE node_api_v1.self SET holds = 'all'",
    "DELETE FROM node_api_v1.sealed",
    "SELECT id FROM node_api_v1.self FOR UPDATE",
    "BEGIN; LOCK TABLE node_api_v1.self IN EXCLUSIVE MODE",
    "SELECT * FROM operator_v1.secret",
    "SELECT operator_v1.forget_nodes()",
    "SELECT operator_v1.mint(gen_random_uuid(), 'every', '', 60, 1)",
    "SELECT operator_v1.confirm('evil', '')",
    "SELECT node_join_v1.join(gen_random_uuid(), '', 'evil', '', '', '', '', '')",
    "SELECT node_join_v1.drop_role('multihost_node_good')",
    "SELECT node_join_v1.end_long_transactions(0)",
    "SELECT public.control_admit_node(gen_random_uuid(), '', 'evil', '', '', '', '', '')",
    "SELECT public.control_enrol_node('evil', 'every', '', '', '')",
    "SELECT public.control_record_event('site.changed', 'aurora', NULL, 'user:1', '{}')",
    "SELECT courier_v1.take('evil', 20)",
    "SET ROLE multihost_node_good",
    "SET ROLE multihost_owner",
    "SET ROLE multihost_enroller",
    "SET ROLE multihost_reader",
    "SET SESSION AUTHORIZATION multihost_node_good",
    "ALTER ROLE multihost_node_good PASSWORD 'own'",
    "ALTER ROLE multihost_node_good RENAME TO multihost_node_other",
    "ALTER ROLE multihost_node_evil CONNECTION LIMIT 100",
    "DROP ROLE multihost_node_good",
    "GRANT multihost_node TO multihost_web",
    "GRANT multihost_node_good TO multihost_node_evil",
    "SET ROLE multihost_node; GRANT multihost_reader TO multihost_node_evil",
    "SET ROLE multihost_node; CREATE TABLE node_api_v1.self (id text)",
    "CREATE TABLE public.control_node_identity (node_id text, role text)",
    "CREATE TEMPORARY TABLE self (id text)",
    "CREATE SCHEMA own",
    "CREATE FUNCTION node_api_v1.leak(text) RETURNS boolean LANGUAGE sql COST 0.001 AS 'SELECT true'",
    "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE sql COST 0.001 AS 'SELECT true'",
    "CREATE OPERATOR node_api_v1.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)",
    "CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))",
    "SET temp_file_limit = -1",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'multihost_node_good'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SET session_replication_role = replica",
    "SECURITY LABEL ON ROLE multihost_node_evil IS 'x'",
)
#: Where it is not a right, but nothing of the kind can be named or written at all.
IMPOSSIBLE = ("42601", "22023", "55000")


def test_hostile_node_is_refused_everything_else(nodes: tuple[NodeLogin, NodeLogin]) -> None:
    evil, good = nodes
    found = {}
    with good.connect():
        for statement in REFUSED:
            with evil.connect() as opened:
                try:
                    for part in statement.split("; "):
                        opened.execute(part)
                except psycopg.Error as error:
                    found[statement] = error.sqlstate
    others = {statement for statement in REFUSED if found.get(statement) not in ("42501", *IMPOSSIBLE)}
    assert not others, {statement: found.get(statement) for statement in others}


def test_hostile_node_speaks_for_itself_alone(live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin]) -> None:
    """It reports no later revision than there is, nothing of others' sites, and nothing that stops a wave of others."""
    evil, good = nodes
    good.report(2)
    evil.report(10**15, aurora="It waits.", borealis="It is broken.")
    report = Report.objects.get(pk="evil")
    assert report.applied == live_fleet.revision
    assert report.sites == {"aurora": "It waits."}
    assert Report.objects.get(pk="good").applied == 2
    with evil.connect() as opened:
        for told in (
            ({}, {}, []),
            (3, {}, []),
            (None, {}, []),
            ([], [], []),
            (["x" * 10**6], {}, []),
            ([], {"a": "x" * 10**6}, []),
            ([], {}, ["x" * 10**6]),
        ):
            row = opened.execute(node_v1.REPORT, (uuid4(), 1, "0", *map(Jsonb, told))).fetchone()
            assert row == (None,), told
        for starting in (None, 7, "aurora", {"aurora": 1}, ["aurora", None, [7]]):
            values = ([3, "x", [], None], {}, starting)
            assert opened.execute(node_v1.REPORT, (uuid4(), 1, "0" * 10**6, *map(Jsonb, values))).fetchone() != (None,)
    with good.server.connect(good.database) as asked:
        asked.execute(WAVE)
        # The stage is settled first, and then the next one begins.
        for _ in range(2):
            asked.execute("SELECT operator_v1.advance_waves()")
    assert Wave.objects.get().stage > 0
    assert Wave.objects.get().state == RUNNING


WAVE = f"""
BEGIN;
UPDATE control_head SET revision = revision;
UPDATE control_node SET state = '{ACTIVE}';
INSERT INTO control_wave
    (id, revision, stage, stage_revision, stage_at, admitted, baseline, bake_seconds, state, reason)
VALUES (gen_random_uuid(), 1, 0, 1, now() - interval '1 hour', '{{"evil": 1}}', '{{}}', 0, '{RUNNING}', '');
COMMIT
"""


#: A number and a nesting that Python's reader of JSON refuses, although PostgreSQL takes them, and other forms.
DIGITS, DEPTH = "9" * 5000, 1500
NESTED = "[" * DEPTH + "]" * DEPTH
UNREADABLE = (
    (f'[{{"type": "Applied", "status": "True", "revision": {DIGITS}}}]', f'{{"aurora": {DIGITS}}}'),
    (f'[{{"type": "Applied", "message": {NESTED}}}]', f'{{"aurora": {NESTED}}}'),
    (f'[{{"type": "Applied", "revision": -1}}, {NESTED}]', '{"aurora": null}'),
    ('[{"type": "Applied", "revision": 1.5e300, "since": 3}]', '{"aurora": {"x": [1]}}'),
    ('[{"type": "Applied", "revision": {}, "other": 1}]', "{}"),
)


@pytest.mark.parametrize(("conditions", "sites"), UNREADABLE)
def test_report_of_a_hostile_node_is_readable(nodes: tuple[NodeLogin, NodeLogin], conditions: str, sites: str) -> None:
    """Whoever lists nodes, or what is wrong, reads the reports of all of them."""
    evil, _ = nodes
    with evil.connect() as opened:
        opened.execute("SELECT node_api_v1.report(gen_random_uuid(), 1, '', %s, %s, NULL)", (conditions, sites))
    report = Report.objects.get(pk="evil")
    for row in report.conditions:
        assert row.keys() == {"type", "status", "reason", "message", "since", "revision"}
        assert {type(row.pop("revision")), *map(type, row.values())} == {int, str}
    assert all(isinstance(why, str) for why in report.sites.values())
    assert [row.id for row in node_rows()] == ["evil", "good"]
    assert find_findings(OPERATOR)
    call_command("multihost_nodes", json=True)


def test_hostile_node_has_no_job_of_others(live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin]) -> None:
    evil, good = nodes
    own, other = live_fleet.site("aurora"), live_fleet.site("borealis")
    values = {"kind": "reload-site", "runner": "node", "actor": "user:1", "deadline": LATER}
    Job.objects.create(node_id="good", site=own, **values)
    Job.objects.create(node_id="evil", site=other, **values)
    mine = Job.objects.create(node_id="evil", site=own, **values)
    take, report = jobs_v1.take_statement(v1.SCHEMA), jobs_v1.report_statement(v1.SCHEMA)
    with good.connect() as opened:
        row = opened.execute(take, ("good",)).fetchone()
    assert row is not None
    with evil.connect() as opened:
        taken = opened.execute(take, ("evil",)).fetchall()
        assert [found[0] for found in taken] == [mine.id]
        assert opened.execute(take, ("evil",)).fetchall() == []
        assert opened.execute(report, (row[0], row[1], "ended", "", "", "")).fetchone() == (None,)


def test_bells_say_nothing_of_sites(live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin]) -> None:
    """Every login can listen to every channel."""
    evil, _ = nodes
    with evil.connect() as opened:
        for channel in (v1.CHANNEL, node_v1.REPORT_CHANNEL):
            opened.execute(f"LISTEN {channel}")
        corona = live_fleet.add("corona")
        place_sites(OPERATOR, "evil", [corona])
        heard = [notice.payload for notice in opened.notifies(timeout=5, stop_after=2)]
    assert len(heard) == 2
    for payload in heard:
        assert "corona" not in payload and str(corona.uid) not in payload and OPERATOR.actor not in payload


def test_statements_of_others_are_hidden(nodes: tuple[NodeLogin, NodeLogin]) -> None:
    evil, good = nodes
    with good.connect() as busy, evil.connect() as opened:
        busy.execute(f"SELECT '{SECRET}'")
        found = opened.execute("SELECT * FROM pg_stat_activity").fetchall()
        stats = opened.execute("SELECT * FROM pg_stats WHERE schemaname !~ '^(pg_|information_)'").fetchall()
    assert SECRET not in str(found)
    assert stats == []


def test_open_transaction_of_a_node_is_ended(
    live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin], postgres: Postgres, tmp_path: Path
) -> None:
    """It would hold the head, which every change of the registry waits for; of others nothing is ended."""
    evil, good = nodes
    operator = OperatorHere(Roles(postgres), tmp_path)
    with evil.connect() as opened, good.connect() as other, good.server.connect(good.database) as people:
        opened.execute("SET idle_in_transaction_session_timeout = 0")
        opened.execute("BEGIN")
        opened.execute(node_v1.ENTER_STATE, ("draining",))
        people.execute("BEGIN; SELECT 1")
        time.sleep(1.1)
        with operator.roles.server.connect(operator.roles.database) as asked:
            assert asked.execute("SELECT node_join_v1.end_long_transactions(1)").fetchone() == (1,)
        people.execute("COMMIT")
        assert other.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            opened.execute("COMMIT")
    operator.work()  # as its role
    operator.close()
    assert Node.objects.get(pk="evil").state == "joining"


def test_own_lock_of_a_node_keeps_nobody_from_sealing(
    nodes: tuple[NodeLogin, NodeLogin], postgres: Postgres, tmp_path: Path
) -> None:
    """Advisory locks are anybody's; the operator waits for none."""
    evil, _ = nodes
    operator = OperatorHere(Roles(postgres), tmp_path)
    NodeIdentity.objects.filter(pk="evil").update(token=None)
    with evil.connect() as opened:
        opened.execute("SELECT pg_advisory_lock(key) FROM generate_series(1, 1000) AS key")
        opened.execute("BEGIN; LOCK TABLE node_api_v1.sealed IN ACCESS SHARE MODE")
        SealedSecret.objects.all().delete()
        operator.work()
    operator.close()
    assert SealedSecret.objects.filter(node=None, field="secret_key").count() == 2
