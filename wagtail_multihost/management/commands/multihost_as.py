"""Run a management command as a site."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.as_site.options import EXIT_CODES, add_launch_options, run_request
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.as_site import settings_module, start_as_site
from wagtail_multihost.management.command import MultihostCommand


class Command(MultihostCommand):
    help = (
        "Run a management command as a site, in a separate process: multihost_as SITE COMMAND [ARGUMENT…]. When root "
        "calls it, the command runs under the site's account, which the registry names, with a terminal and "
        "environment variables of its own, and everything that it started ends with it. multihost-as does the same and "
        "starts faster."
    )
    exit_codes: ClassVar = EXIT_CODES
    examples = ("manage.py multihost_as aurora migrate", "manage.py multihost_as aurora createsuperuser")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_launch_options(parser)

    def run(self, **options: Any) -> None:
        if not options["command"]:
            raise ConfigurationError.because("No command is given. Usage: multihost_as SITE COMMAND [ARGUMENT...].")
        start_as_site(options["site"], options["command"], run_request(Namespace(**options), settings_module()))
