"""One site is changed on a node while control is gone, and stays so until somebody lets control's record count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.passage import Passage, passage_to
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ALL, CHANGED_HERE, FALSE, TRUE

WHY = ("--reason", "control is down")


@pytest.fixture(name="passage")
def _passage(postgres: Postgres) -> Iterator[Passage]:
    with passage_to(postgres.port) as passage:
        yield passage


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, passage: Passage, tmp_path: Path) -> Iterator[AgentProcess]:
    """Return a node that has applied two sites, whose way to the database can be closed."""
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "every")
    mail = {"backend": "smtp", "host": "mx1.example", "username": "a", "password": "env:SECRET_AURORA__MAIL"}
    live_fleet.add("aurora", mail=mail)
    live_fleet.add("borealis")
    with node_login(postgres, "web1"):
        by_passage = NodeLogin(replace(postgres, port=passage.port), "web1")
        agent = AgentProcess(tmp_path / "web1", by_passage, integrity=1)
        agent.secrets |= {"SECRET_AURORA__MAIL": "a-password", "SECRET_AURORA__NEW": "another-password"}
        agent.give_key("aurora", "borealis")
        assert agent.once().returncode == 0
        yield agent


def admins(agent: AgentProcess, site: str = "aurora") -> list[str]:
    return json.loads((agent.snapshots / f"{site}.json").read_bytes())["site"].get("admins", [])


def test_site_is_changed_while_control_is_gone_and_held_until_control_counts(
    live_fleet: Fleet, agent: AgentProcess, passage: Passage
) -> None:
    """Neither a look at the disk nor the database takes the change back, and other sites go on."""
    changed = ("change", "aurora", 'admins=["here@example.com"]', "mail.host=mx2.example", *WHY)
    with agent.running():
        wait_for(lambda: agent.report, "the agent")
        passage.close()
        done = agent.call(*changed)
        assert done.returncode == 0, done.stderr
        assert admins(agent) == ["here@example.com"]
        aurora = live_fleet.site("aurora")
        live_fleet.apply(EditSite(aurora.uid, set_value(("admins",), ["control@example.com"])))
        live_fleet.apply(EditSite(aurora.uid, set_value(("mail", "password"), "env:SECRET_AURORA__NEW")))
        live_fleet.apply(EditSite(live_fleet.site("borealis").uid, set_value(("admins",), ["b@example.com"])))
        passage.open()
        agent.wait_until_applied(live_fleet.revision)
        wait_for(lambda: agent.condition(CHANGED_HERE).get("status") == TRUE, "the condition")
        assert admins(agent) == ["here@example.com"]
        assert admins(agent, "borealis") == ["b@example.com"]
        said = agent.condition(CHANGED_HERE)["message"]
        assert "aurora was changed here at " in said
        assert "control is down. It differs from control's record in admins, mail.host, mail.password." in said
        assert "a-password" not in said + agent.log
        shown = agent.call_here("change", "aurora")
        assert "aurora admins: here ['here@example.com'], in control ['control@example.com']" in shown.stdout
        assert "aurora mail.password: here (not shown), in control (not shown)" in shown.stdout
        kept = agent.call_here("change", "aurora", "--keep-control")
        assert kept.returncode == 0, kept.stderr
        assert "in control ['control@example.com']" in kept.stdout
        wait_for(lambda: admins(agent) == ["control@example.com"], "control's record")
        wait_for(lambda: agent.condition(CHANGED_HERE)["status"] == FALSE, "the end of the condition")


def test_change_outlives_a_restart_without_the_database(agent: AgentProcess, passage: Passage) -> None:
    passage.close()
    assert agent.call_here("change", "aurora", 'admins=["here@example.com"]', *WHY).returncode == 0
    (agent.snapshots / "aurora.json").unlink()
    assert agent.once().returncode == 1  # what the registry says now is not known
    assert admins(agent) == ["here@example.com"]
    away = agent.call_here("change", "aurora", "--keep-control")
    assert away.returncode == 1
    assert "--force goes back" in away.stderr


def test_nothing_is_changed_while_the_database_answers(agent: AgentProcess) -> None:
    changed = ("change", "aurora", 'admins=["here@example.com"]')
    done = agent.call_here(*changed, *WHY)
    assert done.returncode == 1
    assert "The database answers" in done.stderr
    assert admins(agent) == []
    assert agent.call_here(*changed, "--force").returncode == 1  # no reason
    assert agent.call_here(*changed, "--force", *WHY).returncode == 0
    assert admins(agent) == ["here@example.com"]
    shown = agent.call_here("change", "aurora")
    assert shown.stdout == "aurora admins: here ['here@example.com'], in control nothing\n"


#: A site, a change of it, and a word of the sentence that refuses it.
REFUSED = (
    ("nowhere", "state=maintenance", "does not have the site 'nowhere'"),
    ("aurora", "state=asleep", "state"),
    ("aurora", "colour=red", "colour"),
    ("aurora", "uid=6f1c1a52-0000-4000-8000-000000000001", "It never changes"),
    ("aurora", "mail.password=in-the-clear", "Secrets are not changed here"),
    ("aurora", "mail.password_file=/etc/shadow", "Secrets are not changed here"),
    ("aurora", "nginx.site_include=/etc/shadow", "key of the node"),
    ("aurora", 'hostnames=["borealis.example.com"]', "borealis"),
    ("aurora", "hostnames", "It must be KEY=VALUE"),
)


def test_change_that_no_record_may_have_is_refused(agent: AgentProcess, passage: Passage) -> None:
    before = (agent.snapshots / "aurora.json").read_bytes()
    passage.close()
    for site, word, said in REFUSED:
        done = agent.call_here("change", site, word, *WHY)
        assert done.returncode == 1, word
        assert said in done.stderr, word
        assert "in-the-clear" not in done.stderr
    assert (agent.snapshots / "aurora.json").read_bytes() == before
    assert not (agent.folder / "data" / "agent" / "changes.json").exists()
