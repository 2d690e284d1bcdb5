"""Accounts of frontend caches: whose they are, and what they take from their surroundings (nothing)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from wagtail.contrib.frontend_cache.utils import get_backends

from wagtail_multihost import running
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.frontend import frontend_settings
from wagtail_multihost.running import Running
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

TOKEN = "own-zone-token"
PLATFORM = PlatformSpec(name="aviary", data=Path("/srv/data"))
AMBIENT = {
    "AWS_ACCESS_KEY_ID": "ambient",
    "AWS_SECRET_ACCESS_KEY": "ambient",
    "AWS_SESSION_TOKEN": "ambient",
    "AWS_PROFILE": "ambient",
    "AWS_ENDPOINT_URL": "https://ambient.example.org",
    "AWS_ENDPOINT_URL_CLOUDFRONT": "https://ambient.example.org",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def a_site(own: FrontendCacheSpec | None, site: str = "aurora") -> SiteSpec:
    return SiteSpec(
        id=site,
        uid=PLATFORM.uid_of(site),
        hostnames=(f"{site}.example.org",),
        names=derive_names("aviary", site),
        database=DatabaseSpec(engine="sqlite", path=Path("/srv/data/db.sqlite3")),
        cache=CacheSpec(backend="locmem"),
        storage=StorageSpec(backend="files", path=Path("/srv/data/media")),
        frontend=own,
    )


def cloudflare() -> FrontendCacheSpec:
    return FrontendCacheSpec(backend="cloudflare", zone="a1b2", token=Secret(TOKEN))


def cloudfront(**keys: Secret) -> FrontendCacheSpec:
    return FrontendCacheSpec(backend="cloudfront", zone="E2", **keys)


def caches(own: FrontendCacheSpec, monkeypatch: pytest.MonkeyPatch, served: str = "aurora") -> Any:
    """Return WAGTAILFRONTENDCACHE of the site aurora, in the process of the site ``served``."""
    applied = Running(platform=PLATFORM, site=a_site(own, served))
    monkeypatch.setattr(running, "_current", applied)
    [setting] = frontend_settings(PLATFORM, a_site(own), {})
    return setting.value


def test_purge_that_is_queued_has_no_secret_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings survive the queue's JSON without the token, and purge with it in the site's process."""
    queued = json.dumps(caches(cloudflare(), monkeypatch))
    assert TOKEN not in queued and "a1b2" not in queued
    sent: list[tuple[str, Any, Any]] = []

    def post(session: requests.Session, url: str, **options: Any) -> Any:
        assert not session.trust_env  # no proxies, authorities or .netrc of the process
        sent.append((url, options["json"], options["headers"]["Authorization"]))
        response = requests.Response()
        response.status_code, response._content = 200, b'{"success": true}'
        return response

    monkeypatch.setattr(requests.Session, "post", post)
    backend = get_backends(json.loads(queued))["default"]
    page = "https://aurora.example.org/a/"
    backend.purge_batch([page])
    assert sent == [
        ("https://api.cloudflare.com/client/v4/zones/a1b2/purge_cache", {"files": [page]}, f"Bearer {TOKEN}")
    ]
    assert backend.invalidates_hostname("aurora.example.org")
    assert not backend.invalidates_hostname("borealis.example.org")


@pytest.mark.parametrize("own", [cloudflare(), cloudfront()], ids=["cloudflare", "cloudfront"])
def test_purge_of_another_site_is_refused(own: FrontendCacheSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of another site, taken by this process, does not get at this one's account."""
    value = caches(own, monkeypatch, served="borealis")
    with pytest.raises(ConfigurationError, match="the site borealis"):
        get_backends(value)


@pytest.mark.parametrize("applied", [None, Running()])
def test_purge_without_a_site_is_refused(applied: Running | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In build mode, or where nothing was applied, there is no account."""
    value = caches(cloudflare(), monkeypatch)
    monkeypatch.setattr(running, "_current", applied)
    with pytest.raises(ConfigurationError, match="no site"):
        get_backends(value)


@pytest.mark.parametrize("name", ["SiteCloudflareBackend", "SiteCloudfrontBackend"])
def test_purge_that_names_no_site_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that a project wrote by itself name no site."""
    caches(cloudflare(), monkeypatch)
    path = f"wagtail_multihost.backends.frontend.{name}"
    with pytest.raises(ConfigurationError, match="of the site  is not usable"):
        get_backends({"default": {"BACKEND": path, "HOSTNAMES": ["aurora.example.org"]}})


@pytest.mark.parametrize("own", [None, cloudfront()], ids=["none", "another"])
def test_purge_of_a_site_without_that_cache_is_refused(
    own: FrontendCacheSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site may have lost its cache, or have another one, since the purge was queued."""
    value = caches(cloudflare(), monkeypatch)
    applied = Running(platform=PLATFORM, site=a_site(own))
    monkeypatch.setattr(running, "_current", applied)
    with pytest.raises(ConfigurationError, match=r"site aurora has no frontend cache .* cloudflare"):
        get_backends(value)


def test_purge_with_an_account_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task from before the site's cache was changed does not send its new secret to the old service."""
    value = caches(cloudfront(), monkeypatch)
    caches(cloudflare(), monkeypatch)
    with pytest.raises(ConfigurationError, match="cloudfront"):
        get_backends(value)


def test_distribution_is_the_sites_with_its_own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that all sites share decide neither who signs nor where the request goes."""
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    own = cloudfront(access_key=Secret("own-id"), secret_key=Secret("own-key"))
    backend = get_backends(caches(own, monkeypatch))["default"]
    credentials = backend.client._get_credentials()
    assert backend.cloudfront_distribution_id == "E2"
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("own-id", "own-key", None)
    assert backend.client.meta.endpoint_url == "https://cloudfront.amazonaws.com"
    assert backend.client._request_signer.region_name == "us-east-1"
    assert backend.client.meta.service_model.service_name == "cloudfront"
    assert backend.invalidates_hostname("aurora.example.org")
    assert not backend.invalidates_hostname("borealis.example.org")


def test_distribution_without_keys_takes_none_of_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys of the site there is the machine's role, or nothing."""
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    backend = get_backends(caches(cloudfront(), monkeypatch))["default"]
    assert backend.client._get_credentials() is None
