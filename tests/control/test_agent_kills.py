"""The agent is killed at moments that nobody chose: files stay whole, and the next start completes what was begun."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.agents import AgentProcess, agent_of
from tests.control.fleet import Fleet
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import ManagedSite

#: How many runs are killed. Before a release: MULTIHOST_AGENT_KILLS=200 pytest … tests/control/test_agent_kills.py
KILLS = int(os.environ.get("MULTIHOST_AGENT_KILLS", "20"))
SEED = int(os.environ.get("MULTIHOST_AGENT_SEED", "1"))
#: Between two looks at whether all is as it should be.
ROUND = 5
#: Seconds: a run takes less.
LONGEST = 1.0
NAMES = tuple(f"s{number}" for number in range(8))


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[AgentProcess]:
    with agent_of(postgres, tmp_path) as agent:
        agent.give_key(*NAMES)
        agent.reload_by("sleep 0.05")
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


def test_runs_that_are_killed_leave_whole_files_and_are_completed(live_fleet: Fleet, agent: AgentProcess) -> None:
    chance = random.Random(SEED)
    for number in range(KILLS):
        for _ in range(chance.randint(1, 3)):
            change(live_fleet, chance)
        with open(agent.folder / "killed.log", "ab") as log:
            process = subprocess.Popen([*agent.command, "--once"], env=agent.environ, stdout=log, stderr=log)
            time.sleep(chance.uniform(0.2, LONGEST))
            process.kill()
            process.wait()
        if agent.snapshots.exists():
            assert published(agent).keys() <= set(NAMES), number
        for path in agent.output.glob("uwsgi/*.ini"):
            assert path.read_text().rstrip().endswith("max-fd = 1024"), (number, path)
        if number % ROUND == ROUND - 1 or number == KILLS - 1:
            done = agent.once()
            assert done.returncode == 0, (number, done.stderr)
            assert published(agent) == wanted(), number
            assert agent.vassals == sorted(wanted()), number
            left = [path.name for path in agent.folder.rglob("*") if path.suffix == ".tmp" or "journal" in path.name]
            assert left == [], number
