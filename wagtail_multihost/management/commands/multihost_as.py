"""Run a management command as a site."""

from __future__ import annotations

from argparse import REMAINDER
from typing import Any

from django.core.management.base import CommandParser

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.as_site import start_as
from wagtail_multihost.management.command import MultihostCommand


class Command(MultihostCommand):
    help = (
        "Run a management command as a site, in a process of its own: multihost_as SITE COMMAND [ARGUMENT…]. "
        "Exit codes: the command's own, or 2 when the site is unknown, disabled or has problems."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("site", metavar="SITE", help="the id of the site")
        parser.add_argument("command", metavar="COMMAND", nargs=REMAINDER, help="the command and its arguments")

    def run(self, **options: Any) -> None:
        if not options["command"]:
            raise ConfigurationError.because("No command is given: multihost_as SITE COMMAND [ARGUMENT...].")
        start_as(options["site"], options["registry"], options["command"])
