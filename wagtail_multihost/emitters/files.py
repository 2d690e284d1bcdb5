"""Files that an emitter yields. Yielding writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from wagtail_multihost.emitters.rendering import render
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

FILE_MODE = 0o644
# Made once: they check themselves when they are made, and each site asks for them.
NGINX, UWSGI, SYSTEMD = NginxOptions(), UwsgiOptions(), SystemdOptions()


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """
    A file below the output folder: its relative ``path``, ``text`` and ``mode``. ``site`` is the id of
    the site that it belongs to, blank for a file that all sites share. ``group`` is the name of the group that it is
    given to where root writes it, blank for root's own.
    """

    path: PurePosixPath
    text: str
    mode: int = FILE_MODE
    site: str = ""
    group: str = ""


# Compared by identity, so that what is found out about all sites of a plan can be kept.
@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """
    What an emitter is given: the ``platform``, its enabled ``sites``, the ``codebase``, the ``registry`` as
    the sites' processes open it, and the absolute ``directory`` that the files will be written to. With
    ``only`` set, files of other sites are not rendered; shared files always are. ``node`` is the platform's node
    that the files are for, whose sites ``sites`` are; blank for the front server, and where all is on one machine.
    ``source`` is the registry as the operator's commands open it, blank where that is not known.
    """

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    codebase: Codebase
    registry: str
    directory: Path
    only: frozenset[str] = frozenset()
    node: str = ""
    source: str = ""

    @property
    def nginx(self) -> NginxOptions:
        """The platform's options of nginx, or the defaults."""
        return self.platform.nginx or NGINX

    @property
    def uwsgi(self) -> UwsgiOptions:
        """The platform's options of uWSGI, or the defaults."""
        return self.platform.uwsgi or UWSGI

    @property
    def systemd(self) -> SystemdOptions:
        """The platform's options of systemd, or the defaults."""
        return self.platform.systemd or SYSTEMD

    def nginx_of(self, site: SiteSpec) -> NginxOptions:
        """Return the options of nginx with the site's own on top."""
        return self.nginx.overlaid(site.nginx)

    def uwsgi_of(self, site: SiteSpec) -> UwsgiOptions:
        """Return the options of uWSGI with the site's own on top."""
        return self.uwsgi.overlaid(site.uwsgi)

    def systemd_of(self, site: SiteSpec) -> SystemdOptions:
        """Return the options of systemd with the site's own on top."""
        return self.systemd.overlaid(site.systemd)

    def codebase_of(self, site: SiteSpec) -> Codebase:
        """Return the code that the site runs: the platform's, or in part its own."""
        return replace(self.codebase, **dict(site.code)) if site.code else self.codebase  # type: ignore[arg-type]

    def render(self, name: str, **values: object) -> str:
        """Return the template ``name``, the integrator's before the package's, with ``values`` (quoted already)."""
        return render(name, templates=self.platform.templates, **values)

    @property
    def chosen(self) -> tuple[SiteSpec, ...]:
        """The sites whose own files are rendered."""
        return tuple(site for site in self.sites if not self.only or site.id in self.only)
