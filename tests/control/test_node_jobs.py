"""Jobs that a real agent does on its node, with a site's code that is hostile."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from tests.accounts import IS_ROOT, SITE_GROUP, needs_root
from tests.control.agents import CODEBASE, AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_for
from tests.servers.workshop import open_python
from wagtail_multihost.control.jobs import cancel_job, want_job
from wagtail_multihost.control.models import Job
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.nodeapi.v1 import CHANNEL

pytestmark = pytest.mark.servers

#: In the place of the real command, which has tests of its own: a site's code can replace that one too.
COMMAND = """
import os, pathlib, sys, time
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("site")
        parser.add_argument("--email")

    def handle(self, site, email, **options):
        here = pathlib.Path(__file__).parents[3]
        print(f"{os.getuid()} {site} {email} {os.getppid() != 1}")
        print("secrets:", [name for name in os.environ if "KEY_OF" in name or "NODE_FILE" in name])
        print("the link is https://aurora.example.com/admin/password_reset/confirm/MQ/secret-token/")
        print("\\x1b]0;owned\\x07 \\u202e", flush=True)
        while (here / "slow").exists():
            time.sleep(0.1)
        sys.stdout.write("x" * 1_000_000)
"""


class SiteAgent(AgentProcess):
    """An agent whose sites have an account, and code and an ``environment`` in folders that it can enter."""

    code: Path

    def __init__(self, folder: Path, login: NodeLogin, environment: Path) -> None:
        self.code, self.environment = folder.parent / "code", environment
        commands = self.code / "stub" / "management" / "commands"
        commands.mkdir(parents=True)
        for place in (self.code / "stub", commands.parent, commands):
            (place / "__init__.py").touch()
        (self.code / "stub_settings.py").write_text("SECRET_KEY = 'x'\nINSTALLED_APPS = ['stub']\n")
        (commands / "multihost_superuser.py").write_text(COMMAND)
        super().__init__(folder, login)

    def write(self) -> None:
        self.codebase = replace(
            CODEBASE, directory=self.code, virtualenv=self.environment, settings_module="stub_settings"
        )
        self.platform = f'user = "{SITE_GROUP}"' if IS_ROOT else ""
        super().write()


@pytest.fixture(name="environment", scope="module")
def _environment(open_folder: Path) -> Path:
    """Return a virtual environment that the account of a site can use."""
    return open_python(open_folder).parents[1]


@pytest.fixture(name="agent")
def _agent(live_fleet: Fleet, postgres: Postgres, open_folder: Path, environment: Path) -> Iterator[SiteAgent]:
    Roles(postgres).make()
    save_group(OPERATOR, "every", ALL)
    save_node(OPERATOR, "web1", "every")
    live_fleet.add("aurora")
    folder = open_folder / os.urandom(4).hex()
    folder.mkdir()
    folder.chmod(0o755)
    with node_login(postgres, "web1") as login:
        agent = SiteAgent(folder / "web1", login, environment)
        agent.give_key("aurora")
        yield agent


def want(fleet: Fleet, kind: str, **parameters: str) -> Job:
    return want_job(OPERATOR, kind, fleet.site("aurora"), parameters).jobs[0]


def ended(job: Job) -> Job:
    """Return a job when it has ended."""
    wait_for(lambda: Job.objects.get(pk=job.pk).ended_at, f"{job.kind}: {Job.objects.get(pk=job.pk).state}", 40)
    job.refresh_from_db()
    return job


def processes_of(code: Path) -> list[int]:
    """Return the processes that run in the site's folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(place / "cwd") == str(code):
                found.append(int(place.name))
        except OSError:
            continue
    return found


@needs_root
def test_agent_does_the_jobs_of_its_node(live_fleet: Fleet, agent: SiteAgent) -> None:
    """The vassal is touched, taken away for a moment, written anew; the site's code runs as its account, bounded."""
    with agent.running() as process:
        agent.wait_until_applied(live_fleet.revision)
        vassal = agent.output / "uwsgi" / "aurora.ini"
        os.utime(vassal, (1, 1))
        job = ended(want(live_fleet, "reload-site"))
        assert (job.state, job.fence, vassal.stat().st_mtime > 1) == ("ended", 1, True), job.problem
        job = ended(want(live_fleet, "restart-site"))
        assert (job.state, "less than 10 seconds ago" in job.problem) == ("failed", True)
        vassal.unlink()
        job = ended(want(live_fleet, "reread-site"))
        assert (job.state, vassal.exists()) == ("ended", True), job.problem
        job = ended(want(live_fleet, "create-superuser", email="ada@example.org"))
        assert job.state == "ended", (job.problem, job.log)
        first, secrets, link, hostile, *_ = job.log.split("\n")
        assert first == f"{pwd.getpwnam(SITE_GROUP).pw_uid} aurora ada@example.org True"
        assert (secrets, link) == ("secrets: []", "the link is [an address]")
        assert hostile == "\\x1b]0;owned\\x07 \\u202e"
        assert 10_000 < len(job.log) < 20_000
        assert "secret-token" not in agent.log
        Job.objects.all().delete()
        refused = live_fleet.add("borealis")  # it has no key
        foreign = Job.objects.create(
            kind="reload-site", runner="node", node_id="web1", site=refused, deadline=job.deadline
        )
        ring(CHANNEL.replace("control", "jobs"))
        assert "does not serve the site" in ended(foreign).problem
        assert process.poll() is None


def ring(channel: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel])


@needs_root
def test_job_of_a_killed_agent_is_done_within_its_lease(live_fleet: Fleet, agent: SiteAgent) -> None:
    """What it had started ends with it. Told to stop, or cancelled, an agent ends it too, and gives it back."""
    (agent.code / "slow").touch()
    with agent.running() as process:
        agent.wait_until_applied(live_fleet.revision)
        job = want(live_fleet, "create-superuser", email="ada@example.org")
        wait_for(lambda: processes_of(agent.code), "the command")
        live_fleet.add("corona")
        agent.wait_until_applied(live_fleet.revision)  # changes are applied meanwhile
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: not processes_of(agent.code), "the end of the command")
    job.refresh_from_db()
    assert (job.state, job.fence) == ("taken", 1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_job SET lease_until = clock_timestamp()")
    with agent.running() as process:
        wait_for(lambda: processes_of(agent.code), "the command again")
        process.terminate()
        assert process.wait(30) == 0, agent.log
        assert not processes_of(agent.code)
    job.refresh_from_db()
    assert (job.state, job.fence, job.lease) == ("waiting", 2, None)
    with agent.running():
        wait_for(lambda: processes_of(agent.code), "the command once more")
        job.refresh_from_db()
        cancel_job(OPERATOR, job)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        (agent.code / "slow").unlink()
        other = ended(want(live_fleet, "reload-site"))
        assert other.state == "ended", other.problem
    job.refresh_from_db()
    assert (job.state, job.fence) == ("cancelled", 3)
