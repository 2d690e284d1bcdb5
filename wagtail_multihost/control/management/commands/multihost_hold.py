"""Hold a site, a node, or everything."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.holds import (
    EVERYTHING,
    Target,
    current_holds,
    find_target,
    hold,
    holds_on,
    release_target,
)
from wagtail_multihost.control.models import Hold
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.time_lengths import parse_length
from wagtail_multihost.spec.times import shown_time


class Command(ControlCommand):
    help = (
        "Hold a site, a node, or everything: nodes apply, heal and move nothing of it until the hold ends, by itself "
        "or with --release. A site that is disabled, suspended or retired meanwhile serves on until then."
    )
    exit_codes: ClassVar = {"0": "done", "1": "with --release: there was no hold", "2": COULD_NOT_BE_DONE}
    examples = (
        'manage.py multihost_hold aurora --for 2h --reason "restore of the database"',
        'manage.py multihost_hold ALL --for 30m --reason "network work"',
        "manage.py multihost_hold aurora --release",
        "manage.py multihost_hold --list --json",
        "manage.py multihost_hold aurora --list",
    )
    json_help = "print the holds, made, ended or listed, as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "target",
            metavar="TARGET",
            nargs="?",
            default="",
            help="the id of a site or a node (site:ID or node:ID where both have it), or ALL",
        )
        parser.add_argument(
            "--for", dest="length", metavar="LENGTH", default="", help="how long: 90s, 30m, 2h, at most 7d"
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="why, for those who find it held")
        parser.add_argument("--release", action="store_true", help="end all holds of it now")
        parser.add_argument(
            "--list", action="store_true", help="print the holds that have not ended, with TARGET those that hold it"
        )

    def work(self, **options: Any) -> None:
        if options["list"]:
            target = find_target(own_authority(), options["target"]) if options["target"] else None
            self.print_holds(list(holds_on(target) if target else current_holds()), as_json=options["json"])
            return
        if not options["target"]:
            raise CommandError(f"State the id of a site or a node, or {EVERYTHING}, or --list.", returncode=COULD_NOT)
        target = find_target(own_authority(), options["target"])
        if options["release"]:
            self.release(target, options["reason"], as_json=options["json"])
        else:
            self.make_hold(target, options["length"], options["reason"], as_json=options["json"])

    def make_hold(self, target: Target, length: str, reason: str, *, as_json: bool) -> None:
        if not length:
            raise CommandError("State with --for how long it is held, such as 2h.", returncode=COULD_NOT)
        try:
            seconds = parse_length(length)
        except ValueError as error:
            raise CommandError(f"--for: {error}", returncode=COULD_NOT) from None
        made = hold(own_authority(), target.site, target.node, seconds=seconds, reason=reason)
        self.print_holds([made], as_json=as_json)

    def release(self, target: Target, reason: str, *, as_json: bool) -> None:
        ended = release_target(own_authority(), target, reason=reason)
        if not ended:
            raise CommandError(f"There is no hold of {target.name}.", returncode=1)
        if as_json:
            self.print_holds(ended, as_json=True)
        else:
            self.stdout.write(f"{target.name} is held no more. Nodes apply what has waited.")

    def print_holds(self, holds: list[Hold], *, as_json: bool) -> None:
        if as_json:
            self.print_json([hold_row(one) for one in holds])
            return
        if not holds:
            self.stdout.write("Nothing is held.")
        for one in holds:
            what = f"{Target(one.site, one.node).name} is held until {shown_time(one.until)} by {one.actor}"
            self.stdout.write(f"{what}: {one_line(one.reason)}")


def hold_row(one: Hold) -> dict[str, object]:
    return {
        "id": str(one.pk),
        "site": one.site.identifier if one.site else None,
        "node": one.node.pk if one.node else None,
        "reason": one.reason,
        "actor": one.actor,
        "since": one.since.isoformat(timespec="seconds"),
        "until": one.until.isoformat(timespec="seconds"),
    }
