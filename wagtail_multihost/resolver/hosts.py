"""Everything that follows from a site's hostnames: allowed hosts, origins, cookies, base URLs."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.cookies import COOKIE_KEYS, HOST_PREFIX, SECURE_PREFIX, is_bound_to_host
from wagtail_multihost.spec.origins import origins_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

# https://docs.djangoproject.com/en/stable/ref/settings/ (the defaults of the three names)
COOKIES = {"SESSION_COOKIE": "sessionid", "CSRF_COOKIE": "csrftoken", "LANGUAGE_COOKIE": "django_language"}


def host_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the settings that follow from the site's hostnames and the platform's origin."""
    hosts = site.sources.get("hostnames", "")
    origin = platform.sources.get("origin", "default origin")
    yield Setting("ALLOWED_HOSTS", list(site.hosts), "hostnames and aliases", hosts)
    origins = origins_of(platform, site)
    yield Setting("CSRF_TRUSTED_ORIGINS", origins, "the origin of every hostname and alias", origin)
    yield Setting("WAGTAILADMIN_BASE_URL", origins[0], "origin of the first hostname", origin)
    if project.get("WAGTAILAPI_BASE_URL"):
        yield Setting(
            "WAGTAILAPI_BASE_URL", origins[0], "origin of the first hostname, where the project has it", origin
        )
    yield from cookie_settings(site, project, origin, is_https=origins[0].startswith("https:"))
    # A host here would get the visitors of every site.
    yield Setting("SECURE_SSL_HOST", None, "none: a redirect to https stays on its host", "")
    if platform.secure_proxy_ssl_header:
        source = platform.sources.get("secure_proxy_ssl_header", "")
        yield Setting("SECURE_PROXY_SSL_HEADER", platform.secure_proxy_ssl_header, "the platform's proxy", source)


def cookie_settings(site: SiteSpec, project: Project, origin: str, *, is_https: bool) -> Iterator[Setting]:
    for (prefix, default), key in zip(COOKIES.items(), COOKIE_KEYS, strict=True):
        yield from cookie_name(site, project, prefix, default, key, is_https=is_https)
        yield Setting(f"{prefix}_DOMAIN", None, "host-only: no other host receives it", "")
        yield Setting(f"{prefix}_SECURE", is_https, "true when the origin is https", origin)


def cookie_name(
    site: SiteSpec, project: Project, prefix: str, default: str, key: str, *, is_https: bool
) -> Iterator[Setting]:
    """
    Yield the name of a cookie, and its path where its name asks for one: the name that the site's ``key`` states, or
    one that no other site has.
    """
    if name := getattr(site, key):
        yield Setting(f"{prefix}_NAME", name, f"the site's {key}", site.sources.get(key, ""))
    else:
        # Added once, however often apply is called.
        bare = str(project.get(f"{prefix}_NAME") or default).removeprefix(HOST_PREFIX).removeprefix(SECURE_PREFIX)
        own = f"{bare.removesuffix(f'_{site.id}')}_{site.id}"
        if is_https and (project.get(f"{prefix}_PATH") or "/") == "/":
            name = f"{HOST_PREFIX}{own}"
            yield Setting(f"{prefix}_NAME", name, "the project's name and the site id, on https", "")
        else:
            yield Setting(f"{prefix}_NAME", own, "the project's name and the site id", "")
    if is_bound_to_host(name):
        yield Setting(f"{prefix}_PATH", "/", "as browsers ask of a name with __Host-", "")
