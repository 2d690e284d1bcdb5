"""Take over a database that has the identity of another site, or retire one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.identity import wagtail_site
from wagtail_multihost.identity.adoption import Adoption, carry_out_adoption, describe_adoption, prepare_adoption
from wagtail_multihost.identity.comparison import drop_connection, suspend_comparison
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.management.as_site import SiteCommand
from wagtail_multihost.management.command import COULD_NOT_BE_DONE

DECLINED = 1


class Command(SiteCommand):
    help = (
        "Make the database in the site's record belong to the site, whichever site it belonged to before: a copy of "
        "another site's database, one from staging, or a retired one. Wagtail's default Site row gets the site's "
        "canonical hostname. Shows what it will do and asks first. This is the only command that connects to a "
        "database with another identity."
    )
    exit_codes: ClassVar = {
        "0": "done, or nothing to do",
        "1": "declined, nothing was changed",
        "2": COULD_NOT_BE_DONE,
    }
    json_help = "print what was or would be done as JSON, without a question: with --noinput or --dry-run"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--retire",
            action="store_true",
            help="retire the database instead, as after a move: the site never connects to it again",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
        parser.add_argument(
            "--noinput", "--no-input", action="store_false", dest="interactive", help="do not ask for confirmation"
        )

    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        if options["json"] and options["interactive"] and not options["dry_run"]:
            raise CommandError("--json asks nothing: give --noinput or --dry-run as well.", returncode=COULD_NOT)
        connection = connections[DEFAULT_DB_ALIAS]
        connection.close()
        try:
            with suspend_comparison():
                self.adopt(prepare_adoption(own, retires=options["retire"]), **options)
        finally:
            drop_connection(connection)

    def adopt(self, adoption: Adoption, *, dry_run: bool, interactive: bool, **options: Any) -> None:
        lines, site = describe_adoption(adoption), adoption.own.site.id
        does = adoption.is_needed and not dry_run
        if not options["json"]:
            self.stdout.write("\n".join([*lines, *([] if adoption.is_needed else ["There is nothing to do."])]))
        if does:
            self.carry_out(adoption, interactive=interactive)
        if options["json"]:
            self.print_json({"site": site, "needed": adoption.is_needed, "done": does, "lines": lines})
        elif does:
            self.stdout.write(f"Done. Restart the processes of {site}.")

    def carry_out(self, adoption: Adoption, *, interactive: bool) -> None:
        if interactive and not ask_confirmation(adoption):
            raise CommandError("Declined. Nothing was changed.", returncode=DECLINED)
        carry_out_adoption(adoption)
        if adoption.plan.steps and not wagtail_site.forget_root_paths():
            self.stderr.write("The cache cannot be reached; Wagtail may use the old addresses for up to an hour.")


def ask_confirmation(adoption: Adoption) -> bool:
    what = "Retire this database of" if adoption.retires else "Take over this database for"
    try:
        answer = input(f"{what} the site {adoption.own.site.id}? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
