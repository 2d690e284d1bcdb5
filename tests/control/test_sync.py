"""Which nodes have a change, as the API says it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from tests.control.clients import client_of, operator_client, token_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.live import received, running_control
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.control.waves import WaveFleet
from tests.servers.postgres import Postgres
from wagtail_multihost.control.api import sync
from wagtail_multihost.control.api.schemas import SyncOut
from wagtail_multihost.control.api.waiting import WaitingRoom, waiting_room
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.node_status import node_rows, site_status, sync_status
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.waves import finish_wave
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DRAINING, JOINING

NEW = {"uwsgi": {"processes": 7}}


def test_synced_is_what_all_active_nodes_have_applied(waves: WaveFleet) -> None:
    waves.add_sites(1)
    assert not sync_status().synced
    waves.report_all()
    status = sync_status()
    assert (status.synced, status.revision, status.head) == (True, waves.fleet.revision, waves.fleet.revision)
    revision = waves.fleet.revision
    waves.fleet.add("aurora")
    assert sync_status(revision).synced
    assert not sync_status().synced
    for node in ("web1", "web2"):
        waves.report(node)
    late = [one for one in sync_status().nodes if not one.has_it]
    assert [(one.node.id, one.why) for one in late] == [("web3", f"It has applied {revision}.")]


def test_silent_node_has_nothing_and_one_that_is_not_active_is_not_asked(waves: WaveFleet) -> None:
    waves.report_all()
    waves.silence("web1")
    status = sync_status()
    assert not status.synced
    assert status.nodes[0].node.is_silent
    assert "90 seconds" in status.nodes[0].why
    for state in (DRAINING, JOINING):
        save_node(OPERATOR, "web1", "web", state=state)
        waves.report("web2")
        waves.report("web3")
        assert sync_status().synced
    for node in ("web2", "web3"):
        save_node(OPERATOR, node, "web", state=AWAY)
    assert not sync_status().synced, "there is no node that could have it"
    assert [one.node.id for one in sync_status().nodes] == ["web1"]


def test_node_that_a_wave_has_not_reached_does_not_have_its_change(waves: WaveFleet) -> None:
    """However high the revision is that it has applied; nor right after its turn has come."""
    sites = waves.add_sites(4)
    before = waves.fleet.revision
    revision = waves.change(*sites[:3], **NEW).revision
    waves.report_all()
    status = sync_status(revision)
    held = [one for one in status.nodes if one.node.held_back == waves.wave.pk]
    assert not status.synced
    assert [one.node.id for one in held] == [one.node.id for one in status.nodes if not one.has_it]
    assert len(held) == 2
    assert sync_status(before).synced
    assert site_status(waves.fleet.site("site3")).synced
    assert not site_status(waves.fleet.site("site0")).synced
    finish_wave(OPERATOR)
    late = [one for one in sync_status(revision).nodes if not one.has_it]
    assert [one.node.id for one in late] == [one.node.id for one in held]
    assert all("It has applied" in one.why for one in late)
    assert not site_status(waves.fleet.site("site0")).synced
    assert site_status(waves.fleet.site("site3")).synced
    waves.report_all()
    assert sync_status(revision).synced
    assert site_status(waves.fleet.site("site0")).synced


def test_change_that_supersedes_a_wave_is_not_held_back(waves: WaveFleet) -> None:
    sites = waves.add_sites(3)
    waves.change(*sites, **NEW)
    waves.change(sites[0], uwsgi={"processes": 5})
    waves.report_all()
    assert site_status(waves.fleet.site("site0")).synced
    assert not site_status(waves.fleet.site("site1")).synced


def test_site_is_on_the_nodes_that_have_it(waves: WaveFleet) -> None:
    sites = waves.add_sites(2)
    for node in ("web1", "web2"):
        save_node(OPERATOR, node, "few")
    assert [one.node.id for one in site_status(sites[0]).nodes] == ["web3"]
    waves.place("web1", sites[0])
    waves.report("web1")
    waves.report("web3", site0="Its codebase is not listed, and it is like that of site1.")
    status = site_status(waves.fleet.site("site0"))
    assert [one.node.id for one in status.nodes] == ["web1", "web3"]
    assert [one.has_it for one in status.nodes] == [True, False]
    assert status.nodes[1].refused.startswith("Its codebase")
    assert (node_rows()[0].sites, node_rows()[2].sites) == (1, None)


def test_people_of_a_site_are_told_nothing_of_others(waves: WaveFleet) -> None:
    """A node's own words may name other sites, and paths; and a hostile one may write anything."""
    waves.add_sites(2)
    waves.report("web1", fails=True, site0="Its socket is that of site1.", site1="No.")
    person = client_of(waves.fleet.user("ada", site0="view"), "read")
    reply = person.get("/sites/site0/status")
    [first, *_] = reply.body["nodes"]
    assert (first["id"], first["has_it"], first["refused"], first["conditions"]) == ("web1", False, "", [])
    assert "does not accept" in first["why"]
    assert first["seen_at"] is not None
    assert "site1" not in str(reply.body)
    assert person.get("/sites/site1/status").status == 404
    assert person.get("/sync").status == 404
    operator = operator_client(waves.fleet)
    assert operator.get("/sites/site0/status").body["nodes"][0]["refused"] == "Its socket is that of site1."
    assert operator.get("/sites/site0/status").body["nodes"][0]["conditions"][0]["type"] == "Applied"


def test_status_costs_the_same_for_many_nodes(waves: WaveFleet) -> None:
    sites = waves.add_sites(3)
    waves.change(*sites, **NEW)
    counts = []
    for _ in range(2):
        for read in (node_rows, sync_status, lambda: site_status(sites[0])):
            with CaptureQueriesContext(connection) as queries:
                read()
            counts.append(len(queries))
        for number in range(5):
            waves.add_node(f"more{len(counts)}{number}")
    assert counts[:3] == counts[3:]
    assert max(counts) <= 8


def test_news_that_comes_while_the_answer_is_read_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process listens already, for somebody else, and so hears of it before this request waits."""
    found = [False, True]

    async def read_then_hear(request: object, read: Callable[[], Any]) -> SyncOut:
        answer = SyncOut(revision=1, head=1, at="2026-12-01T08:00:00Z", synced=found.pop(0), nodes=[])
        waiting_room().announce(2, None)
        return answer

    async def nothing(*_: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(sync, "run_for", read_then_hear)
    monkeypatch.setattr(sync, "release_request_thread", nothing)
    monkeypatch.setattr(WaitingRoom, "watch", nothing)
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, None)
    request.auth = OPERATOR
    answer = asyncio.run(sync.answer_once_synced(request, HttpResponse(), 2, lambda authority: pytest.fail("unread")))
    assert answer.synced


@pytest.fixture(name="login")
def _login(live_fleet: Fleet, postgres: Postgres) -> Iterator[NodeLogin]:
    Roles(postgres).make()
    save_group(OPERATOR, "web", ALL)
    save_node(OPERATOR, "web1", "web", state=ACTIVE)
    with node_login(postgres, "web1") as login:
        yield login


@pytest.mark.projects
def test_report_ends_the_wait(live_fleet: Fleet, login: NodeLogin, tmp_path: Path, django_db_setup: None) -> None:
    """As soon as the node says that it has applied the change; and a change that nobody applied ends it in time."""
    site = live_fleet.add("aurora")
    operator = token_of(live_fleet.user("olga", operator=True))
    person = token_of(live_fleet.user("ada", aurora="view"), "read")
    with running_control(tmp_path) as server, ExitStack() as stack:
        connections = [stack.enter_context(server.connected(40)) for _ in range(2)]
        server.send(connections[0], "GET", f"/sync?revision={live_fleet.revision}&wait=20", operator)
        server.send(connections[1], "GET", "/sites/aurora/status?wait=20", person)
        time.sleep(2)
        start = time.monotonic()
        login.report(live_fleet.revision)
        replies = [received(one) for one in connections]
        assert time.monotonic() - start < 4
        assert [reply.body["synced"] for reply in replies] == [True, True]
        live_fleet.apply(EditSite(site.uid, set_value(("admins",), ["a@example.com"])))
        start = time.monotonic()
        reply = server.ask("GET", "/sync?wait=1", operator)
        assert 0.9 < time.monotonic() - start < 5
        assert (reply.body["synced"], reply.body["nodes"][0]["applied"]) == (False, live_fleet.revision - 1)
