"""Commands that run as a site, in a separate process."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error

from wagtail_multihost.as_site.run import RunRequest, run_as_site
from wagtail_multihost.exceptions import COULD_NOT, ConfigurationError
from wagtail_multihost.identity.own import OwnIdentity, own_identity
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE
from wagtail_multihost.running import registry_of
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import escape_unprintable, one_line

REGISTRY_OPTION = "--registry"


def start_as_site(site: str, words: Sequence[str], request: RunRequest) -> NoReturn:
    """
    Run manage.py with ``words`` as ``site``, and exit with its code. Raises ConfigurationError when the site is
    unknown, disabled or has problems, and LaunchError when it cannot be started.
    """
    ended = run_as_site(site, registry_of(request.registry), restart_words(), words, request)
    if ended.sentence:
        print(escape_unprintable(ended.sentence), file=sys.stderr)
    sys.exit(ended.code)


def settings_module() -> str:
    return str(settings.SETTINGS_MODULE)


def without_registry(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without ``--registry``, also where it is abbreviated."""
    kept = []
    rest = iter(words)
    for word in rest:
        name, is_joined, _ = word.partition("=")
        if len(name) > len("--") and REGISTRY_OPTION.startswith(name):
            if not is_joined:
                next(rest, None)
            continue
        kept.append(word)
    return kept


def restart_words() -> list[str]:
    """Return the words that start this project's manage.py again."""
    script = Path(sys.argv[0])
    if script.suffix == ".py" and script.name != "__main__.py" and script.is_file():
        return [sys.executable, str(script.absolute())]
    return [sys.executable, "-m", "django"]


def own_identity_or_start(name: str, site: str, registry: str | None) -> OwnIdentity:
    """Return the identity of ``site``; in a process without a site, start the command ``name`` again as the site."""
    own = own_identity()
    if own and own.site.id != site:
        message = f"It names the site {own.site.id}, but the command is for {shown(site)}. Unset it."
        raise ConfigurationError.because(message, where=SITE_VARIABLE)
    if own and registry in (None, os.environ.get(REGISTRY_VARIABLE)):
        return own
    if sys.argv[1:2] != [name]:
        message = f"It must name the site {shown(site)} when {name} is not run by manage.py."
        raise ConfigurationError.because(message, where=SITE_VARIABLE)
    # The new process finds its registry in its variables, and may not be allowed to read this one.
    start_as_site(site, without_registry(sys.argv[1:]), RunRequest(settings=settings_module(), registry=registry))


class SiteCommand(MultihostCommand):
    """A command about one site's database. In a process without a site it starts again as the site."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("site", metavar="SITE", help="the id of the site")

    def run(self, **options: Any) -> None:
        own = self.own(options["site"], options["registry"])
        try:
            self.run_as(own, **options)
        except Error as error:
            raise CommandError(f"The database cannot be used: {one_line(error)}", returncode=COULD_NOT) from None

    @abstractmethod
    def run_as(self, own: OwnIdentity, **options: Any) -> None:
        """Do the command's work as the site."""

    def own(self, site: str, registry: str | None) -> OwnIdentity:
        """Return the identity of the site; in a process without a site, start again as the site."""
        return own_identity_or_start(type(self).__module__.rpartition(".")[2], site, registry)
