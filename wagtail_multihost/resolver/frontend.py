"""WAGTAILFRONTENDCACHE: the caches in front of a site that Wagtail tells about changed pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.origins import origins_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

FRONTEND = "WAGTAILFRONTENDCACHE"
LOCATION = "WAGTAILFRONTENDCACHE_LOCATION"
FRONTEND_DEFAULT = "default"
HTTP = "wagtail.contrib.frontend_cache.backends.HTTPBackend"
SITE_HTTP = "wagtail_multihost.backends.frontend.SiteHTTPBackend"
SITE_BACKENDS = {
    "cloudflare": "wagtail_multihost.backends.frontend.SiteCloudflareBackend",
    "cloudfront": "wagtail_multihost.backends.frontend.SiteCloudfrontBackend",
}
# What an entry of the project may have: a server, which every site's pages may go through. Anything else
# (a zone, a distribution, a token) is an account.
SHAREABLE = frozenset({"BACKEND", "LOCATION", "HOSTNAMES", "TIMEOUT"})
RULE = "the site's own cache and the project's servers, for the site's hosts alone"


def frontend_settings(
    platform: PlatformSpec, site: SiteSpec, project: Project, *, is_test_run: bool = False
) -> Iterator[Setting]:
    """
    Yield WAGTAILFRONTENDCACHE. Entries of the project without an account stay; the site's own replaces the others.
    Raises ConfigurationError for an account where the site has no cache of its own.
    """
    if is_test_run:
        yield Setting(FRONTEND, {}, "test run: nothing is purged", "")
        return
    hosts = purged_hosts(platform, site)
    own = site_entry(site, site.frontend, hosts) if site.frontend else None
    value: dict[str, object] = {}
    problems = []
    for alias, options in project_entries(project).items():
        accounts = sorted(map(str, options.keys() - SHAREABLE))
        if not accounts:
            value[alias] = {**limit_wait(options), "HOSTNAMES": hosts}
        elif own:
            value[alias] = own
        else:
            problems.append(Problem(FRONTEND, account_problem(alias, accounts), site.id))
    if problems:
        raise ConfigurationError(problems)
    if own and own not in value.values():
        value[FRONTEND_DEFAULT] = own
    if value:
        yield Setting(FRONTEND, value, RULE, site.sources.get("frontend", ""))


def account_problem(alias: str, accounts: list[str]) -> str:
    return (
        f"The entry {shown(alias)} has {', '.join(map(shown, accounts))}, an account that every site would share. "
        "Move it to the table frontend of the site, or of the platform."
    )


def project_entries(project: Project) -> dict[str, Mapping[str, object]]:
    """Return the project's entries, made of WAGTAILFRONTENDCACHE_LOCATION where it has only that, as Wagtail does."""
    value = project.get(FRONTEND)
    if isinstance(value, Mapping):
        return {str(alias): options for alias, options in value.items() if isinstance(options, Mapping)}
    location = project.get(LOCATION)
    return {} if location is None else {FRONTEND_DEFAULT: {"BACKEND": HTTP, "LOCATION": location}}


def purged_hosts(platform: PlatformSpec, site: SiteSpec) -> list[str]:
    """Return the site's hosts as they stand in its pages' URLs: Wagtail compares the port too."""
    return list(dict.fromkeys([*(urlsplit(origin).netloc for origin in origins_of(platform, site)), *site.hosts]))


def limit_wait(options: Mapping[str, object]) -> Mapping[str, object]:
    """Return an entry of the project with this package's backend instead of Wagtail's, which waits forever."""
    return {**options, "BACKEND": SITE_HTTP} if options.get("BACKEND") == HTTP else options


def site_entry(site: SiteSpec, frontend: FrontendCacheSpec, hosts: list[str]) -> dict[str, object]:
    if frontend.backend == "http":
        address = {"LOCATION": frontend.location, "TIMEOUT": frontend.timeout}
        return {"BACKEND": SITE_HTTP, **address, "HOSTNAMES": hosts}
    # Neither zone nor token: code that queues a purge with these settings queues the site's id alone.
    return {"BACKEND": SITE_BACKENDS[frontend.backend], "SITE": site.id, "HOSTNAMES": hosts}
