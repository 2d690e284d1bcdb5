"""Leaving the fleet: a node goes away once no front server asks it any more, or when it has waited long enough."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable

from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import AWAY, DRAINING
from wagtail_multihost.stopping import forget_signals

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25


def leave(database: NodeDatabase, seconds: float, stopping: int) -> bool:
    """
    Drain, wait until the front servers have dropped this node, ``seconds`` at most, and be away. Return whether they
    have. While the database is away it is asked again, so long. A further signal, which makes the descriptor
    ``stopping`` readable again, ends the wait.
    """
    forget_signals(stopping)
    deadline = time.monotonic() + seconds
    steps = [lambda: database.enter_state(DRAINING), database.fronts_passed]
    said: set[str] = set()
    while steps and time.monotonic() < deadline:
        if is_done(steps[0], said):
            steps.pop(0)
        elif select.select([stopping], [], [], POLL_SECONDS)[0]:
            break
    if steps:
        logger.warning("Front servers may still ask this node: they have not said that they do not.")
    is_done(lambda: database.enter_state(AWAY), said)
    return not steps


def is_done(step: Callable[[], bool], said: set[str]) -> bool:
    """Return whether a step of leaving was done; why it was not is logged, unless it was ``said`` before."""
    try:
        return step()
    except (UnreachableError, RefusedError) as error:
        if str(error) not in said:
            logger.warning("%s", error)
        said.add(str(error))
        return False
