"""
What nginx caches, and the files in buckets that it serves.

Pages are cached for visitors without a session, under keys that start with the site. Debian's nginx cannot delete a
cached page, so PURGE makes it fetch the page again, after it has answered: the process that sends the PURGE may be the
only one that the site has.

Files in buckets are served below the site's media URL, either fetched and cached or by a redirect, and only for
storages with a ``domain``, where anyone who knows a file's address may read it. nginx signs nothing. Names are looked
up while nginx runs: otherwise a domain that no longer exists would keep nginx, and all sites, from starting.
"""

from __future__ import annotations

import re

from wagtail_multihost.emitters.addresses import signed_seconds
from wagtail_multihost.emitters.nginx.front import Front
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_key
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.cookies import own_cookies
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import WEEK

# Answers that replace a cached page; one with any other status leaves it as it is.
STATUSES = "200 301 302 404 410"
#: The key of a page. The host is always one of the site's: no other leads to a site.
PAGE_KEY = "page|$multihost_site|$multihost_page_scheme|$request_method|$host|$request_uri"


def refuse_short_signatures(front: Front) -> None:
    """
    Raise EmitError for sites whose pages are cached for longer than the URLs of files in them are valid. While one
    visitor waits for the new page, others still get the old one.
    """
    if not front.caches_pages:
        return
    problems = []
    for site in front.plan.sites:
        kept, valid = front.options_of(site).cache, signed_seconds(front.plan, site)
        waited = front.http_timeout(site)
        if kept and valid and kept + waited > valid:
            is_own = "cache" in dict(site.options_of(NginxOptions.target))
            most = max(0, valid - waited)
            problems.append(
                f"{f'sites.{site.id}' if is_own else 'platform'}.nginx.cache: Pages of {site.id} are kept for {kept} "
                f"seconds, but the URLs of images in them expire after {valid} seconds. Accepted: at most {most}, "
                "which leaves time for a request. Or state a longer querystring_expire in the site's storage (at most "
                f"{WEEK}), or a domain, whose URLs do not expire."
            )
    if problems:
        raise EmitError(" ".join(problems))


def render_cache(front: Front) -> str:
    """Return cache.conf; blank if nothing is cached."""
    if not front.caches_pages and not front.fetches_files:
        return ""
    plan, options = front.plan, front.options
    return plan.render(
        "nginx/cache.conf",
        # nginx creates only the last folder of a path. A zone belongs to one module.
        pages_path=nginx_quote(f"{options.cache_path}-pages"),
        files_path=nginx_quote(f"{options.cache_path}-files"),
        files=front.fetches_files,
        module=front.module,
        size=nginx_quote(options.cache_size),
        pages=front.caches_pages,
        sites=[nginx_quote_key(site.id) for site in plan.sites if front.options_of(site).cache],
        cookies=[cookie_pattern(site.id, name) for site in plan.sites for _, name in own_cookies(site)],
        purgers=[nginx_quote(network) for network in options.purgers],
        scheme=front.visitor_scheme,
        **purge_values(front),
    )


def cookie_pattern(site: str, name: str) -> str:
    """Return the pattern of requests to a site that have a cookie of this name."""
    return nginx_quote(f"~^{site} (.*;)? *{re.escape(name)} *=")


def purge_values(front: Front) -> dict[str, str]:
    """Return which purged pages have another scheme than the PURGE: those with a certificate, here or at a proxy."""
    is_ended_there = front.read_header is not None and front.plan.platform.scheme == "https"
    return {"secure_purge": '"~^purge:"' if is_ended_there else "purge:on", "secure": "https"}


def has_own_duration(front: Front, site: SiteSpec) -> bool:
    """Return whether the site's pages are cached for another time than those of the platform."""
    return not front.plan.node and front.options_of(site).cache not in (0, front.options.cache)


def cache_directives(front: Front, seconds: int) -> list[str]:
    """Return the directives of a server whose pages are cached for ``seconds`` unless they say otherwise."""
    if not front.caches_pages or not seconds:
        return []
    return [f"{front.module}_cache_valid {STATUSES} {seconds}s"]


def render_buckets(front: Front) -> str:
    """
    Return buckets.conf; blank if nginx serves nothing from buckets.

    Raises EmitError if nginx is to fetch files and has no DNS server to look up names.
    """
    if not front.fetches_files and not front.redirects_files:
        return ""
    options, sites = front.options, front.plan.sites
    if front.fetches_files and not options.resolvers:
        raise EmitError(
            'platform.nginx.resolvers: bucket_media = "proxy" needs DNS servers, with which nginx looks up the domains.'
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
