"""What a node reads and may say, as its own role, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import psycopg
import pytest

from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, Node, Report
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DRAINING, PLACED


@pytest.fixture(name="logins")
def _logins(live_fleet: Fleet, postgres: Postgres) -> Iterator[tuple[NodeLogin, NodeLogin]]:
    """Return a node with placed sites, and one with all."""
    Roles(postgres).make()
    save_group(OPERATOR, "few", PLACED)
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "few", address="10.0.0.1:8080")
    save_node(OPERATOR, "web2", "every")
    with ExitStack() as stack:
        yield stack.enter_context(node_login(postgres, "web1")), stack.enter_context(node_login(postgres, "web2"))


def test_node_reads_what_is_placed_on_it_alone(live_fleet: Fleet, logins: tuple[NodeLogin, NodeLogin]) -> None:
    placed, every = logins
    aurora, _ = live_fleet.add("aurora"), live_fleet.add("borealis")
    place_sites(OPERATOR, "web1", [aurora])
    read = placed.read()
    assert list(read["sites"]) == ["aurora"]
    assert read["sites"]["aurora"]["record"] == aurora.record
    assert (read["count"], read["revision"]) == (1, live_fleet.revision)
    assert read["self"]["id"] == "web1"
    assert sorted(every.read()["sites"]) == ["aurora", "borealis"]


def test_node_reads_what_has_changed_alone(live_fleet: Fleet, logins: tuple[NodeLogin, NodeLogin]) -> None:
    _, every = logins
    aurora = live_fleet.add("aurora")
    live_fleet.add("borealis")
    revision = live_fleet.revision
    live_fleet.apply(EditSite(aurora.uid, set_value(("admins",), ["a@example.com"])))
    read = every.read(revision)
    assert (list(read["sites"]), read["count"], read["platform"]) == (["aurora"], 2, None)
    assert sorted(every.read(live_fleet.revision, also=["borealis"])["sites"]) == ["borealis"]


def test_what_is_gone_stays_listed(live_fleet: Fleet, logins: tuple[NodeLogin, NodeLogin]) -> None:
    placed, every = logins
    aurora, borealis = live_fleet.add("aurora"), live_fleet.add("borealis")
    place_sites(OPERATOR, "web1", [aurora, borealis])
    revision = live_fleet.revision
    displace_sites(OPERATOR, "web1", [aurora])
    live_fleet.apply(RetireSite(borealis.uid))
    read = placed.read(revision)
    assert (read["sites"], read["count"]) == ({}, 0)
    assert sorted(one["id"] for one in read["gone"]) == ["aurora", "borealis"]
    assert [one["id"] for one in every.read(revision)["gone"]] == ["borealis"]


def test_report_is_of_the_node_that_speaks(logins: tuple[NodeLogin, NodeLogin]) -> None:
    placed, every = logins
    assert not placed.report(3)
    assert not every.report(4, aurora="It waits for its keys.")
    assert list(Report.objects.order_by("pk").values_list("pk", "applied")) == [("web1", 3), ("web2", 4)]


def test_second_node_under_an_id_is_noticed(logins: tuple[NodeLogin, NodeLogin]) -> None:
    """A restart has another boot too, but the one before does not speak again."""
    placed, _ = logins
    first, second = uuid4(), uuid4()
    assert not placed.report(1, first)
    assert not placed.report(1, second)
    assert not placed.report(1, second)
    assert placed.report(1, first)


def test_node_enters_its_states_in_order(logins: tuple[NodeLogin, NodeLogin]) -> None:
    placed, _ = logins
    assert not placed.enter(AWAY)
    assert placed.enter(ACTIVE)
    assert placed.enter(ACTIVE)
    assert placed.enter(DRAINING)
    assert not placed.enter(ACTIVE)
    assert placed.enter(AWAY)
    assert Node.objects.get(pk="web1").state == AWAY
    types = Event.objects.filter(actor="node:web1").order_by("revision").values_list("type", flat=True)
    assert list(types) == ["node.joined", "node.draining", "node.left"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT record FROM node_api_v1.site",
        "SELECT metadata FROM node_api_v1.event",
        "SELECT record FROM public.control_site",
        "SELECT public.control_record_event('site.changed', 'aurora', NULL, 'user:1', '{}')",
        "UPDATE public.control_node SET state = 'active'",
    ],
)
def test_node_has_no_other_rights(logins: tuple[NodeLogin, NodeLogin], statement: str) -> None:
    placed, _ = logins
    with placed.connect() as opened, pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.execute(statement)
