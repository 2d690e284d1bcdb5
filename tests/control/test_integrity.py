"""What differs on a node from what it should be is said, counted and put right."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.accounts import passable_folder
from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ALL, DRIFT, FALSE, TRUE

SITES = ("aurora", "borealis", "corona")


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres) -> Iterator[AgentProcess]:
    """Return an agent that does not look by itself. The names of sockets are short."""
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "every")
    for site in SITES:
        live_fleet.add(site)
    with passable_folder() as folder, node_login(postgres, "web1") as login:
        agent = AgentProcess(folder / "web1", login, integrity=3000)
        agent.platform = f'sockets = "{folder}/run"'
        (folder / "run").mkdir()
        agent.give_key(*SITES)
        yield agent


def vassal(agent: AgentProcess, site: str) -> Path:
    return agent.output / "uwsgi" / f"{site}.ini"


def contents(agent: AgentProcess) -> dict[str, tuple[object, int]]:
    """Return what is on the disk, with the modes, but when snapshots were written."""
    found: dict[str, tuple[object, int]] = {}
    for site in SITES:
        snapshot = agent.snapshots / f"{site}.json"
        document = json.loads(snapshot.read_bytes())
        kept = {key: value for key, value in document.items() if key not in ("created", "digest", "revision")}
        found[f"{site} snapshot"] = (kept, snapshot.lstat().st_mode)
        found[site] = (vassal(agent, site).read_bytes(), vassal(agent, site).lstat().st_mode)
    return found


def damage(agent: AgentProcess) -> None:
    """Do what nobody should."""
    with vassal(agent, "aurora").open("a") as file:
        file.write("; A-SECRET-OF-WHO-EDITED\n")
    vassal(agent, "borealis").unlink()
    vassal(agent, "borealis").symlink_to("/etc/shadow")
    vassal(agent, "corona").chmod(0o666)
    (agent.snapshots / "aurora.json").unlink()
    (agent.snapshots / "borealis.json").write_text("A-SECRET-THAT-IS-NO-SNAPSHOT")
    (agent.snapshots / "corona.json").chmod(0o444)
    (agent.snapshots / "unknown.json").write_text("{}")


def test_check_says_what_differs_and_changes_nothing(agent: AgentProcess) -> None:
    assert agent.once().returncode == 0
    done = agent.call("--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    expected = hashlib.sha256(vassal(agent, "aurora").read_bytes()).hexdigest()
    damage(agent)
    found = hashlib.sha256(vassal(agent, "aurora").read_bytes()).hexdigest()
    done = agent.call_here("--check", "--json")
    assert done.returncode == 1, done.stderr
    rows = {Path(row["where"]).name + " " + row["kind"]: row for row in json.loads(done.stdout)["drift"]}
    assert rows.keys() == {
        "aurora.ini edited",
        "borealis.ini foreign",
        "corona.ini mode",
        "aurora.json missing",
        "borealis.json edited",
        "corona.json mode",
        "unknown.json unlisted",
    }
    edited = rows["aurora.ini edited"]
    assert (edited["expected"], edited["found"], edited["site"]) == (expected, found, "aurora")
    assert "SECRET" not in done.stdout + agent.call_here("--check").stdout
    assert "SECRET" in vassal(agent, "aurora").read_text()


def test_drift_is_put_right_when_somebody_asks(live_fleet: Fleet, agent: AgentProcess) -> None:
    """What no record has is named, and stays."""
    with agent.running() as process:
        agent.wait_until_applied(live_fleet.revision)
        before = contents(agent)
        damage(agent)
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: agent.condition(DRIFT).get("status") == TRUE, "the drift", 20)
        said = agent.condition(DRIFT)
        assert said["reason"] == "HealedInPart"
        assert said["message"].startswith("7 found, 7 since the start: ")
        assert f"edited {vassal(agent, 'aurora')} (expected " in said["message"]
        assert "SECRET" not in said["message"] + agent.log
        assert contents(agent) == before
        assert (agent.snapshots / "unknown.json").exists()
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: agent.condition(DRIFT)["reason"] == "NotHealed", "what is left", 20)
        assert agent.condition(DRIFT)["message"].startswith("1 found, 7 since the start: unlisted ")
        (agent.snapshots / "unknown.json").unlink()
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: agent.condition(DRIFT)["status"] == FALSE, "the end of the drift", 20)


@pytest.mark.parametrize("key", [("uwsgi", "processes"), ("admins",)])
def test_hand_edit_does_not_keep_changes_away(live_fleet: Fleet, agent: AgentProcess, key: tuple[str, ...]) -> None:
    """Neither of servers' files alone nor of snapshots, which are written first."""
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        with vassal(agent, "aurora").open("a") as file:
            file.write("; edited")
        live_fleet.apply(
            EditSite(live_fleet.site("aurora").uid, set_value(key, 3 if len(key) > 1 else ["a@example.com"]))
        )
        agent.wait_until_applied(live_fleet.revision)
        assert ("processes = 3" in vassal(agent, "aurora").read_text()) == (len(key) > 1)
        assert "edited " in agent.log


def test_hand_edit_while_no_agent_ran_does_not_keep_changes_away(live_fleet: Fleet, agent: AgentProcess) -> None:
    assert agent.once().returncode == 0
    with vassal(agent, "aurora").open("a") as file:
        file.write("; edited")
    live_fleet.apply(EditSite(live_fleet.site("aurora").uid, set_value(("uwsgi", "processes"), 3)))
    with agent.running():
        agent.wait_until_applied(live_fleet.revision)
        assert "processes = 3" in vassal(agent, "aurora").read_text()
        assert "edited " in agent.log


def test_site_at_whose_socket_nobody_listens_is_started_again(live_fleet: Fleet, agent: AgentProcess) -> None:
    """By the kernel's word alone: nothing connects to a site."""
    assert agent.once().returncode == 0
    run = Path(agent.platform.partition('"')[2].rstrip('"'))
    names = {site: json.loads((agent.snapshots / f"{site}.json").read_bytes())["site"]["names"] for site in SITES}
    long_ago = time.time() - 3600
    for site in SITES:
        os.utime(vassal(agent, site), (long_ago, long_ago))
    none = agent.call_here("--check")
    assert (none.returncode, none.stdout.startswith(f"silent {run} (expected servers")) == (1, True), none
    with ExitStack() as stack:
        for site in SITES:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(run / names[site]["socket"]))
            if site != "corona":
                listener.listen()
        done = agent.call_here("--check")
        assert done.stdout == f"silent {run / names['corona']['socket']} (expected somebody listens, found nobody)\n"
        boot = agent.report.boot if agent.report else None
        with agent.running() as process:
            wait_for(lambda: agent.report and agent.report.boot != boot, "the agent")
            process.send_signal(signal.SIGUSR1)
            wait_for(lambda: agent.condition(DRIFT).get("reason") == "Healed", "the start", 20)
        ages = {site: vassal(agent, site).stat().st_mtime > long_ago + 1 for site in SITES}
        assert ages == {"aurora": False, "borealis": False, "corona": True}
        live_fleet.apply(EditSite(live_fleet.site("aurora").uid, set_value(("enabled",), False)))
        assert agent.once().returncode == 0
        assert f"serving {run / names['aurora']['socket']}" in agent.call_here("--check").stdout
