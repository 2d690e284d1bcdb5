"""
The agent's loop: read what has changed, apply it, report, and wait. It converges to what the registry says now,
whatever it missed, and changes nothing where it cannot know.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.node.applying import Applier
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import (
    IncompleteError,
    Known,
    Merged,
    NodeReading,
    Table,
    WentBackError,
    merge_reading,
    needs_whole,
)
from wagtail_multihost.node.specs import Open, Specs, make_specs
from wagtail_multihost.node.state_file import keep_known, read_known
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    APPLIED,
    JOINING,
    NO_BELL,
    REGISTRY_UNREACHABLE,
    REGISTRY_WENT_BACK,
    SITE_REFUSED,
)
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.version import own_version

logger = logging.getLogger(__name__)

#: Seconds. What rings within the first is applied together, but nothing waits longer than the second.
QUIET, LONGEST_QUIET = 0.2, 2.0
#: After so long without a change, the next one does not wait.
CALM = 10.0
#: While nothing rings, or the bell is not heard.
WITHOUT_BELL = 2.0
#: Seconds between attempts that fail, doubled each time.
FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0
#: The same while the database is away.
FIRST_AWAY, LONGEST_AWAY = 0.05, 5.0


class Agent:
    """The agent of a node. ``stopping`` is a descriptor that can be read once it is to stop."""

    def __init__(self, options: AgentOptions, environ: Mapping[str, str], stopping: int, open_sealed: Open) -> None:
        self.options = options
        self.environ = environ
        self.stopping = stopping
        self.open_sealed = open_sealed
        self.database = NodeDatabase(options.registry)
        self.registry = PostgresRegistry(options.registry, environ)
        self.applier = Applier(options, self.registry)
        self.conditions = Conditions()
        self.boot = uuid4()
        self.known: Known | None = None
        self.applied: Known | None = None
        self.node: NodeFile | None = None
        self.specs: Specs | None = None
        self.failures = 0
        self.changed_at = 0.0
        self.reported_at = 0.0
        self.is_ready = False

    @property
    def folder(self) -> Path:
        """The folder for what the agent keeps."""
        stated = self.options.state
        if stated is not None:
            return stated
        node = self.node or self.registry.read_node()
        return Path(str(node.platform.get("data", "/var/lib/multihost"))) / "agent"

    def start(self) -> None:
        """Recall what was known before this start, so that an older state is noticed and the database may be away."""
        try:
            self.known = read_known(self.folder, self.options.registry)
        except ConfigurationError as error:
            logger.warning("%s", error)

    def turn(self) -> float:
        """Read and apply what has changed, and report; return how many seconds to wait at most."""
        try:
            merged = self.read()
        except (UnreachableError, RefusedError) as error:
            return self.go_without(str(error))
        except (WentBackError, IncompleteError) as error:
            self.conditions.set(REGISTRY_WENT_BACK, status=isinstance(error, WentBackError), message=str(error))
            self.conditions.set(APPLIED, status=False, reason=type(error).__name__, message=str(error))
            self.report()
            return self.failed(str(error))
        self.conditions.set(REGISTRY_UNREACHABLE, status=False)
        self.conditions.set(REGISTRY_WENT_BACK, status=False)
        self.conditions.set(NO_BELL, status=not self.database.has_bell)
        try:
            self.apply(merged)
        except (MultihostError, OSError) as error:
            self.conditions.set(APPLIED, status=False, reason=type(error).__name__, message=str(error))
            self.report()
            return self.failed(str(error))
        self.failures = 0
        self.report()
        return self.pause

    @property
    def pause(self) -> float:
        poll = self.options.poll if self.database.has_bell else WITHOUT_BELL
        return poll * random.uniform(0.8, 1.2)  # noqa: S311  # so that not all nodes ask at once

    def read(self) -> Merged:
        """Return what is known now, with as little reading as that takes."""
        before = self.known
        # What was known before a start has no specs yet, and may be of another version of the agent.
        reading = self.database.read(before.revision, before.serial) if before and self.specs else self.read_all()
        merged = None if needs_whole(before, reading) else merge_reading(before, reading)
        if merged is None:
            merged = merge_reading(before, self.read_all())
        if merged is None:
            raise IncompleteError("The database does not say how many sites this node has.")
        return merged

    def read_all(self) -> NodeReading:
        return self.database.read(also=self.known.sites if self.known else ())

    def apply(self, merged: Merged) -> None:
        """Put what was read into use; what failed before is tried again with it."""
        node = self.registry.read_node()
        is_whole = self.specs is None or merged.platform_changed or node != self.node
        touched = None if is_whole else merged.touched | set(self.specs.refused if self.specs else ())
        if touched is not None and not (touched or merged.gone):
            self.known = self.applied = merged.known
            self.conditions.set(APPLIED, status=True, revision=merged.known.revision)
            return
        before = self.specs.sites if self.specs else {}
        specs = make_specs(merged.known, touched, self.specs, node, self.environ, self.open_sealed)
        applied = self.applier.apply(specs, touched, merged.gone, before)
        refused = {**specs.refused, **applied.refused, **dict.fromkeys(merged.missing, MISSING)}
        self.specs = Specs(specs.platform, applied.sites, refused)
        self.node, self.known, self.applied = node, merged.known, merged.known
        self.changed_at = time.monotonic()
        self.conditions.set(APPLIED, status=True, revision=merged.known.revision)
        self.conditions.set(SITE_REFUSED, status=bool(refused), message=", ".join(sorted(refused)))
        logger.info("Revision %s is applied: %s files changed.", merged.known.revision, applied.files)
        self.keep(merged.known)
        if not self.is_ready:
            self.become_ready(merged.known.node)

    def keep(self, known: Known) -> None:
        try:
            keep_known(self.folder, self.options.registry, known)
        except OSError as error:
            logger.warning("What is known cannot be kept in %s: %s.", self.folder, error.strerror)

    def become_ready(self, node: Table) -> None:
        """Say that all is applied: to whoever started the agent, and to the registry."""
        self.is_ready = True
        tell_supervisor("READY=1")
        if node["state"] == JOINING:
            try:
                self.database.enter_state(ACTIVE)
            except (UnreachableError, RefusedError) as error:
                logger.warning("%s", error)

    def report(self) -> None:
        """Say what is applied and how the node is; a database that is away is told later."""
        refused = dict(self.specs.refused) if self.specs else {}
        revision = self.applied.revision if self.applied else 0
        try:
            is_duplicate = self.database.report(self.boot, revision, own_version(), self.conditions.rows, refused)
        except (UnreachableError, RefusedError) as error:
            logger.warning("%s", error)
            return
        if is_duplicate:
            logger.error("Another agent reports as the node %s.", self.options.node)
        self.conditions.changed = False
        self.reported_at = time.monotonic()

    def go_without(self, reason: str) -> float:
        """Leave everything as it is while the database is away; return when to ask again."""
        if not self.conditions.holds(REGISTRY_UNREACHABLE):
            logger.warning("%s Sites serve on as they are.", reason)
        self.conditions.set(REGISTRY_UNREACHABLE, status=True, message=reason)
        self.failures += 1
        return random.uniform(0.5, 1) * min(FIRST_AWAY * 2.0**self.failures, LONGEST_AWAY)  # noqa: S311

    def failed(self, reason: str) -> float:
        self.failures += 1
        seconds = min(FIRST_RETRY * 2.0 ** (self.failures - 1), LONGEST_RETRY)
        logger.error("%s Everything stays as it is; the next attempt is in %g s.", reason, seconds)
        return seconds

    def wait(self, seconds: float) -> None:
        """Wait for a bell and, unless it was calm before, until it has been quiet for a moment."""
        if not self.database.wait(seconds, self.stopping) or time.monotonic() - self.changed_at > CALM:
            return
        until = time.monotonic() + LONGEST_QUIET
        while time.monotonic() < until and self.database.wait(QUIET, self.stopping):
            pass


MISSING = "The registry does not list it any more, and does not say that it is gone: nothing is removed."


def tell_supervisor(message: str) -> None:
    """
    Tell systemd, or another supervisor that gives a socket for it
    (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        try:
            opened.sendto(message.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            logger.warning("The supervisor could not be told %s: %s.", message, error.strerror)
