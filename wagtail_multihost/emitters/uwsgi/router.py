"""The files of uWSGI's HTTP router, which say which host is served at which socket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.quoting import uwsgi_quote
from wagtail_multihost.emitters.uwsgi.places import EMPEROR, VASSALS, socket_path
from wagtail_multihost.spec.codebase import OWN_PATH, Codebase
from wagtail_multihost.spec.site import SiteSpec

#: The vassal that answers unknown hosts; no site id starts with an underscore.
UNKNOWN = "_unknown"


def router_files(plan: Plan, shared: dict[str, object]) -> Iterator[EmittedFile]:
    yield EmittedFile(EMPEROR / "hostmap.py", plan.render("uwsgi/hostmap.py"))
    yield EmittedFile(EMPEROR / "mime.types", plan.render("uwsgi/mime.types"))
    yield EmittedFile(EMPEROR / "hosts.txt", render_host_list(plan))
    socket = uwsgi_quote(socket_path(plan, f"{UNKNOWN}.sock"))
    yield EmittedFile(VASSALS / f"{UNKNOWN}.ini", plan.render("uwsgi/unknown.ini", socket=socket, **shared))


def render_host_list(plan: Plan) -> str:
    hosts = [
        (uwsgi_quote(host), uwsgi_quote(socket_path(plan, site.names.socket)))
        for site in plan.sites
        for host in site.hosts
    ]
    return plan.render("uwsgi/hosts.txt", hosts=hosts, unknown=uwsgi_quote(socket_path(plan, f"{UNKNOWN}.sock")))


def closed_patterns(codebase: Codebase) -> Iterator[str]:
    """Yield patterns of the paths that are closed to visitors, with any number of slashes for each slash."""
    for url in dict.fromkeys([OWN_PATH, codebase.health_prefix]):
        # A dot is the only character of such a path with a meaning in a pattern.
        yield f"^/+{'/+'.join(url.strip('/').split('/'))}(/|$)".replace(".", "[.]")


def redirect_patterns(site: SiteSpec) -> Iterator[str]:
    for host in site.hostnames[1:]:
        yield rf"^{re.escape(host)}[.]?(:[0-9]+)?$"
