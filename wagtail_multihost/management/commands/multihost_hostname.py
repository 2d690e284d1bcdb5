"""Give Wagtail's default Site row the hostname and port that the site's record says."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_multihost.exceptions import IdentityError
from wagtail_multihost.identity import wagtail_site
from wagtail_multihost.identity.adoption import site_plan
from wagtail_multihost.identity.claim import commit_at_end
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.identity.wagtail_site import SiteRowPlan
from wagtail_multihost.management.as_site import SiteCommand
from wagtail_multihost.management.command import COULD_NOT_BE_DONE

DIFFERS = 1


class Command(SiteCommand):
    help = (
        "Give Wagtail's default Site row the site's canonical hostname and the port of its origin. Other Site rows "
        "stay as they are. Run it as the last step of a change of hostname, after the site's process and the front "
        "server use the new one."
    )
    exit_codes: ClassVar = {
        "0": "done, or nothing differs",
        "1": "--check found a difference",
        "2": COULD_NOT_BE_DONE,
    }
    json_help = "print the changes as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a row would change")
        group.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")

    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        writes = not (options["check"] or options["dry_run"])
        with deadline(connections[DEFAULT_DB_ALIAS], "shown or changed its Site rows"):
            plan = self.carry_out(own) if writes else self.make_plan(own)
        if writes and plan.steps and not wagtail_site.forget_root_paths():
            self.stderr.write("The cache cannot be reached; Wagtail may use the old addresses for up to an hour.")
        if options["json"]:
            self.print_json({"site": own.site.id, "changes": list(plan.lines), "done": writes})
        else:
            self.stdout.write("\n".join(plan.lines) or "There is nothing to do.")
        if options["check"] and plan.steps:
            raise CommandError("A Site row differs from the site's record.", returncode=DIFFERS)

    def carry_out(self, own: OwnIdentity) -> SiteRowPlan:
        with commit_at_end(DEFAULT_DB_ALIAS):
            plan = self.make_plan(own)
            wagtail_site.take_steps(plan, DEFAULT_DB_ALIAS)
        return plan

    def make_plan(self, own: OwnIdentity) -> SiteRowPlan:
        plan = site_plan(own)
        if plan.problem:
            raise IdentityError(plan.problem)
        return plan
