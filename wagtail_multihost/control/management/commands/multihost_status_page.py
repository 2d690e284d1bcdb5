"""Show the public how the platform's sites, or one of them, are."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.urls import reverse

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.public_status import PLATFORM, SITE
from wagtail_multihost.control.status_pages import show_status
from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.spec.identifiers import shown


class Command(ControlCommand):
    help = (
        "Show the public how a site is, or all sites that show it; with --hide, show it no more. Nothing is shown "
        "unless somebody says so, here or on the site's tab Website."
    )
    exit_codes: ClassVar = {"0": "done, or it was so before", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_status_page aurora",
        "manage.py multihost_status_page --platform",
        "manage.py multihost_status_page aurora --hide",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        subject = parser.add_mutually_exclusive_group(required=True)
        subject.add_argument("site", nargs="?", metavar="SITE", help="the id of a site")
        subject.add_argument("--platform", action="store_true", help="the page of all sites that show it")
        parser.add_argument("--hide", action="store_true", help="show it no more")

    def work(self, **options: Any) -> None:
        site = None if options["platform"] else find_site(options["site"])
        is_new = show_status(own_authority(), site, shown=not options["hide"])
        address = reverse(SITE, args=[site.identifier]) if site else reverse(PLATFORM)
        before = "" if is_new else " It was so before."
        self.stdout.write(f"{address} is {'not ' if options['hide'] else ''}shown to the public.{before}")


def find_site(identifier: str) -> ManagedSite:
    site = ManagedSite.objects.filter(identifier=identifier, retired_at=None).first()
    if site is None:
        raise CommandError(f"There is no site {shown(identifier)}.", returncode=COULD_NOT)
    return site
