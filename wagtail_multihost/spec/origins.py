"""What visitors type to reach a site, and what Wagtail takes it to be."""

from __future__ import annotations

from urllib.parse import urlsplit

from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

PORTS = {"http": 80, "https": 443}


def origins_of(platform: PlatformSpec, site: SiteSpec) -> list[str]:
    """Return the origin of every hostname and alias of ``site``, the canonical one first."""
    return [platform.origin_of(host, has_tls=site.has_tls(host)) for host in site.hosts]


def port_of(origin: str) -> int:
    """Return the port of ``origin``, stated or not."""
    parts = urlsplit(origin)
    return parts.port or PORTS[parts.scheme]


def wagtail_origin(origin: str) -> str:
    """
    Return the origin that Wagtail writes into links for a Site row with the hostname and port of ``origin``: it
    knows no scheme, and takes port 443 alone for https (``wagtail.models.Site.root_url``, Wagtail 7.4 and 8.0).
    """
    hostname, port = urlsplit(origin).hostname, port_of(origin)
    if port == PORTS["https"]:
        return f"https://{hostname}"
    return f"http://{hostname}" if port == PORTS["http"] else f"http://{hostname}:{port}"


def misread_origin(platform: PlatformSpec, site: SiteSpec) -> tuple[str, str] | None:
    """Return the site's canonical origin and what Wagtail makes of it; None where both lead to the same place."""
    origin = origins_of(platform, site)[0]
    written = wagtail_origin(origin)
    if (urlsplit(written).scheme, port_of(written)) == (urlsplit(origin).scheme, port_of(origin)):
        return None
    return origin, written


def hosts_without_login(platform: PlatformSpec, site: SiteSpec) -> list[str]:
    """
    Return the hostnames at which ``site`` is served over http although its cookies are for https: those without a
    certificate where it has ``tls``. Browsers keep ``Secure`` cookies over https alone, so that no login and no form
    with a CSRF token works there. Other hostnames than the first redirect to the first.
    """
    if site.tls is None or not origins_of(platform, site)[0].startswith("https:"):
        return []
    return [host for host in (site.canonical, *site.aliases) if not site.has_tls(host)]
