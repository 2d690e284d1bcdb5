"""Commands that run as a site, in a process of its own."""

from __future__ import annotations

import os
import pwd
import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.identity.own import Own, own_identity
from wagtail_multihost.management.command import COULD_NOT, MultihostCommand, registry_of
from wagtail_multihost.registry import REGISTRY_VARIABLE, SITE_VARIABLE
from wagtail_multihost.resolver.folders import owner_of
from wagtail_multihost.spec.identifiers import shown


def start_as(site: str, registry: str | None, words: Sequence[str]) -> NoReturn:
    """
    Start manage.py with ``words`` as ``site``, in this process's place: so signals, the terminal and the exit code
    are the command's own. Raises ConfigurationError when the site is unknown, disabled or has problems.
    """
    platform, _ = registry_of(registry).site(site, reads_secrets=False)
    environ = {**os.environ, SITE_VARIABLE: site, "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE}
    if registry is not None:
        environ[REGISTRY_VARIABLE] = registry
    environ.update(become_owner(owner_of(platform, site)))
    start = program()
    # The command line is the operator's, as in any other call of manage.py.
    os.execve(start[0], [*start, *words], environ)  # noqa: S606


def become_owner(uid: int | None) -> dict[str, str]:
    """
    From root, go on as the account that the site's folder belongs to: files there may be links that the site made.
    Return the variables that name the account's home.
    """
    if os.geteuid() != 0 or uid in (None, 0):
        return {}
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        os.setgroups([])
        gid, home = uid, "/"
    else:
        os.initgroups(account.pw_name, account.pw_gid)
        gid, home = account.pw_gid, account.pw_dir
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    return {"HOME": home}


def program() -> list[str]:
    """Return the words that start this project's manage.py again."""
    script = Path(sys.argv[0])
    if script.suffix == ".py" and script.name != "__main__.py" and script.is_file():
        return [sys.executable, str(script)]
    return [sys.executable, "-m", "django"]


def own_or_start(name: str, site: str, registry: str | None) -> Own:
    """Return the identity of ``site``; from a process of no site start the command ``name`` again."""
    own = own_identity()
    if own and own.site.id != site:
        message = f"It names the site {own.site.id}, but the command is for {shown(site)}. Unset it."
        raise ConfigurationError.because(message, where=SITE_VARIABLE)
    if own and registry in (None, os.environ.get(REGISTRY_VARIABLE)):
        return own
    if sys.argv[1:2] != [name]:
        message = f"It must name the site {shown(site)} where {name} is not run by manage.py."
        raise ConfigurationError.because(message, where=SITE_VARIABLE)
    start_as(site, registry, sys.argv[1:])


class SiteCommand(MultihostCommand):
    """A command about one site's database. Where the process is no site's, it starts again as the site."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("site", metavar="SITE", help="the id of the site")

    def run(self, **options: Any) -> None:
        own = self.own(options["site"], options["registry"])
        try:
            self.run_as(own, **options)
        except Error as error:
            raise CommandError(f"The database cannot be used: {error}", returncode=COULD_NOT) from None

    @abstractmethod
    def run_as(self, own: Own, **options: Any) -> None:
        """Do the command's work as the site."""

    def own(self, site: str, registry: str | None) -> Own:
        """Return the identity of the site, in a process of the site."""
        return own_or_start(type(self).__module__.rpartition(".")[2], site, registry)
