"""What nginx can be configured to do in production, and is seldom intended."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.front import asks_nodes
from wagtail_multihost.emitters.nginx.linked_folders import linked_folder_cautions
from wagtail_multihost.emitters.nginx.upstreams import LOOPBACK, networks_with
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.platform import PRODUCTION


def cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for everything in ``plan`` that is seldom intended."""
    if not asks_nodes(plan):
        yield from linked_folder_cautions(plan)
    if plan.platform.environment == PRODUCTION:
        yield from open_logs(plan)
        yield from believed_sites(plan)
        yield from believed_visitors(plan)


def open_logs(plan: Plan) -> Iterator[str]:
    """Yield a caution if every account can enter the log folder: nginx always creates logs with the mode 0644."""
    options = plan.options(NginxOptions)
    folder = options.logs
    try:
        is_open = folder.stat().st_mode & 0o001
    except OSError:
        return
    if is_open:
        yield (
            f"platform.nginx.logs: Every account can enter {shown(str(folder))}, and nginx creates logs that all can "
            "read, with the URLs that visitors of all sites request. Close the folder: "
            f"install -d -o root -g {options.user} -m 0750 {folder}."
        )


def believed_sites(plan: Plan) -> Iterator[str]:
    """Yield a caution about networks of proxies from which sites on the machine of nginx can connect."""
    for network, whose in (
        networks_with(plan.options(NginxOptions).proxies, LOOPBACK) if not plan.platform.nodes else ()
    ):
        yield (
            f"platform.nginx.proxies: {network} includes the address of {whose}, so the code of every site can pose "
            "as a proxy and forge the visitor's address, on which health_from, purgers and limits rely."
        )


def believed_visitors(plan: Plan) -> Iterator[str]:
    """Yield that anybody's word on the scheme is taken, where the platform has a proxy and names none."""
    if plan.platform.secure_proxy_ssl_header and not plan.node and not plan.options(NginxOptions).proxies:
        yield (
            "platform.nginx.proxies: The platform has secure_proxy_ssl_header, and no proxies are named: nginx takes "
            "the word of whoever connects on the visitor's scheme, and passes the proxy's own address off as the "
            "visitor's. Name the proxies."
        )
