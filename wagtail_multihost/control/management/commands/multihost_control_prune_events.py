"""Delete events, jobs and plans that are old."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.jobs import prune_jobs
from wagtail_multihost.control.placing.plans import prune_plans
from wagtail_multihost.control.pruning import DAYS, prune_events
from wagtail_multihost.management.command import COULD_NOT_BE_DONE


class Command(ControlCommand):
    help = (
        "Delete the events of changes that are older than some days, and jobs and plans that ended before, these with "
        "their moves. A node that was away for longer reads everything again. The audit log and former records stay."
    )
    exit_codes: ClassVar = {"0": "done, or there was nothing to delete", "2": COULD_NOT_BE_DONE}
    examples = ("manage.py multihost_control_prune_events", "manage.py multihost_control_prune_events --days 90")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--days", metavar="DAYS", type=int, default=DAYS, help=f"how old they may be (default: {DAYS})"
        )

    def work(self, **options: Any) -> None:
        authority = own_authority()
        count, oldest = prune_events(authority, options["days"])
        jobs = prune_jobs(authority, options["days"])
        plans = prune_plans(authority, options["days"])
        self.stdout.write(f"{count} events were deleted. The oldest that is kept has the revision {oldest}.")
        self.stdout.write(f"{jobs} jobs were deleted.")
        self.stdout.write(f"{plans} plans of moves were deleted.")
