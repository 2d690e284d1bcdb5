"""
An agent is killed at each of its steps, and so is PostgreSQL: files stay whole, and the next start completes what was
begun.

``MULTIHOST_AGENT_KILLS=200 pytest … tests/control/test_agent_kills.py`` kills so many times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.control import killed_agent
from tests.control.agents import AgentProcess, agent_of
from tests.control.fleet import Fleet
from tests.control.restarts import Restarts
from tests.servers.postgres import Postgres
from tests.servers.processes import children, is_running
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import ManagedSite

#: How many kills there are.
KILLS = int(os.environ.get("MULTIHOST_AGENT_KILLS", "20"))
SEED = int(os.environ.get("MULTIHOST_AGENT_SEED", "1"))
#: Between two looks at whether all is as it should be.
ROUND = 5
NAMES = tuple(f"s{number}" for number in range(8))
AGENT, POSTGRES = "agent", "PostgreSQL"
#: Stands for no step, and for the moment in which the servers are reloaded by another program.
NEVER, RELOAD = 0, -1


class Kill(NamedTuple):
    """Which of the two is killed, and at which step."""

    victim: str
    step: int


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    with agent_of(postgres, tmp_path) as agent:
        agent.give_key(*NAMES)
        victim = agent.folder / "victim"
        agent.reload_by(f"test ! -s {victim} || kill -KILL $(cat {victim})")
        yield agent


def change(fleet: Fleet, chance: random.Random) -> None:
    """Change something that is likely to matter."""
    name = chance.choice(NAMES)
    site = ManagedSite.objects.filter(identifier=name, retired_at=None).first()
    if site is None:
        fleet.apply(CreateSite(name, {"hostnames": [f"{name}.example.com"]}))
    elif chance.random() < 0.3:
        fleet.apply(RetireSite(site.uid))
    elif chance.random() < 0.5:
        fleet.apply(EditSite(site.uid, set_value(("enabled",), not site.record.get("enabled", True))))
    else:
        fleet.apply(EditSite(site.uid, set_value(("admins",), [f"{chance.random()}@example.com"])))


def wanted() -> dict[str, str]:
    """Return the uids of the sites that the registry wants served, by id."""
    sites = ManagedSite.objects.filter(retired_at=None)
    return {site.identifier: str(site.uid) for site in sites if site.record.get("enabled", True)}


def published(agent: AgentProcess) -> dict[str, str]:
    """Return the uids of the snapshots, which are whole or could not be read."""
    documents = [json.loads(path.read_text()) for path in agent.snapshots.glob("*.json")]
    return {document["site"]["id"]: document["site"]["uid"] for document in documents}


def run_once(agent: AgentProcess, kill: Kill, postgres: int) -> tuple[int, str]:
    """Run the agent once with a kill; return its exit code and what it said."""
    victim = agent.folder / "victim"
    step, pid = max(kill.step, NEVER), postgres if kill.victim == POSTGRES else 0
    command = [sys.executable, "-P", killed_agent.__file__, str(agent.folder), str(step), str(pid), "--once"]
    with open(agent.folder / "killed.log", "wb") as log:
        process = subprocess.Popen(command, env=agent.environ, stdout=log, stderr=log)
        if kill.step == RELOAD:
            victim.write_text(str(pid or process.pid))
        code = process.wait(60)
    victim.unlink(missing_ok=True)
    return code, (agent.folder / "killed.log").read_text()


def choose_kills(steps: int, chance: random.Random) -> Iterator[Kill]:
    """Yield all kills that there are in an order of chance, again and again."""
    kills = [Kill(victim, step) for victim in (AGENT, POSTGRES) for step in (RELOAD, *range(1, steps + 1))]
    while True:
        chance.shuffle(kills)
        yield from kills


def test_runs_that_are_killed_leave_whole_files_and_are_completed(
    live_fleet: Fleet, agent: AgentProcess, restarts: Restarts
) -> None:
    """A run that has fewer steps than the one that they were counted in may end before its kill."""
    chance = random.Random(SEED)
    change(live_fleet, chance)
    code, said = run_once(agent, Kill(AGENT, NEVER), 0)
    assert code == 0, said
    hit: Counter[str] = Counter()
    for number, kill in enumerate(choose_kills(int(said.split()[-1]), chance)):
        for _ in range(chance.randint(1, 3)):
            change(live_fleet, chance)
        server = [restarts.pid, *children(restarts.pid)]
        code, said = run_once(agent, kill, server[0])
        has_agent_died, has_server_died = code == -signal.SIGKILL, not is_running(server[0])
        assert (has_agent_died, has_server_died) in ((False, False), (kill.victim == AGENT, kill.victim == POSTGRES))
        hit[kill.victim] += has_agent_died or has_server_died
        if has_server_died:
            restarts.start_after(*server)
        assert published(agent).keys() <= set(NAMES), (number, kill)
        for path in agent.output.glob("uwsgi/*.ini"):
            assert path.read_text().rstrip().endswith("max-fd = 1024"), (number, kill, path)
        if number % ROUND == ROUND - 1 or hit.total() == KILLS:
            done = agent.once()
            assert done.returncode == 0, (number, kill, done.stderr)
            assert published(agent) == wanted(), (number, kill)
            assert agent.vassals == sorted(wanted()), (number, kill)
            left = [path.name for path in agent.folder.rglob("*") if path.suffix == ".tmp" or "journal" in path.name]
            assert left == [], (number, kill)
        if hit.total() == KILLS:
            break
    print(f"killed: {dict(hit)} in {number + 1} runs")
    assert min(hit[AGENT], hit[POSTGRES]) >= KILLS // 4, hit
