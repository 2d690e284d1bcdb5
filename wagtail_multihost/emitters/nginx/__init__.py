"""
nginx: one server for all sites, which looks up the site of a host in a map, and a separate server for each site with
options for which nginx accepts no variables.

With 10,000 sites this reloads 30 times faster than a server block per site, and takes a fiftieth of the memory
(docs/explanation/nginx-layout.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wagtail_multihost.emitters.emitter import Emitter, Stage, Validation
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.nginx.balancers import render_balancers
from wagtail_multihost.emitters.nginx.cache import refuse_short_signatures
from wagtail_multihost.emitters.nginx.cautions import cautions
from wagtail_multihost.emitters.nginx.check import check_commands
from wagtail_multihost.emitters.nginx.content import render_http_files, render_locations
from wagtail_multihost.emitters.nginx.front import front_of, takes_proxy_protocol
from wagtail_multihost.emitters.nginx.hosts import render_maps, render_names
from wagtail_multihost.emitters.nginx.main import render_generation, render_main
from wagtail_multihost.emitters.nginx.rules import render_limits, render_rules
from wagtail_multihost.emitters.nginx.servers import needs_own_server, render_server
from wagtail_multihost.emitters.nginx.upstreams import as_node
from wagtail_multihost.spec.nginx import NginxOptions

FOLDER = PurePosixPath("nginx")
SITES = FOLDER / "sites"
GENERATION = "generation.conf"


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """
    Yield nginx.conf, the files that it includes, and a file for each site with its own server. Those of all sites are
    yielded, because a site that the shared files leave out would have no server until its own file exists.
    """
    plan = as_node(plan)
    front = front_of(plan)
    refuse_short_signatures(front)
    content = render_http_files(front)
    own = {site.id for site in plan.sites if needs_own_server(front, site)}
    shared = [site for site in plan.sites if site.id not in own]
    yield nginx_file("nginx.conf", render_main(front, shared, content))
    yield nginx_file("maps.conf", render_maps(front))
    yield nginx_file("rules.conf", render_rules(front))
    yield nginx_file("large.conf", plan.render("nginx/large.conf"))
    yield nginx_file("locations.conf", render_locations(front))
    for name, text in content.items():
        yield nginx_file(name, text)
    if text := render_balancers(front):
        yield nginx_file("balancers.conf", text)
    if zones := render_limits(front):
        yield nginx_file("limits.conf", zones)
    yield nginx_file("http-names.conf", render_names(plan, (host for site in shared for host in site.hosts)))
    yield nginx_file(
        "https-names.conf", render_names(plan, (host for site in shared for host in site.hosts if site.has_tls(host)))
    )
    for site in plan.sites:
        if site.id in own:
            yield plan.file(SITES / f"{site.id}.conf", "nginx/site.conf", render_server(front, site), site=site.id)


def nginx_file(name: str, text: str) -> EmittedFile:
    return EmittedFile(FOLDER / name, text)


def generation_file(token: str) -> EmittedFile:
    """Return the file that makes nginx show ``token`` to this machine once it uses the file."""
    return nginx_file(GENERATION, render_generation(token))


def validate(stage: Stage) -> Iterator[Validation]:
    """Yield the command that has nginx test a scratch copy."""
    return check_commands(stage, emit)


def wants_proxy_line(plan: Plan) -> bool:
    """Return whether nginx's listeners expect a line of the PROXY protocol."""
    return takes_proxy_protocol(as_node(plan).options(NginxOptions))


#: The target, as the commands know it.
EMITTER = Emitter(
    name="nginx",
    summary="the web server in front",
    folders=(str(FOLDER), str(SITES)),
    options=NginxOptions,
    emit=emit,
    validate=validate,
    cautions=cautions,
    generation=generation_file,
    emits_all=True,
    wants_proxy_line=wants_proxy_line,
)
