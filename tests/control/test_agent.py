"""The agent as a process, with a registry in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Node
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, APPLIED, FALSE, TRUE


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "every")
    with node_login(postgres, "web1") as login:
        yield AgentProcess(tmp_path / "web1", login)


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
