"""
Frontend caches. The parameters of an account are a site's id and its hosts; zone and credentials are those of the
running process's site. Code that queues a purge with its settings, as Wagtail allows, queues no secret.

Publishing a page waits for the purge, so a cache that does not answer is waited for once, and for seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import ProxyHandler, build_opener

from wagtail import __version__
from wagtail.contrib.frontend_cache.backends import (
    BaseBackend,
    CloudflareBackend,
    CloudfrontBackend,
    HTTPBackend,
    PurgeRequest,
)

from wagtail_multihost.backends.markers import require_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.frontend import FRONTEND_SECONDS, FrontendCacheSpec

# Wagtail's own logger, so that a project's LOGGING applies to these records too.
logger = logging.getLogger("wagtail.frontendcache")

ATTEMPTS = 2


class Patience:
    """A backend that, for its lifetime of one task, no longer asks a cache that has not answered."""

    is_silent = False

    def give_up(self, urls: Iterable[str], error: Exception) -> None:
        """Log URLs that are not purged, and ask the cache nothing more."""
        self.is_silent = True
        logger.error(
            "The frontend cache does not answer (%s). These URLs are not purged, and stay there until they expire: %s",
            type(error).__name__,
            ", ".join(urls),
        )


class SiteHTTPBackend(Patience, HTTPBackend):  # type: ignore[misc]  # Wagtail has no types
    """Wagtail's HTTPBackend with a ``TIMEOUT`` in seconds, and without the proxies of the process's environment."""

    cache_scheme: str
    cache_netloc: str

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.timeout = float(params.pop("TIMEOUT", None) or FRONTEND_SECONDS)
        self.opener = build_opener(ProxyHandler({}))

    def purge_batch(self, urls: Iterable[str]) -> None:
        waiting = list(urls)
        while waiting and not self.is_silent:
            self.purge(waiting.pop(0))
        if waiting:
            self.give_up(waiting, TimeoutError())

    def purge(self, url: str) -> None:
        parts = urlsplit(url)
        target = urlunsplit([self.cache_scheme, self.cache_netloc, parts.path, parts.query, parts.fragment])
        headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": f"Wagtail-frontendcache/{__version__}"}
        try:
            self.opener.open(PurgeRequest(url=target, headers=headers), timeout=self.timeout).close()
        except HTTPError as error:
            logger.error("Couldn't purge '%s' from HTTP cache. HTTPError: %d %s", url, error.code, error.reason)
        except (OSError, HTTPException) as error:
            # urllib makes no URLError of a TimeoutError that is raised while it waits for the answer.
            self.give_up([url], error)


class SiteCloudflareBackend(Patience, CloudflareBackend):  # type: ignore[misc]  # Wagtail has no types
    """Wagtail's CloudflareBackend for the zone of this process's site; another site's raises ConfigurationError."""

    def __init__(self, params: dict[str, Any]) -> None:
        own = own_frontend(params.get("SITE", ""), "cloudflare")
        token = own.token.reveal() if own.token else None
        self.timeout = own.timeout
        super().__init__({"HOSTNAMES": params["HOSTNAMES"], "ZONEID": own.zone, "BEARER_TOKEN": token})

    def _purge_urls(self, urls: list[str]) -> None:
        import requests

        if self.is_silent:
            self.give_up(urls, TimeoutError())
            return
        headers = {"Authorization": f"Bearer {self.cloudflare_token}"}
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxies, authorities or .netrc of the process
                response = session.post(
                    self.cloudflare_purge_endpoint_url, json={"files": urls}, headers=headers, timeout=self.timeout
                )
            answer = response.json()
        except requests.JSONDecodeError:
            logger.error("Couldn't purge %s from Cloudflare. HTTP status: %d", ", ".join(urls), response.status_code)
        except requests.RequestException as error:
            self.give_up(urls, error)
        else:
            if not isinstance(answer, dict) or answer.get("success") is not True:
                errors = answer.get("errors") if isinstance(answer, dict) else answer
                logger.error("Couldn't purge %s from Cloudflare. Cloudflare errors: %s", ", ".join(urls), errors)


class SiteCloudfrontBackend(Patience, CloudfrontBackend):  # type: ignore[misc]  # Wagtail has no types
    """
    Wagtail's CloudfrontBackend for the distribution of this process's site; another site's raises
    ConfigurationError. Without keys of the site, the role of the container or the machine is used.
    """

    def __init__(self, params: dict[str, Any]) -> None:
        own = own_frontend(params.get("SITE", ""), "cloudfront")
        # Not CloudfrontBackend's: its client would take keys and endpoints from the environment.
        BaseBackend.__init__(self, params)
        self.client = cloudfront_client(own)
        self.cloudfront_distribution_id = own.zone

    def _create_invalidation(self, distribution_id: str, paths: list[str]) -> None:
        from botocore.exceptions import BotoCoreError

        if self.is_silent:
            self.give_up(paths, TimeoutError())
            return
        try:
            super()._create_invalidation(distribution_id, paths)
        except BotoCoreError as error:
            self.give_up(paths, error)


def own_frontend(site: str, backend: str) -> FrontendCacheSpec:
    running = require_site(site, "frontend cache")
    if running.frontend is None or running.frontend.backend != backend:
        raise ConfigurationError.because(f"The site {site} has no frontend cache with the backend {backend}.")
    return running.frontend


def cloudfront_client(own: FrontendCacheSpec) -> Any:
    import boto3  # takes long to load, and Cloudflare does not need it
    from botocore.config import Config

    from wagtail_multihost.backends.credentials import own_session

    session = boto3.Session(botocore_session=own_session(own.access_key, own.secret_key))
    config = Config(
        connect_timeout=own.timeout,
        read_timeout=own.timeout,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    # CloudFront is one service for the whole world, signed for this region.
    return session.client("cloudfront", region_name="us-east-1", config=config)
