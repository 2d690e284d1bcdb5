"""
Pages that nginx keeps for visitors without a session, under keys that start with the site.

nginx of Debian cannot delete a kept page. It fetches it anew, and keeps that one: PURGE does so behind its answer,
because the process that asks may be the only one that the site has.
"""

from __future__ import annotations

from functools import lru_cache

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.nginx.forwarded import forwarded, scheme_variable, trusted_header
from wagtail_multihost.emitters.quoting import nginx_quote, nginx_quote_key
from wagtail_multihost.spec.site import SiteSpec

# What takes the place of an old page: an answer of another status leaves the old page as it is.
STATUSES = "200 301 302 404 410"


@lru_cache(maxsize=2)
def caches_pages(plan: Plan) -> bool:
    """Return whether nginx keeps any site's pages; behind a front server a node keeps none."""
    return not plan.node and any(plan.nginx_of(site).cache for site in plan.sites)


@lru_cache(maxsize=2)
def keeps_files(plan: Plan) -> bool:
    """Return whether nginx keeps any site's files of a bucket."""
    return any(is_fetched(plan, site) for site in plan.sites)


def is_fetched(plan: Plan, site: SiteSpec) -> bool:
    """Return whether nginx fetches the site's files: only those that are public at the storage's domain anyway."""
    return answers_for_files(plan) and bool(site.storage.domain) and plan.nginx_of(site).bucket_media == "proxy"


def answers_for_files(plan: Plan) -> bool:
    """Return whether uploads are below a URL of this nginx, and not of the nodes behind it."""
    return plan.codebase.media_url is not None and (bool(plan.node) or not plan.platform.nodes)


def module(plan: Plan) -> str:
    """Return the part of nginx that asks applications: over HTTP where these are on nodes, or gunicorn's."""
    asks_nodes = bool(plan.platform.nodes) and not plan.node
    return "proxy" if asks_nodes or plan.platform.runner == "gunicorn" else "uwsgi"


def page_scheme(plan: Plan) -> str:
    """Return the variable of the scheme that an application is told: the visitor's, also where Wagtail asks."""
    return "$multihost_page_scheme" if caches_pages(plan) else visitor_scheme(plan)


def visitor_scheme(plan: Plan) -> str:
    return "$http_x_forwarded_proto" if forwarded(plan)["keeps_forwarded_proto"] else scheme_variable(plan)


def cache_key(plan: Plan) -> str:
    """Return the key of a page. The host is one of the site's: no other finds a site."""
    return "page|$multihost_site|$multihost_page_scheme|$request_method|$host|$request_uri"


def cache(plan: Plan) -> str:
    """Return cache.conf, blank where nothing is kept."""
    if not caches_pages(plan) and not keeps_files(plan):
        return ""
    options = plan.nginx
    return plan.render(
        "nginx/cache.conf",
        # nginx makes the last folder of a path only. A zone is of one module.
        pages_path=nginx_quote(f"{options.cache_path}-pages"),
        files_path=nginx_quote(f"{options.cache_path}-files"),
        files=keeps_files(plan),
        module=module(plan),
        size=nginx_quote(options.cache_size),
        pages=caches_pages(plan),
        sites=[nginx_quote_key(site.id) for site in plan.sites if plan.nginx_of(site).cache],
        purgers=[nginx_quote(network) for network in options.purgers],
        scheme=visitor_scheme(plan),
        **purged_scheme(plan),
    )


def purged_scheme(plan: Plan) -> dict[str, str]:
    """Return which purged pages have another scheme than the purge: those with a certificate, here or at a proxy."""
    header = trusted_header(plan)
    if not header:
        return {"secure_purge": "purge:on", "secure": "https"}
    is_secure = plan.platform.scheme == "https"
    return {"secure_purge": '"~^purge:"' if is_secure else "purge:on", "secure": nginx_quote(header[1])}


def own_duration(plan: Plan, site: SiteSpec) -> bool:
    """Return whether the site's pages are kept for another time than everybody's."""
    return not plan.node and plan.nginx_of(site).cache not in (0, plan.nginx.cache)


def durations(plan: Plan, seconds: int) -> list[str]:
    """Return the directives of a server whose pages are kept for ``seconds``, where they say nothing else."""
    if not caches_pages(plan) or not seconds:
        return []
    return [f"{module(plan)}_cache_valid {STATUSES} {seconds}s"]
