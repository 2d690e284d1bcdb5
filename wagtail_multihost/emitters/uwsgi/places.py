"""Paths of the files and sockets of vassals."""

from __future__ import annotations

from pathlib import PurePosixPath

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.sockets import refuse_long_path
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

VASSALS = PurePosixPath("uwsgi")
# The emperor asks for a vassal's socket only when it finds the file, so a site that changes to on demand becomes
# another vassal, with another path (core/emperor.c, uwsgi_imperial_monitor_glob).
ON_DEMAND = PurePosixPath("uwsgi-on-demand")
EMPEROR = PurePosixPath("uwsgi-emperor")
LOADER = EMPEROR / "load.py"
# A unix address is 108 bytes with its NUL (unix(7)); uWSGI's on-demand sockets end five earlier.
SOCKET_PATH_BYTES = 102


def vassal_path(plan: Plan, site: SiteSpec) -> PurePosixPath:
    return (ON_DEMAND if plan.options(UwsgiOptions, site).on_demand else VASSALS) / f"{site.id}.ini"


def socket_path(plan: Plan, name: str) -> str:
    """Return the path of a socket in the platform's folder. Raises RenderError if it is too long for an address."""
    path = f"{plan.platform.sockets}/{name}"
    refuse_long_path(path, SOCKET_PATH_BYTES, "Name a shorter folder in the platform's sockets.")
    return path


def stats_path(plan: Plan, site: SiteSpec) -> str:
    """Return the path of a site's stats socket, in its own folder because statistics include visitors' cookies."""
    path = str(plan.platform.local_path(site.id, "tmp") / "uwsgi.stats")
    refuse_long_path(path, SOCKET_PATH_BYTES, "Name a shorter folder in the platform's data, or remove stats.")
    return path
