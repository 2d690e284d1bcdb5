"""Taking the steps of healing by what stands: the agent's own reading, its looks at the node, and restarts of jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.healing import Wish
from wagtail_multihost.node.patience import OwnPatience
from wagtail_multihost.node.site_processes import restart_site
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.nodeapi.heal_steps import APPLY, DONE, FAILED, READ, RESTART

if TYPE_CHECKING:
    from wagtail_multihost.node.agent import Agent

logger = logging.getLogger(__name__)

#: Seconds that a step may take, and between two looks whether it is taken.
STEP_SECONDS, READ_PAUSE = 90.0, 0.2
BUSY = "Processes of a site are being restarted already."


class StepTaker:
    """Takes steps beside the ``agent``'s own thread, until ``is_stopping`` returns true."""

    def __init__(self, agent: Agent, is_stopping: Callable[[], bool]) -> None:
        self.agent, self.is_stopping = agent, is_stopping

    def carry_out(self, wish: Wish, specs: Specs) -> str:
        """Take a step; return what became of it."""
        try:
            if wish.step in (READ, APPLY):
                if wish.step == APPLY:
                    self.agent.integrity.ask()
                return FAILED if self.read_again(wish.site) else DONE
            if wish.step == RESTART:
                self.restart(wish.site, specs)
        except (MultihostError, OSError) as error:
            logger.warning("%s: %s: %s", wish.site or "this node", wish.step, error)
            return FAILED
        return DONE

    def read_again(self, site: str) -> str:
        """Let the agent read and apply a site again; return what came of it. Raises MultihostError."""
        asked, patience = self.agent.rereads.ask(site), OwnPatience(STEP_SECONDS, self.is_stopping)
        while not asked.done():
            patience.pause(READ_PAUSE)
        return asked.result()

    def restart(self, site: str, specs: Specs) -> None:
        """Restart the processes of a site; raises MultihostError and OSError."""
        if not self.agent.restarting.acquire(blocking=False):
            raise MultihostError(BUSY)
        try:
            patience = OwnPatience(STEP_SECONDS, self.is_stopping)
            restart_site(
                self.agent.options,
                specs.platform,
                specs.sites[site],
                patience,
                lambda: self.is_served(specs.sites[site].uid),
            )
        finally:
            self.agent.restarting.release()

    def is_served(self, uid: object) -> bool:
        """Return whether a site is enabled here, as it is applied now."""
        specs = self.agent.planner.specs
        return specs is not None and any(site.uid == uid and site.enabled for site in specs.sites.values())
