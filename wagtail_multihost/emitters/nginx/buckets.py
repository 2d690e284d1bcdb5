"""
Files in buckets, below the media URL of the site: fetched and kept, or by a redirect.

Both are for storages with a ``domain`` alone, where whoever knows a file's address may read it. nginx signs nothing.
Names are looked up while nginx runs: a domain that has gone would otherwise keep nginx, and all sites, from starting.
"""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.cache import answers_for_files, is_fetched, keeps_files
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_key
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.spec.site import SiteSpec


def redirects_files(plan: Plan) -> bool:
    """Return whether the files of any site are reached by a redirect."""
    return any(is_redirected(plan, site) for site in plan.sites)


def is_redirected(plan: Plan, site: SiteSpec) -> bool:
    return answers_for_files(plan) and bool(site.storage.domain) and plan.nginx_of(site).bucket_media == "redirect"


def buckets(plan: Plan) -> str:
    """
    Return buckets.conf; blank where nginx has nothing to do with buckets.

    Raises EmitError where nginx fetches files and has no server to look names up.
    """
    fetches, redirects = keeps_files(plan), redirects_files(plan)
    if not fetches and not redirects:
        return ""
    options = plan.nginx
    if fetches and not options.resolvers:
        raise EmitError(
            'platform.nginx.resolvers: bucket_media = "proxy" needs the DNS servers that nginx asks for the domains.'
        )
    return plan.render(
        "nginx/buckets.conf",
        fetches=fetches,
        redirects=redirects,
        fetched=[
            (nginx_quote_key(site.id), nginx_quote(site.storage.domain))
            for site in plan.sites
            if is_fetched(plan, site)
        ],
        redirected=[
            (nginx_quote_key(site.id), nginx_quote(f"https://{site.storage.domain}"))
            for site in plan.sites
            if is_redirected(plan, site)
        ],
        resolvers=[nginx_quote(address) for address in options.resolvers],
        authorities=nginx_quote(str(options.authorities)),
    )
