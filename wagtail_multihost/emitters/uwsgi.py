"""
uWSGI: an emperor, and one vassal per site.

Two builds: the wheel pyuwsgi from PyPI, and Debian's package with its Python plugin. With an ``http``
address uWSGI also serves the sites itself, by a router that looks the host up in a closed list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.quoting import literal_pattern, uwsgi_quote, uwsgi_quote_part, uwsgi_quote_route
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

VASSALS = PurePosixPath("uwsgi")
EMPEROR = PurePosixPath("uwsgi-emperor")
#: Answers unknown hosts; not a site id, which never starts with an underscore.
UNKNOWN = "_unknown"
# A unix address is 108 bytes with its NUL (unix(7)); uWSGI's on-demand sockets end five earlier.
SOCKET_PATH_BYTES = 102
SMALLEST_MAX_FD = 1024
SOCKET_MODE = "660"
PRIVATE_SOCKET_MODE = "600"


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """Yield the emperor's ini, one ini per chosen site, and with ``http`` the router's files."""
    shared = shared_values(plan)
    yield EmittedFile(EMPEROR / "emperor.ini", emperor(plan))
    if plan.uwsgi.http:
        yield EmittedFile(EMPEROR / "hostmap.py", plan.render("uwsgi/hostmap.py"))
        yield EmittedFile(EMPEROR / "mime.types", plan.render("uwsgi/mime.types"))
        yield EmittedFile(EMPEROR / "hosts.txt", host_list(plan))
        socket = uwsgi_quote(socket_path(plan, f"{UNKNOWN}.sock"))
        text = plan.render("uwsgi/unknown.ini", socket=socket, **shared)
        yield EmittedFile(VASSALS / f"{UNKNOWN}.ini", text)
    for site in plan.chosen:
        yield EmittedFile(VASSALS / f"{site.id}.ini", vassal(plan, site, shared), site=site.id)


#: The target, as the commands know it.
EMITTER = Emitter(
    name="uwsgi",
    summary="an emperor, and a vassal for each site",
    folders=(str(VASSALS), str(EMPEROR)),
    emit=emit,
    runs_sites=True,
)


def emperor(plan: Plan) -> str:
    options = plan.uwsgi
    folder = plan.directory / EMPEROR
    return plan.render(
        "uwsgi/emperor.ini",
        build=options.build,
        binary=uwsgi_quote(f"{plan.codebase.virtualenv}/bin/uwsgi"),
        # A colon in a vassal's path is for Zergs (https://uwsgi-docs.readthedocs.io/en/latest/Zerg.html).
        vassals=uwsgi_quote_part(f"{literal_pattern(str(plan.directory / VASSALS))}/*.ini"),
        http=uwsgi_quote(options.http),
        hostmap=uwsgi_quote_part(f"{folder}/hostmap.py"),
        scheme=plan.platform.scheme,
        timeout=str(options.harakiri),
        max_fd=str(max_fd(len(plan.sites))),
    )


def shared_values(plan: Plan) -> dict[str, object]:
    """Return what every vassal has in common, quoted once."""
    codebase, options = plan.codebase, plan.uwsgi
    return {
        "build": options.build,
        "python": uwsgi_quote(f"{codebase.virtualenv}/bin/python3"),
        "virtualenv": uwsgi_quote(str(codebase.virtualenv)),
        "directory": uwsgi_quote(str(codebase.directory)),
        "wsgi": uwsgi_quote(codebase.wsgi),
        "settings_module": uwsgi_quote(codebase.settings_module),
        "registry": uwsgi_quote(plan.registry),
        "processes": str(options.processes),
        "threads": str(options.threads),
        "harakiri": str(options.harakiri),
        "max_requests": str(options.max_requests),
        "socket_mode": PRIVATE_SOCKET_MODE if options.http else SOCKET_MODE,
        "serves_http": bool(options.http),
        "mime_types": uwsgi_quote(f"{plan.directory / EMPEROR}/mime.types"),
        "static_url": uwsgi_quote((codebase.static_url or "").rstrip("/")) if codebase.static_root else "",
        "static_root": uwsgi_quote(str(codebase.static_root or "")),
        "media_url": uwsgi_quote(re.escape(codebase.media_url or "")),
    }


def vassal(plan: Plan, site: SiteSpec, shared: dict[str, object]) -> str:
    serves_http = shared["serves_http"]
    origin = plan.platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical))
    return plan.render(
        "uwsgi/vassal.ini",
        site=uwsgi_quote(site.id),
        socket=uwsgi_quote(socket_path(plan, site.names.socket)),
        temporary=uwsgi_quote(str(plan.platform.local_path(site.id, "tmp"))),
        media_root=uwsgi_quote_route(str(site.storage.path or "")) if serves_http else "",
        redirects=[uwsgi_quote(pattern) for pattern in redirect_patterns(site)] if serves_http else [],
        origin=uwsgi_quote(origin) if serves_http else "",
        **shared,
    )


def redirect_patterns(site: SiteSpec) -> Iterator[str]:
    for host in site.hostnames[1:]:
        yield rf"^{re.escape(host)}(:[0-9]+)?$"


def host_list(plan: Plan) -> str:
    hosts = [
        (uwsgi_quote(host), uwsgi_quote(socket_path(plan, site.names.socket)))
        for site in plan.sites
        for host in site.hosts
    ]
    return plan.render("uwsgi/hosts.txt", hosts=hosts, unknown=uwsgi_quote(socket_path(plan, f"{UNKNOWN}.sock")))


def max_fd(sites: int) -> int:
    """Return how many files the emperor may open: one stays open for each vassal."""
    return max(SMALLEST_MAX_FD, 1 << (sites + SMALLEST_MAX_FD // 2).bit_length())


def socket_path(plan: Plan, name: str) -> str:
    path = f"{plan.platform.sockets}/{name}"
    if len(path.encode()) > SOCKET_PATH_BYTES:
        raise RenderError(
            f"The socket {shown(path)} has {len(path.encode())} bytes; at most {SOCKET_PATH_BYTES} are accepted. "
            "Name a shorter folder in the platform's sockets."
        )
    return path
