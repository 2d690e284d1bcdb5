"""Run a management command as a site."""

from __future__ import annotations

import os
import sys
from argparse import REMAINDER
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.command import MultihostCommand, registry_of
from wagtail_multihost.registry import REGISTRY_VARIABLE
from wagtail_multihost.registry.environment import SITE_VARIABLE


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
        url = options["registry"]
        if not options["command"]:
            raise ConfigurationError.because("No command is given: multihost_as SITE COMMAND [ARGUMENT...].")
        registry_of(url).site(options["site"], reads_secrets=False)
        environ = {**os.environ, SITE_VARIABLE: options["site"], "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE}
        if url is not None:
            environ[REGISTRY_VARIABLE] = url
        words = program()
        # In this process's place, so that signals, the terminal and the exit code are the command's own. The command
        # line is the operator's, as in any other call of manage.py.
        os.execve(words[0], [*words, *options["command"]], environ)  # noqa: S606


def program() -> list[str]:
    """Return the words that start this project's manage.py again."""
    script = Path(sys.argv[0])
    if script.suffix == ".py" and script.name != "__main__.py" and script.is_file():
        return [sys.executable, str(script)]
    return [sys.executable, "-m", "django"]
