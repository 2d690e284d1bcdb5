"""The agent as a process, with a registry in a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from tests.control.agents import AgentProcess, agent_of
from tests.control.fleet import OPERATOR, Fleet
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, Node, Placement
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    APPLIED,
    AWAY,
    FALSE,
    PLACED,
    SITE_REFUSED,
    STARTING,
    TRUE,
    UNLISTED,
)


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    with agent_of(postgres, tmp_path) as agent:
        yield agent


def test_agent_applies_what_the_registry_says(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    live_fleet.add("borealis")
    agent.give_key("aurora", "borealis")
    done = agent.once()
    assert done.returncode == 0, done.stderr
    assert agent.vassals == agent.published == ["aurora", "borealis"]
    assert agent.report is not None
    assert agent.report.applied == live_fleet.revision - 1 or agent.report.applied == live_fleet.revision
    assert agent.condition(APPLIED)["status"] == TRUE
    assert Node.objects.get(pk="web1").state == ACTIVE


def test_change_is_applied_while_the_agent_runs(live_fleet: Fleet, agent: AgentProcess) -> None:
    aurora = live_fleet.add("aurora")
    agent.give_key("aurora", "borealis")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        live_fleet.add("borealis")
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == ["aurora", "borealis"]
        live_fleet.apply(EditSite(aurora.uid, set_value(("enabled",), False)))
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == agent.published == ["borealis"]
        live_fleet.apply(RetireSite(live_fleet.site("borealis").uid))
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == agent.published == []


def test_site_without_a_key_waits_and_hurts_no_other(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    live_fleet.add("borealis")
    agent.give_key("borealis")
    done = agent.once()
    assert done.returncode == 0, done.stderr
    assert agent.vassals == agent.published == ["borealis"]
    assert agent.report is not None
    assert agent.report.sites["aurora"].startswith("It has no secret key yet")


def test_record_that_nests_too_deeply_hurts_that_site_alone(live_fleet: Fleet, agent: AgentProcess) -> None:
    """Whoever can write rows could else end the agents of all nodes that have the site, again and again."""
    live_fleet.add("aurora")
    agent.give_key("aurora", "borealis")
    assert agent.once().returncode == 0
    live_fleet.add("borealis")
    deep = '{"a": ' * 900 + "0" + "}" * 900
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE control_head SET revision = revision + 1")
        cursor.execute(
            "UPDATE control_site SET record = record || jsonb_build_object('labels', %s::jsonb),"
            " generation = generation + 1, revision = (SELECT revision FROM control_head) WHERE id = 'aurora'",
            [deep],
        )
        cursor.execute(
            "INSERT INTO control_event (revision, type, at, site, uid, generation, actor, request, metadata)"
            " SELECT head.revision, 'site.changed', now(), site.id, site.uid, site.generation, '', gen_random_uuid(),"
            " '{}' FROM control_head AS head, control_site AS site WHERE site.id = 'aurora'"
        )
    done = agent.once()
    assert agent.vassals == ["aurora", "borealis"], done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert agent.report is not None and list(agent.report.sites) == ["aurora"]


def test_codebase_that_the_node_does_not_list_hurts_that_site_alone(live_fleet: Fleet, agent: AgentProcess) -> None:
    aurora, _ = live_fleet.add("aurora"), live_fleet.add("borealis")
    agent.give_key("aurora", "borealis")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        before = (agent.snapshots / "aurora.json").read_bytes()
        live_fleet.apply(EditSite(aurora.uid, set_value(("codebase",), "museum")))
        live_fleet.add("corona")
        agent.wait_until_applied(live_fleet.revision)
        assert agent.report is not None
        assert "museum" in agent.report.sites["aurora"]
        assert (agent.snapshots / "aurora.json").read_bytes() == before
        assert agent.vassals == ["aurora", "borealis"]  # the new one has no key
    # What it had before is known after a start, too.
    before = agent.files
    assert agent.once().returncode == 0
    assert agent.files == before
    assert "museum" in agent.report.sites["aurora"]


def test_start_without_a_change_writes_nothing(live_fleet: Fleet, agent: AgentProcess) -> None:
    """It neither reloads anything nor writes what it knows anew."""
    live_fleet.add("aurora")
    agent.give_key("aurora")
    agent.reload_by()
    assert agent.once().returncode == 0
    state = agent.folder / "data" / "agent" / "agent.json"
    before = (agent.files, agent.reloads, state.stat().st_ino)
    assert agent.once().returncode == 0
    revised = state.stat().st_ino  # the node's own event when it became active
    assert agent.once().returncode == 0
    assert (agent.files, agent.reloads) == before[:2]
    assert state.stat().st_ino == revised
    assert (state.stat().st_mode & 0o777, state.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_id_that_is_used_again_is_another_site(live_fleet: Fleet, agent: AgentProcess) -> None:
    """Its process is started anew, with the new site's snapshot."""
    aurora = live_fleet.add("aurora")
    agent.give_key("aurora")
    assert agent.once().returncode == 0
    vassal = agent.output / "uwsgi" / "aurora.ini"
    before = vassal.read_text()
    live_fleet.apply(RetireSite(aurora.uid))
    again = live_fleet.add("aurora")
    assert agent.once().returncode == 0
    assert agent.vassals == agent.published == ["aurora"]
    assert str(again.uid) in (agent.snapshots / "aurora.json").read_text()
    digests = [line for text in (before, vassal.read_text()) for line in text.splitlines() if "; snapshot: " in line]
    assert len(set(digests)) == 2


def test_many_changes_at_once_make_few_reloads(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("first")
    names = [f"s{number}" for number in range(200)]
    agent.give_key("first", *names)
    agent.reload_by()
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        before = agent.reloads
        live_fleet.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
        agent.wait_until_applied(live_fleet.revision)
        assert agent.reloads - before <= 2
        assert len(agent.vassals) == 201


def test_nothing_is_removed_that_is_not_said_to_be_gone(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> None:
    """A placement that vanished holds the site, with the state and without; one that is gone removes it."""
    with agent_of(postgres, tmp_path, PLACED) as agent:
        aurora, borealis, corona = (live_fleet.add(name) for name in ("aurora", "borealis", "corona"))
        agent.give_key("aurora", "borealis", "corona")
        place_sites(OPERATOR, "web1", [aurora, borealis, corona])
        assert agent.once().returncode == 0
        vanish(Placement.objects.filter(site=aurora))
        live_fleet.apply(EditSite(borealis.uid, set_value(("admins",), ["a@example.com"])))
        before = agent.files
        assert agent.once().returncode == 0
        assert agent.vassals == agent.published == ["aurora", "borealis", "corona"]
        assert agent.files[str(agent.output / "uwsgi" / "aurora.ini")] == before[str(agent.output / "uwsgi/aurora.ini")]
        assert agent.condition(UNLISTED)["message"] == "aurora"
        # What is gone is removed, by an agent that knows of it by its snapshot alone.
        displace_sites(OPERATOR, "web1", [corona])
        state = agent.folder / "data" / "agent" / "agent.json"
        state.unlink()
        done, before = agent.once(), agent.files
        assert (done.returncode, agent.files) == (1, before)
        assert "files of sites here that the registry neither lists nor says are gone: aurora." in done.stderr
        assert (agent.condition(APPLIED)["status"], agent.condition(UNLISTED)["message"]) == (FALSE, "aurora")
        for sites, said in (
            (("aurora", "borealis"), "placed on this node, so nobody lets go of them here: borealis."),
            (("aurora", "../x"), "There are no files here of what is to be let go of: '../x'."),
        ):
            refused = agent.once("--let-go", *sites)
            assert (refused.returncode, agent.files) == (1, before)
            assert said in refused.stderr
        let_go = agent.once("--let-go", "aurora")
        assert let_go.returncode == 0, let_go.stderr
        assert agent.vassals == agent.published == ["borealis"]
        assert agent.condition(UNLISTED)["status"] == FALSE


def vanish(rows: QuerySet) -> None:
    """Remove rows as nothing but a fault does: without an event."""
    with transaction.atomic():
        lock_head()
        rows.delete()


def test_what_the_servers_refuse_hurts_that_site_alone(live_fleet: Fleet, agent: AgentProcess) -> None:
    """It is found by halves, keeps what it had, and is tried again in its time, however often somebody rings."""
    names = [f"s{number}" for number in range(9)]
    agent.give_key("first", "last", *names)
    live_fleet.add("first")
    agent.reload_by(f"test ! -e {agent.output}/uwsgi/s4.ini")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        live_fleet.apply(*(CreateSite(name, {"hostnames": [f"{name}.example.com"]}) for name in names))
        agent.wait_until_applied(live_fleet.revision)
        expected = sorted({"first", *names} - {"s4"})
        assert agent.vassals == expected
        assert agent.report is not None
        assert "reload hook" in agent.report.sites["s4"]
        assert (agent.condition(APPLIED)["status"], agent.condition(SITE_REFUSED)["message"]) == (TRUE, "s4")
        before = agent.reloads
        assert before <= 20
        for _ in range(6):
            ring()
            time.sleep(0.3)  # after which it has been quiet, and the agent reads
        assert agent.reloads == before
        live_fleet.add("last")
        agent.wait_until_applied(live_fleet.revision)
        assert (agent.vassals, agent.reloads) == (sorted([*expected, "last"]), before + 1)


def test_configuration_that_is_refused_leaves_everything(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    agent.give_key("aurora", "borealis", "corona")
    agent.reload_by(f"test ! -e {agent.folder}/broken")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        (agent.folder / "broken").touch()
        before, reloads = agent.vassals, agent.reloads
        live_fleet.add("borealis")
        wait_for(lambda: agent.condition(APPLIED)["status"] == FALSE, "the report of the failure")
        assert "reload hook" in agent.condition(APPLIED)["message"]
        for _ in range(6):
            ring()
            time.sleep(0.3)  # after which it has been quiet, and the agent reads
        # The attempt, and the reload of what was before.
        assert agent.reloads - reloads == 2
        assert agent.report is not None
        assert agent.vassals == before
        assert agent.report.applied < live_fleet.revision
        (agent.folder / "broken").unlink()
        live_fleet.add("corona")  # at a new revision at once
        agent.wait_until_applied(live_fleet.revision)
        assert agent.vassals == ["aurora", "borealis", "corona"]
        assert agent.condition(APPLIED)["status"] == TRUE


def ring() -> None:
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY multihost_control")


def test_agent_that_is_stopped_while_it_applies_finishes_or_undoes(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    agent.give_key("aurora", "borealis")
    agent.reload_by("sleep 1")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        before = agent.vassals
        live_fleet.add("borealis")
        wait_for(lambda: agent.vassals != before, "the new vassal")
    # It ended with 0, which the block has seen.
    assert agent.vassals == ["aurora"]
    assert not list((agent.output / ".multihost").glob("journal*"))
    assert agent.once().returncode == 0
    assert agent.vassals == ["aurora", "borealis"]


def test_nothing_is_reported_while_nothing_changes(live_fleet: Fleet, agent: AgentProcess, postgres: Postgres) -> None:
    live_fleet.add("aurora")
    agent.give_key("aurora")
    agent.agent["poll"] = 0.1
    agent.write()
    with agent.running(), postgres.connect(agent.login.database) as listener:
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: agent.condition(STARTING).get("status") == FALSE, "the node, which has joined then")
        agent.wait_until_applied(live_fleet.revision)
        listener.execute("LISTEN multihost_reports")
        assert not list(listener.notifies(timeout=2))
        live_fleet.add("borealis")
        assert len(list(listener.notifies(timeout=1, stop_after=1))) == 1


def test_agent_leaves_the_fleet_where_the_node_file_says_so(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    agent.give_key("aurora")
    ready = agent.folder / "ready"
    agent.agent |= {"drains": True, "drain_seconds": 1, "ready": str(ready)}
    agent.write()
    with agent.running():
        wait_for(lambda: Node.objects.get(pk="web1").state == ACTIVE, "the node")
        assert ready.exists()
        # A run beside it is not who is asked by the health check.
        assert agent.once().returncode == 0
        assert ready.exists()
        ready.unlink()
        assert agent.once().returncode == 0
        assert not ready.exists()
        ready.touch()
    assert Node.objects.get(pk="web1").state == AWAY
    assert not ready.exists()
    types = Event.objects.filter(actor="node:web1").order_by("revision").values_list("type", flat=True)
    assert list(types) == ["node.joined", "node.draining", "node.left"]
    assert agent.vassals == ["aurora"]


def test_node_that_left_by_itself_comes_back(live_fleet: Fleet, agent: AgentProcess) -> None:
    """A person's word that it stays away counts until a person says something else."""
    live_fleet.add("aurora")
    agent.give_key("aurora")
    agent.agent |= {"drains": True, "drain_seconds": 1}
    agent.write()
    for _ in range(2):
        with agent.running():
            wait_for(lambda: Node.objects.get(pk="web1").state == ACTIVE, "the node")
        assert Node.objects.get(pk="web1").state == AWAY
    assert agent.once().returncode == 0
    assert Node.objects.get(pk="web1").state == ACTIVE
    save_node(OPERATOR, "web1", state=AWAY)
    assert agent.once().returncode == 0
    assert Node.objects.get(pk="web1").state == AWAY


def test_database_that_went_back_changes_nothing(live_fleet: Fleet, agent: AgentProcess) -> None:
    live_fleet.add("aurora")
    agent.give_key("aurora")
    assert agent.once().returncode == 0
    state = agent.folder / "data" / "agent" / "agent.json"
    state.write_text(state.read_text().replace(f'"revision": {live_fleet.revision - 1}', '"revision": 1000'))
    done = agent.once()
    assert done.returncode == 1
    assert "The registry went back" in done.stderr
    assert agent.vassals == ["aurora"]
    assert agent.condition(APPLIED)["status"] == FALSE
