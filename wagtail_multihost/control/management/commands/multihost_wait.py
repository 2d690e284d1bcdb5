"""Wait until nodes have a change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.control.command import ControlCommand
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.node_status import (
    NO_NODE,
    NodeSync,
    SiteOnNode,
    SiteStatus,
    SyncStatus,
    site_status,
    sync_status,
)
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.spec.printing import one_line

NOT_YET = 1
#: Seconds between looks, and until it is said for whom it waits.
PAUSE, QUIET = 0.25, 2.0
LONGEST = 86_400
Status = SyncStatus | SiteStatus


class Command(ControlCommand):
    help = (
        "Wait until all active nodes have applied a change: their applied revision is at or above it, they were seen "
        "within 90 seconds, and no wave holds it back from them."
    )
    exit_codes: ClassVar = {"0": "all nodes have it", "1": "some did not have it in time", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_wait",
        "manage.py multihost_wait --revision 4127 --timeout 300",
        "manage.py multihost_wait --site aurora --json",
    )
    json_help = "print which nodes have it as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--revision",
            metavar="N",
            type=int,
            help="the revision of the change (default: the registry's, or with --site that of the site's last change)",
        )
        parser.add_argument("--site", metavar="ID", help="wait for this site alone, on the nodes that have it")
        parser.add_argument(
            "--timeout", metavar="SECONDS", type=float, default=60.0, help="how long to wait at most (default: 60)"
        )

    def work(self, **options: Any) -> None:
        if not 0 <= options["timeout"] <= LONGEST:
            raise ConfigurationError.because(f"It must be from 0 to {LONGEST} seconds.", where="--timeout")
        status = self.wait(options["site"], options["revision"], options["timeout"], options["verbosity"])
        late = lagging(status)
        if options["json"]:
            self.print_json(row_of(status))
        elif status.synced:
            self.stdout.write(f"Revision {status.revision} is on all nodes ({len(asked(status))}).")
        if not status.synced:
            said = one_line("; ".join(f"{one.node.id}: {one.why}" for one in late)) or NO_NODE
            raise CommandError(f"Revision {status.revision} is not on all nodes. {said}", returncode=NOT_YET)

    def wait(self, site: str | None, revision: int | None, seconds: float, verbosity: int) -> Status:
        """Return how it is once all have it, or the time is over."""
        start, told = time.monotonic(), ""
        status = read_status(site, revision)
        while not status.synced and time.monotonic() - start < seconds:
            names = ", ".join(one.node.id for one in lagging(status))
            if verbosity and names != told and time.monotonic() - start > QUIET:
                told = names
                self.stderr.write(f"Waiting for {names or 'an active node'}.")
            time.sleep(min(PAUSE, max(0.0, start + seconds - time.monotonic())))
            # What is asked for stays, while others change more.
            status = read_status(site, status.revision)
        return status


def read_status(site: str | None, revision: int | None) -> Status:
    if revision is not None and revision < 0:
        raise ConfigurationError.because("It must be 0 or more.", where="--revision")
    if site is None:
        status: Status = sync_status(revision)
    else:
        found = ManagedSite.objects.filter(identifier=site, retired_at=None).first()
        if found is None:
            raise ConfigurationError.because(NO_SITE, where=f"Site {site}", site=site)
        status = site_status(found, revision)
    if status.revision > status.head:
        said = f"The registry has revision {status.head} only, so no node can have {status.revision}."
        raise ConfigurationError.because(said, where="--revision")
    return status


def asked(status: Status) -> Sequence[NodeSync | SiteOnNode]:
    return [one for one in status.nodes if one.node.is_asked]


def lagging(status: Status) -> Sequence[NodeSync | SiteOnNode]:
    return [one for one in asked(status) if not one.has_it]


def row_of(status: Status) -> dict[str, object]:
    return {
        "revision": status.revision,
        "head": status.head,
        "at": status.at.isoformat(),
        "synced": status.synced,
        "nodes": [
            {
                "id": one.node.id,
                "state": one.node.state,
                "asked": one.node.is_asked,
                "applied": one.node.applied,
                "seen_at": one.node.seen_at.isoformat() if one.node.seen_at else None,
                "has_it": one.has_it,
                "why": one.why,
                "held_back": str(one.node.held_back) if one.node.held_back else None,
            }
            for one in status.nodes
        ],
    }
