"""What the monitor outside and nodes may see and say of hostnames, with the logins that they have in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from psycopg.types.json import Jsonb

from tests.control.fleet import OPERATOR, Fleet
from tests.control.monitors import MonitorLogin, let_pass, said
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditPlatform, EditSite
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.models import Monitor, ProbeCoverage, ProbeHour, ProbeLatest, ProbePeriod
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import COURIER, MONITOR, READER, WEB
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.nodeapi import monitor_v1, observations_v1
from wagtail_multihost.nodeapi.node_states import FRONT, PLACED
from wagtail_multihost.nodeapi.node_v1 import REPORT_CHANNEL
from wagtail_multihost.nodeapi.probe_states import BUCKETS, DOWN, OUTSIDE, UP

DENIED = "42501"
HOST = "aurora.example.com"
SECRET = "a-word-that-is-in-a-record"


@pytest.fixture(name="roles")
def _roles(live_fleet: Fleet, postgres: Postgres) -> Roles:
    live_fleet.add("aurora", HOST, "www.aurora.example.com", aliases=["old.example.com"], labels={"word": SECRET})
    roles = Roles(postgres)
    roles.make()
    return roles


@pytest.fixture(name="monitor")
def _monitor(roles: Roles) -> MonitorLogin:
    return MonitorLogin(roles)


def targets(monitor: MonitorLogin) -> list[dict]:
    with monitor.connect() as opened:
        row = opened.execute(monitor_v1.TARGETS).fetchone()
    assert row is not None
    assert row[3] == len(row[2])
    return sorted(row[2], key=lambda one: one["hostname"])


def test_monitor_sees_every_hostname_and_no_record(live_fleet: Fleet, monitor: MonitorLogin) -> None:
    site = live_fleet.site("aurora")
    common = {"site": "aurora", "uid": str(site.uid), "state": "active", "scheme": "https", "path": "/-/ready"}
    common |= {"pages": [], "key": "", "proves": False}
    assert targets(monitor) == [
        common | {"hostname": HOST, "canonical": ""},
        common | {"hostname": "old.example.com", "canonical": ""},
        common | {"hostname": "www.aurora.example.com", "canonical": HOST},
    ]
    live_fleet.apply(EditSite(site.uid, set_value(("state",), "maintenance")))
    live_fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})))
    assert {(one["state"], one["scheme"]) for one in targets(monitor)} == {("maintenance", "http")}
    live_fleet.apply(EditSite(site.uid, set_value(("enabled",), False)))
    assert targets(monitor) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.control_site",
        "SELECT * FROM public.control_platform",
        "SELECT * FROM public.control_probe_latest",
        "SELECT * FROM public.control_probe_period",
        "INSERT INTO public.control_probe_period (hostname) VALUES ('x')",
        "UPDATE public.control_monitor SET fence = 0",
        "SELECT public.control_note_observations('outside', NULL, '', 1, '[]', '[]')",
        "SELECT public.control_note_observations('web1', NULL, '', 1, '[]', '[]')",
        "SELECT public.control_begin_state('outside', 'x', gen_random_uuid(), 'up', '', 0::smallint, now())",
        "SELECT public.control_count_latencies('outside', now(), '[]')",
        "SELECT public.control_save_maintenance(gen_random_uuid(), NULL, now(), now(), 'x', 'x', true)",
        "SELECT public.control_end_maintenance(gen_random_uuid())",
        "SELECT public.control_record_event('site.changed', 'x', NULL, 'x', '{}')",
        "SELECT node_api_v1.report_probes(gen_random_uuid(), '', 1, '[]', '[]')",
        "SELECT * FROM node_api_v1.site",
        "SELECT * FROM node_api_v1.event",
        "SELECT operator_v1.prune_history()",
        "SELECT courier_v1.take('x', 1)",
        "UPDATE monitor_v1.head SET revision = 0",
        "DELETE FROM monitor_v1.head",
        "SELECT * FROM public.wagtailcore_apitoken",
        "CREATE TABLE monitor_v1.own (id int)",
        "CREATE TEMPORARY TABLE own (id int)",
        "SET ROLE multihost_web",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_from_bytea(0, 'x')",
    ],
)
def test_monitor_may_do_nothing_else(roles: Roles, statement: str) -> None:
    assert roles.refusal(MONITOR, statement) == DENIED


def test_monitor_is_told_no_secret_by_an_error_either(monitor: MonitorLogin) -> None:
    seen = []
    with monitor.connect() as opened:
        for leak in ("TRUE", "(v::text)::integer = 1", "1 / (length(v::text) - length(v::text)) = 1"):
            try:
                seen.append(str(opened.execute(f"SELECT * FROM monitor_v1.target AS v WHERE {leak}").fetchall()))
            except psycopg.Error as error:
                seen.append(str(error))
    assert HOST in seen[0]
    assert SECRET not in "".join(seen)


@pytest.mark.parametrize("role", [WEB, READER, COURIER, OPERATOR_ROLE])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT monitor_v1.take_lease(gen_random_uuid(), '')",
        "SELECT monitor_v1.report(gen_random_uuid(), 1, 1, '[]', '[]')",
        "SELECT public.control_note_observations('outside', NULL, '', 1, '[]', '[]')",
        "SELECT node_api_v1.report_probes(gen_random_uuid(), '', 1, '[]', '[]')",
    ],
)
def test_nobody_else_speaks_for_a_monitor(roles: Roles, role: str, statement: str) -> None:
    assert roles.refusal(role, "SET default_transaction_read_only = off", statement) == DENIED


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM control_probe_period",
        "UPDATE control_probe_period SET till = since",
        "INSERT INTO control_probe_coverage (place, during) VALUES ('outside', '[2020-01-01,2030-01-01)')",
        "UPDATE control_probe_latest SET state = 'up'",
        "DELETE FROM control_probe_hour",
        "UPDATE control_monitor SET seen_at = now()",
        "INSERT INTO control_maintenance (id, since, till, reason, actor) "
        "VALUES (gen_random_uuid(), now() - interval '9 days', now(), 'x', '')",
        "UPDATE control_maintenance SET since = now() - interval '9 days'",
        "DELETE FROM control_maintenance",
    ],
)
def test_web_process_changes_nothing_of_what_was_seen(roles: Roles, statement: str) -> None:
    assert roles.refusal(WEB, statement) == DENIED


def test_one_monitor_looks_at_a_time(monitor: MonitorLogin) -> None:
    """Another one waits for its lease; and who was thought dead can report no more, nor give up what is another's."""
    other = MonitorLogin(monitor.roles)
    first = monitor.take()
    assert first is not None
    assert (other.take(), monitor.take()) == (None, first)
    assert monitor.report(said(HOST, UP))
    let_pass(monitor_v1.LEASE_SECONDS - 5)
    assert other.take() is None, "it is held by reports"
    let_pass(monitor_v1.LEASE_SECONDS)
    assert not monitor.report(said(HOST, DOWN)), "it is late"
    assert other.take() == first + 1
    assert not monitor.report(said(HOST, DOWN))
    monitor.fence = other.fence
    assert not monitor.report(said(HOST, DOWN)), "not with the fence of another one either"
    assert not monitor.give_up()
    assert other.report(said(HOST, UP))
    assert ProbeLatest.objects.get().state == UP
    assert other.give_up()
    assert not other.report(said(HOST, DOWN))
    assert monitor.take() == first + 2


def test_monitor_that_is_none_yet_cannot_report(monitor: MonitorLogin) -> None:
    assert not monitor.report(said(HOST, DOWN))
    monitor.boot = None  # type: ignore[assignment]
    assert monitor.take() is None
    assert not Monitor.objects.exists()


def test_operator_is_woken_when_a_state_changes_and_else_not(live_fleet: Fleet, monitor: MonitorLogin) -> None:
    monitor.take()
    monitor.report(said(HOST, UP))
    with monitor.roles.connect(OPERATOR_ROLE) as opened:
        opened.execute(f"LISTEN {REPORT_CHANNEL}")
        monitor.report(said(HOST, UP))
        monitor.report()
        assert list(opened.notifies(timeout=0.5, stop_after=1)) == []
        monitor.report(said(HOST, DOWN))
        assert [bell.payload for bell in opened.notifies(timeout=5, stop_after=1)] == [OUTSIDE]


@pytest.fixture(name="nodes")
def _nodes(live_fleet: Fleet, roles: Roles) -> Iterator[tuple[NodeLogin, NodeLogin, NodeLogin]]:
    """Return a node that has borealis, a front server, and a node with the name of the place outside."""
    save_group(OPERATOR, "few", PLACED)
    save_group(OPERATOR, "edge", FRONT)
    save_node(OPERATOR, "evil", "few")
    save_node(OPERATOR, OUTSIDE, "few")
    save_node(OPERATOR, "front1", "edge")
    borealis = live_fleet.add("borealis")
    place_sites(OPERATOR, "evil", [borealis])
    with ExitStack() as stack:
        names = ("evil", "front1", OUTSIDE)
        first, second, third = (stack.enter_context(node_login(roles.server, node)) for node in names)
        yield first, second, third


def tell(node: NodeLogin, *observations: object, seconds: float = 60, latencies: object = ()) -> bool | None:
    with node.connect() as opened:
        values = (uuid4(), "0.3", seconds, Jsonb([*observations]), Jsonb([*latencies]))  # type: ignore[misc]
        row = opened.execute(observations_v1.REPORT, values).fetchone()
    return row[0] if row else None


def test_hostile_node_reports_of_its_own_sites_alone(nodes: tuple[NodeLogin, NodeLogin, NodeLogin]) -> None:
    evil, front, named_outside = nodes
    names = (HOST, "borealis.example.com", "www.aurora.example.com")
    counted = [{"hostname": name, "age": 0, "counts": [1] * BUCKETS} for name in names]
    for node in nodes:
        tell(node, *(said(name, DOWN) for name in names), seconds=10**9, latencies=counted)
    assert [(one.hostname, one.place) for one in ProbeLatest.objects.all()] == [("borealis.example.com", "evil")]
    assert [one.hostname for one in ProbePeriod.objects.all()] == ["borealis.example.com"]
    assert [one.hostname for one in ProbeHour.objects.all()] == ["borealis.example.com"]
    assert {one.place for one in ProbeCoverage.objects.all()} == {"evil"}
    assert {one.place for one in Monitor.objects.all()} == {"evil"}
    assert (tell(evil), tell(front), tell(named_outside)) == (True, None, None)


def test_hostile_node_cannot_change_its_own_past(nodes: tuple[NodeLogin, NodeLogin, NodeLogin]) -> None:
    """It was down for two hours, as it said itself, and says later that it never was."""
    evil = nodes[0]
    tell(evil, said("borealis.example.com", DOWN))
    let_pass(7200)
    tell(evil, seconds=7200)
    tell(evil, said("borealis.example.com", UP, 999_999_999), seconds=10**9)
    (period,) = ProbePeriod.objects.all()
    assert period.till is not None
    assert (period.till - period.since).total_seconds() >= 7200 - observations_v1.MOST_BEFORE
    assert ProbeCoverage.objects.count() == 1


def test_hostile_node_is_refused_what_the_monitor_may(nodes: tuple[NodeLogin, NodeLogin, NodeLogin]) -> None:
    evil = nodes[0]
    for statement in (
        "SELECT * FROM monitor_v1.target",
        "SELECT monitor_v1.take_lease(gen_random_uuid(), '')",
        "SELECT public.control_note_observations('outside', NULL, '', 1, '[]', '[]')",
        "SELECT * FROM public.control_probe_latest",
        "UPDATE public.control_probe_period SET till = now()",
    ):
        with evil.connect() as opened, pytest.raises(psycopg.errors.InsufficientPrivilege):
            opened.execute(statement)


def test_report_of_a_node_makes_neither_an_event_nor_a_lock_that_others_wait_for(
    live_fleet: Fleet, nodes: tuple[NodeLogin, NodeLogin, NodeLogin]
) -> None:
    """Somebody holds the head meanwhile, and another node's report is not done."""
    before = live_fleet.revision
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE control_head SET revision = revision")
        try:
            with nodes[0].connect() as opened:
                opened.execute("SET statement_timeout = '20s'")
                values = (uuid4(), "0.3", 60.0, Jsonb([said("borealis.example.com", DOWN)]), Jsonb([]))
                assert opened.execute(observations_v1.REPORT, values).fetchone() == (True,)
        finally:
            cursor.execute("ROLLBACK")
    assert live_fleet.revision == before
