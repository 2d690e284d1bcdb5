"""
Several machines: the front server passes requests on to the nodes of a site, over HTTP.

Never in uwsgi's own protocol: anyone who can speak it can make a process load code. A node accepts only the front
server, by its address, by certificates, or both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.forwarded import forwarded_values
from wagtail_multihost.emitters.nginx.front import CERTIFICATES, Front, has_certificates
from wagtail_multihost.emitters.nginx.sizes import answer_size_values
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_key
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import PRODUCTION

FORWARDED_FOR = "X-Forwarded-For"
EVERYBODY = ("0.0.0.0/0", "::/0")
#: A word of nginx's files has at most 4,096 bytes (NGX_CONF_BUFFER): longer lists of nodes have a digest for a name.
MOST_LISTED = 200
#: From these addresses any program can connect to what listens on its own machine.
LOOPBACK = {"the machine's own programs": "127.0.0.0/8", "the machine's own programs by IPv6": "::1"}


def refuse_open_nodes(plan: Plan) -> None:
    """Raise EmitError where anyone else could pose as the front server to a node."""
    options = plan.options(NginxOptions)
    stated = [name for name in CERTIFICATES if getattr(options, name)]
    if stated and not has_certificates(options):
        missing = ", ".join(name for name in CERTIFICATES if name not in stated)
        raise EmitError(
            f"platform.nginx: The certificates between the front server and the nodes are incomplete: {missing}."
        )
    if plan.platform.nodes and not stated and not options.fronts:
        raise EmitError(
            "platform.nginx.fronts: The platform has nodes, but neither fronts (the addresses of the front server) nor "
            "certificates for both ends, so anyone who can reach a node could pose as the front server. Set either."
        )
    if plan.platform.environment == PRODUCTION and not stated:
        for network, whose in fronts_with_sites(plan):
            raise EmitError(
                f"platform.nginx.fronts: {network} includes the address of {whose}, where sites run: their code could "
                "pose as the front server. Set exact addresses of machines without sites, or certificates."
            )


def fronts_with_sites(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each network of ``fronts`` that includes an address of a machine with sites, and whose address it is."""
    nodes = {f"the node {name}": address.rpartition(":")[0] for name, address in plan.platform.nodes}
    return networks_with(plan.options(NginxOptions).fronts, {**LOOPBACK, **nodes})


def networks_with(networks: Iterable[str], addresses: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each network with the name of each address, or network, that overlaps with it."""
    for network in networks:
        for whose, address in addresses.items():
            try:
                there, here = (ip_network(text.strip("[]"), strict=False) for text in (address, network))
            except ValueError:  # a name, which nginx looks up
                continue
            if there.version == here.version and there.overlaps(here):
                yield network, whose


def as_node(plan: Plan) -> Plan:
    """
    Return the plan for a node's nginx: it listens at the node's address, trusts every client that gets through as a
    proxy, and leaves TLS and challenges to the front server. A plan without a node is returned unchanged.
    """
    refuse_open_nodes(plan)
    if not plan.node:
        return plan
    stated = plan.options(NginxOptions)
    options = replace(
        stated,
        http=(dict(plan.platform.nodes)[plan.node],),
        proxies=stated.fronts or EVERYBODY,
        real_ip_header=FORWARDED_FOR,
        acme=None,
    )
    sites = tuple(replace(site, tls=None) for site in plan.sites)
    return replace(plan, platform=plan.platform.with_options(options), sites=sites)


def render_upstreams(front: Front) -> str:
    """Return upstreams.conf; blank if everything is on one machine."""
    plan, options = front.plan, front.options
    if not plan.platform.nodes:
        return ""
    served = {site.id: nodes for site in plan.sites if (nodes := plan.nodes_of(site))}
    addresses = dict(plan.platform.nodes)
    files = {name: nginx_quote(str(getattr(options, name) or "")) for name in CERTIFICATES}
    return plan.render(
        "nginx/upstreams.conf",
        front=front.asks_nodes,
        groups=[
            (nginx_quote(group_name(nodes)), [nginx_quote(addresses[name]) for name in nodes])
            for nodes in sorted(set(served.values()))
        ],
        sites=[(nginx_quote_key(site), nginx_quote(group_name(nodes))) for site, nodes in served.items()],
        has_certificates=front.has_certificates,
        fronts=[nginx_quote(network) for network in options.fronts],
        scheme=front.page_scheme,
        **forwarded_values(front),
        **answer_size_values(),
        speaks_http=front.speaks_http,
        read_timeout=front.http_timeout(),
        **files,
    )


def group_name(nodes: tuple[str, ...]) -> str:
    # A plus sign occurs neither in names of nodes nor in hostnames, which nginx would look up instead.
    listed = "+".join(nodes)
    if len(listed) > MOST_LISTED:
        listed = f"{len(nodes)}+{hashlib.sha256(listed.encode()).hexdigest()[:16]}"
    return f"multihost+{listed}"
