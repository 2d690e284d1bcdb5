"""
Accounts of frontend caches. Their parameters are a site's id and its hosts; zone and credentials are those of
the running process's site. Code that queues a purge with its settings, as Wagtail allows, queues no secret.
"""

from __future__ import annotations

from typing import Any

from wagtail.contrib.frontend_cache.backends import BaseBackend, CloudflareBackend, CloudfrontBackend

from wagtail_multihost.backends.markers import require_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.frontend import FrontendCacheSpec


class SiteCloudflareBackend(CloudflareBackend):  # type: ignore[misc]  # Wagtail has no types
    """Wagtail's CloudflareBackend for the zone of this process's site; another site's raises ConfigurationError."""

    def __init__(self, params: dict[str, Any]) -> None:
        own = own_frontend(params.get("SITE", ""), "cloudflare")
        token = own.token.reveal() if own.token else None
        super().__init__({"HOSTNAMES": params["HOSTNAMES"], "ZONEID": own.zone, "BEARER_TOKEN": token})


class SiteCloudfrontBackend(CloudfrontBackend):  # type: ignore[misc]  # Wagtail has no types
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


def own_frontend(site: str, backend: str) -> FrontendCacheSpec:
    running = require_site(site, "frontend cache")
    if running.frontend is None or running.frontend.backend != backend:
        raise ConfigurationError.because(f"The site {site} has no frontend cache with the backend {backend}.")
    return running.frontend


def cloudfront_client(own: FrontendCacheSpec) -> Any:
    import boto3  # takes long to load, and Cloudflare does not need it

    from wagtail_multihost.backends.credentials import own_session

    session = boto3.Session(botocore_session=own_session(own.access_key, own.secret_key))
    # CloudFront is one service for the whole world, signed for this region.
    return session.client("cloudfront", region_name="us-east-1")
