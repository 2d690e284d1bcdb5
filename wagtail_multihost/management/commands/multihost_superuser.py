"""Make a superuser of a site, who chooses a password by a link."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.identity.deadline import deadline
from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.management.as_site import SiteCommand
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.nodeapi.job_kinds import parse_email


class Command(SiteCommand):
    help = (
        "Make a superuser of the site with a mail address, unless there is one, and send a link there by the site's "
        "own mail, with which a password is chosen once. The site's other superusers are told by mail. An account that "
        "is no superuser is never made one."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_superuser aurora --email=ada@example.org",
        "manage.py multihost_superuser aurora --email=ada@example.org --print",
    )
    json_help = "print what was done as JSON; with --print it has the link"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--email", required=True, metavar="ADDRESS", help="the mail address of the superuser")
        parser.add_argument(
            "--print",
            action="store_true",
            dest="prints",
            help="print the link instead of sending it, as for a site that sends no mail: whoever reads it gets in",
        )

    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        from wagtail_multihost.management.superusers import make_superuser

        prints = options["prints"]
        try:
            address = parse_email(options["email"])
        except ValueError as error:
            raise ConfigurationError.because(str(error), where="--email", site=own.site.id) from None
        with deadline(connections[DEFAULT_DB_ALIAS], "looked for the superuser"):
            made = make_superuser(own.site.id, address, prints=prints)
        if made.caution:
            self.tell(made.caution)
        if options["json"]:
            data = {"site": own.site.id, "email": address, "new": made.is_new, "told": made.told, "sent": not prints}
            self.print_json({**data, **({"link": made.link} if prints else {})})
            return
        self.stdout.write(f"The superuser {address} {'was made' if made.is_new else 'was there already'}.")
        if made.told:
            self.stdout.write(f"{made.told} other superusers of the site were told.")
        self.stdout.write(made.link if prints else f"A link to choose a password was sent to {address}.")
