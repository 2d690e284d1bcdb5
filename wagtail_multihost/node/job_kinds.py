"""What this node does for each kind of job. Whoever wrote a job's row is not believed: its site must be one of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.jobs import Do, LeaseKeeper
from wagtail_multihost.node.site_commands import run_site_command
from wagtail_multihost.node.site_processes import reload_site, restart_site
from wagtail_multihost.node.site_sizes import keep_sizes
from wagtail_multihost.nodeapi.job_kinds import CREATE_SUPERUSER, MEASURE_SITE, RELOAD_SITE, REREAD_SITE, RESTART_SITE
from wagtail_multihost.nodeapi.job_list import Ending, TakenJob
from wagtail_multihost.registry.release import read_release
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from wagtail_multihost.node.agent import Agent

#: Seconds between two reloads or restarts of one site, and how many of all sites within a minute: whoever writes rows
#: of jobs can wear out no node.
SITE_PAUSE = 10.0
MOST_A_MINUTE = 60
LOCK_SECONDS = 0.2
NOT_HERE = "This node does not serve the site {site}, or another one of that name."
DISABLED = "The site is disabled, so that it has no processes."
TOO_SOON = f"Its processes were reloaded or restarted less than {SITE_PAUSE:g} seconds ago."
SUPERUSER, SIZE = "multihost_superuser", "multihost_size"


class Served(NamedTuple):
    """A site that this node serves, as the agent has applied it."""

    platform: PlatformSpec
    site: SiteSpec


class Pace:
    """Bounds how often sites' processes are reloaded and restarted."""

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}

    def wait(self, site: str, keeper: LeaseKeeper) -> None:
        """Wait until there is room in this minute; raises MultihostError for a site whose turn was just now."""
        now = time.monotonic()
        self.latest = {one: at for one, at in self.latest.items() if now - at < 60}
        if now - self.latest.get(site, -SITE_PAUSE) < SITE_PAUSE:
            raise MultihostError(TOO_SOON)
        if len(self.latest) >= MOST_A_MINUTE:
            keeper.pause(60 - (now - min(self.latest.values())))
        self.latest[site] = time.monotonic()


def node_kinds(agent: Agent) -> Mapping[str, Do]:
    """Return what does each kind of job on the node of an ``agent``, as of what it has applied by then."""
    pace = Pace()

    def reload(job: TakenJob, keeper: LeaseKeeper) -> Ending:
        found = enabled_site(agent, job)
        pace.wait(found.site.id, keeper)
        with restarting_alone(agent, keeper):
            return Ending(progress=reload_site(agent.options, found.site, keeper))

    def restart(job: TakenJob, keeper: LeaseKeeper) -> Ending:
        found = enabled_site(agent, job)
        pace.wait(found.site.id, keeper)
        with restarting_alone(agent, keeper):
            done = restart_site(agent.options, found.platform, found.site, keeper, lambda: is_served(agent, job))
        return Ending(progress=done)

    def reread(job: TakenJob, keeper: LeaseKeeper) -> Ending:
        asked = agent.rereads.ask(served_site(agent, job).site.id)
        while not asked.done():
            keeper.pause(0.2)
        problem = asked.result()
        return Ending(problem, progress="" if problem else "It was read and applied.")

    def create_superuser(job: TakenJob, keeper: LeaseKeeper) -> Ending:
        found = enabled_site(agent, job)
        codebase = read_release(agent.options.release).codebase
        words = (SUPERUSER, found.site.id, f"--email={job.parameters['email']}")
        return run_site_command(found.platform, found.site, codebase, words, keeper, agent.planner.environ)

    def measure(job: TakenJob, keeper: LeaseKeeper) -> Ending:
        found = enabled_site(agent, job)
        codebase = read_release(agent.options.release).codebase
        words = (SIZE, found.site.id, "--json")
        ending = run_site_command(found.platform, found.site, codebase, words, keeper, agent.planner.environ)
        return ending if ending.problem else keep_sizes(found.site.id, ending.log, keeper.jobs.ask)

    return {
        RELOAD_SITE: reload,
        RESTART_SITE: restart,
        REREAD_SITE: reread,
        CREATE_SUPERUSER: create_superuser,
        MEASURE_SITE: measure,
    }


@contextmanager
def restarting_alone(agent: Agent, keeper: LeaseKeeper) -> Iterator[None]:
    """Wait until nobody else restarts processes of a site here: two would put back what the other takes away."""
    while not agent.restarting.acquire(timeout=LOCK_SECONDS):
        keeper.step()
    try:
        yield
    finally:
        agent.restarting.release()


def served_site(agent: Agent, job: TakenJob) -> Served:
    """Return the site of a job as it is applied here; raises MultihostError for any other."""
    specs = agent.planner.specs
    site = specs.sites.get(job.site or "") if specs else None
    if specs is None or site is None or str(site.uid) != str(job.uid):
        raise MultihostError(NOT_HERE.format(site=shown(job.site or "")))
    return Served(specs.platform, site)


def enabled_site(agent: Agent, job: TakenJob) -> Served:
    found = served_site(agent, job)
    if not found.site.enabled:
        raise MultihostError(DISABLED)
    return found


def is_served(agent: Agent, job: TakenJob) -> bool:
    """Return whether the site of a job is enabled here, as it is applied now."""
    try:
        enabled_site(agent, job)
    except MultihostError:
        return False
    return True
