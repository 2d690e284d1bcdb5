"""Files that an emitter yields. Yielding writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.server import NginxOptions, UwsgiOptions
from wagtail_multihost.spec.site import SiteSpec

#: The first line of every emitted file. Only files that have it are ever overwritten or removed.
OWNERSHIP_LINE = "# Managed by wagtail-multihost; do not edit."
FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """
    A file below the output folder: its relative ``path``, ``text`` and ``mode``. ``site`` is the id of
    the site that it belongs to, blank for a file that all sites share.
    """

    path: PurePosixPath
    text: str
    mode: int = FILE_MODE
    site: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What an emitter is given: the ``platform``, its enabled ``sites``, the ``codebase``, the ``registry`` as
    the sites' processes open it, and the absolute ``directory`` that the files will be written to. With
    ``only`` set, files of other sites are not rendered; shared files always are.
    """

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    codebase: Codebase
    registry: str
    directory: Path
    only: frozenset[str] = frozenset()

    @property
    def nginx(self) -> NginxOptions:
        """The platform's options of nginx, or the defaults."""
        return self.platform.nginx or NginxOptions()

    @property
    def uwsgi(self) -> UwsgiOptions:
        """The platform's options of uWSGI, or the defaults."""
        return self.platform.uwsgi or UwsgiOptions()

    @property
    def chosen(self) -> tuple[SiteSpec, ...]:
        """The sites whose own files are rendered."""
        return tuple(site for site in self.sites if not self.only or site.id in self.only)
