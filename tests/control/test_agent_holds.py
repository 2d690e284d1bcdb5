"""What is held is neither applied nor healed by the agent, and nothing else waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.holds import find_target, hold, release_hold
from wagtail_multihost.control.models import Node
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, DRIFT, FALSE, HELD, TRUE


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "every")
    with node_login(postgres, "web1") as login:
        yield AgentProcess(tmp_path / "web1", login, integrity=1)


def test_held_site_waits_and_hurts_no_other(live_fleet: Fleet, agent: AgentProcess) -> None:
    """Also where it is disabled or retired meanwhile; and a new one is not made."""
    sites = {name: live_fleet.add(name) for name in ("aurora", "borealis", "corona")}
    agent.give_key(*sites, "dawn")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        holds = [hold(OPERATOR, sites[name], seconds=600, reason="restore") for name in ("aurora", "corona")]
        holds.append(hold(OPERATOR, live_fleet.add("dawn"), seconds=600, reason="x"))
        live_fleet.apply(EditSite(sites["aurora"].uid, set_value(("enabled",), False)))
        live_fleet.apply(RetireSite(sites["corona"].uid))
        live_fleet.apply(EditSite(sites["borealis"].uid, set_value(("enabled",), False)))
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: "borealis" not in agent.vassals, "the free site")
        assert {*agent.vassals} - {"dawn"} == {*agent.published} - {"dawn"} == {"aurora", "corona"}
        assert agent.report is not None
        # Nothing is kept of what a node says of a site that was retired.
        assert {"aurora"} <= agent.report.sites.keys() <= {"aurora", "dawn"}
        boot = agent.report.boot
        said = agent.condition(HELD)
        assert said["status"] == TRUE
        assert "aurora is held until" in said["message"]
        assert said["message"].count("operator:root: restore (it was disabled") == 2
        with (agent.output / "uwsgi" / "aurora.ini").open("a") as file:
            file.write("; edited")
        wait_for(lambda: agent.condition(DRIFT).get("reason") == "Held", "the drift of a held site")
        assert (agent.output / "uwsgi" / "aurora.ini").read_text().endswith("; edited")
    with agent.running():
        # What waits is known after a start, too.
        wait_for(lambda: agent.report and agent.report.boot != boot, "the next start")
        assert {*agent.vassals} - {"dawn"} == {*agent.published} - {"dawn"} == {"aurora", "corona"}
        assert agent.condition(HELD)["message"].count("(it was disabled") == 2
        for one in holds:
            release_hold(OPERATOR, one.pk)
        wait_for(lambda: agent.vassals == agent.published == ["dawn"], "what has waited")
        wait_for(lambda: agent.condition(HELD)["status"] == FALSE, "the end of the holds")
        assert agent.report is not None
        assert agent.report.sites == {}


def test_held_node_applies_nothing_until_the_hold_ends_by_itself(live_fleet: Fleet, agent: AgentProcess) -> None:
    aurora = live_fleet.add("aurora")
    agent.give_key("aurora", "borealis")
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: Node.objects.get(pk="web1").state == ACTIVE, "the node")
        agent.wait_until_applied(applied := live_fleet.revision)
        hold(OPERATOR, node=find_target(OPERATOR, "web1").node, seconds=5, reason="disk")
        wait_for(lambda: agent.condition(HELD).get("status") == TRUE, "the hold")
        live_fleet.add("borealis")
        live_fleet.apply(EditSite(aurora.uid, set_value(("admins",), ["a@example.com"])))
        (agent.output / "uwsgi" / "aurora.ini").unlink()
        wait_for(lambda: "Everything on this node is held" in agent.condition(HELD)["message"], "the reason")
        assert agent.vassals == []
        assert agent.report is not None
        assert agent.report.applied == applied
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: agent.vassals == ["aurora", "borealis"], "what has waited")
        assert agent.condition(HELD)["status"] == FALSE
