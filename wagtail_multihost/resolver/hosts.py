"""Everything that follows from a site's hostnames: allowed hosts, origins, cookies, base URL."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

# https://docs.djangoproject.com/en/stable/ref/settings/ (the defaults of the three names)
COOKIES = {"SESSION_COOKIE": "sessionid", "CSRF_COOKIE": "csrftoken", "LANGUAGE_COOKIE": "django_language"}


def host_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the settings that follow from the site's hostnames and the platform's origin."""
    hosts = site.sources.get("hostnames", "")
    origin = platform.sources.get("origin", "default origin")
    yield Setting("ALLOWED_HOSTS", list(site.hosts), "hostnames and aliases", hosts)
    has_tls = site.tls is not None
    origins = [platform.origin_of(host, has_tls=has_tls) for host in site.hosts]
    yield Setting("CSRF_TRUSTED_ORIGINS", origins, "the origin of every hostname and alias", origin)
    yield Setting("WAGTAILADMIN_BASE_URL", origins[0], "origin of the first hostname", origin)
    for prefix, name in COOKIES.items():
        # Once, however often apply is called.
        own = f"{str(project.get(f'{prefix}_NAME') or name).removesuffix(f'_{site.id}')}_{site.id}"
        yield Setting(f"{prefix}_NAME", own, "the project's name and the site id", "")
        yield Setting(f"{prefix}_DOMAIN", None, "host-only: no other host receives it", "")
    for prefix in ("SESSION_COOKIE", "CSRF_COOKIE"):
        yield Setting(f"{prefix}_SECURE", origins[0].startswith("https:"), "true when the origin is https", origin)
    if platform.secure_proxy_ssl_header:
        source = platform.sources.get("secure_proxy_ssl_header", "")
        yield Setting("SECURE_PROXY_SSL_HEADER", platform.secure_proxy_ssl_header, "the platform's proxy", source)
