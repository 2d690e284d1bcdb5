"""
What nginx keeps, and the files of buckets that it reaches.

Pages are kept for visitors without a session, under keys that start with the site. nginx of Debian cannot delete a
kept page. It fetches it anew, and keeps that one: PURGE does so behind its answer, because the process that asks may
be the only one that the site has.

Files in buckets are below the media URL of the site: fetched and kept, or by a redirect. Both are for storages with a
``domain`` alone, where whoever knows a file's address may read it. nginx signs nothing. Names are looked up while
nginx runs: a domain that has gone would otherwise keep nginx, and all sites, from starting.
"""

from __future__ import annotations

from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_key
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.site import SiteSpec

# What takes the place of an old page: an answer of another status leaves the old page as it is.
STATUSES = "200 301 302 404 410"
#: The key of a page. The host is one of the site's: no other finds a site.
PAGE_KEY = "page|$multihost_site|$multihost_page_scheme|$request_method|$host|$request_uri"


def cache(front: Front) -> str:
    """Return cache.conf, blank where nothing is kept."""
    if not front.caches_pages and not front.fetches_files:
        return ""
    plan, options = front.plan, front.options
    return plan.render(
        "nginx/cache.conf",
        # nginx makes the last folder of a path only. A zone is of one module.
        pages_path=nginx_quote(f"{options.cache_path}-pages"),
        files_path=nginx_quote(f"{options.cache_path}-files"),
        files=front.fetches_files,
        module=front.module,
        size=nginx_quote(options.cache_size),
        pages=front.caches_pages,
        sites=[nginx_quote_key(site.id) for site in plan.sites if front.options_of(site).cache],
        purgers=[nginx_quote(network) for network in options.purgers],
        scheme=front.visitor_scheme,
        **purged_scheme(front),
    )


def purged_scheme(front: Front) -> dict[str, str]:
    """Return which purged pages have another scheme than the purge: those with a certificate, here or at a proxy."""
    is_ended_there = front.read_header is not None and front.plan.platform.scheme == "https"
    return {"secure_purge": '"~^purge:"' if is_ended_there else "purge:on", "secure": "https"}


def own_duration(front: Front, site: SiteSpec) -> bool:
    """Return whether the site's pages are kept for another time than everybody's."""
    return not front.plan.node and front.options_of(site).cache not in (0, front.options.cache)


def durations(front: Front, seconds: int) -> list[str]:
    """Return the directives of a server whose pages are kept for ``seconds``, where they say nothing else."""
    if not front.caches_pages or not seconds:
        return []
    return [f"{front.module}_cache_valid {STATUSES} {seconds}s"]


def buckets(front: Front) -> str:
    """
    Return buckets.conf; blank where nginx has nothing to do with buckets.

    Raises EmitError where nginx fetches files and has no server to look names up.
    """
    if not front.fetches_files and not front.redirects_files:
        return ""
    options, sites = front.options, front.plan.sites
    if front.fetches_files and not options.resolvers:
        raise EmitError(
            'platform.nginx.resolvers: bucket_media = "proxy" needs the DNS servers that nginx asks for the domains.'
        )
    return front.plan.render(
        "nginx/buckets.conf",
        fetches=front.fetches_files,
        redirects=front.redirects_files,
        fetched=[
            (nginx_quote_key(site.id), nginx_quote(site.storage.domain)) for site in sites if front.is_fetched(site)
        ],
        redirected=[
            (nginx_quote_key(site.id), nginx_quote(f"https://{site.storage.domain}"))
            for site in sites
            if front.is_redirected(site)
        ],
        resolvers=[nginx_quote(address) for address in options.resolvers],
        authorities=nginx_quote(str(options.authorities)),
    )
