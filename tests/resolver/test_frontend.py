"""WAGTAILFRONTENDCACHE."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.frontend import HTTP, SITE_HTTP, frontend_settings
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.secret import Secret

TOKEN = "zone-token-hunter7"
HOSTS = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]
CLOUDFLARE = "wagtail.contrib.frontend_cache.backends.CloudflareBackend"
VARNISH = {"BACKEND": HTTP, "LOCATION": "http://127.0.0.1:6081"}
ZONE = {"BACKEND": CLOUDFLARE, "ZONEID": "shared-zone", "BEARER_TOKEN": "shared-token"}
OWN = {"BACKEND": "wagtail_multihost.backends.frontend.SiteCloudflareBackend", "SITE": "aurora", "HOSTNAMES": HOSTS}


def cloudflare() -> FrontendCacheSpec:
    return FrontendCacheSpec(backend="cloudflare", zone="a1", token=Secret(TOKEN))


def caches(project: dict[str, object], frontend: FrontendCacheSpec | None = None, **platform: Any) -> Any:
    site = a_site(frontend=frontend)
    return values_of(frontend_settings(a_platform(**platform), site, project)).get("WAGTAILFRONTENDCACHE")


def test_frontend_of_the_site_names_neither_zone_nor_token() -> None:
    """Whatever gets the settings, a task queue for example, gets the site's id and its hosts."""
    assert caches({}, cloudflare()) == {"default": OWN}


def test_frontend_on_a_server_is_purged_for_the_sites_hosts_alone() -> None:
    """A cache of the site's own, without an account, is asked for as long as the site says."""
    own = FrontendCacheSpec(backend="http", location="http://127.0.0.1:6081", timeout=7)
    assert caches({}, own) == {"default": {**VARNISH, "BACKEND": SITE_HTTP, "TIMEOUT": 7, "HOSTNAMES": HOSTS}}


def test_servers_of_the_project_are_purged_for_the_sites_hosts_alone() -> None:
    """A Varnish that all sites share stays, in both spellings, and no site purges another's pages."""
    shared = {**VARNISH, "HOSTNAMES": ["*"]}
    expected = {**VARNISH, "BACKEND": SITE_HTTP, "HOSTNAMES": HOSTS}
    assert caches({"WAGTAILFRONTENDCACHE": {"varnish": shared, "default": VARNISH}}) == {
        "varnish": expected,
        "default": expected,
    }
    assert caches({"WAGTAILFRONTENDCACHE_LOCATION": "http://127.0.0.1:6081"}) == {"default": expected}
    assert caches({"WAGTAILFRONTENDCACHE": None, "WAGTAILFRONTENDCACHE_LOCATION": None}) is None


def test_timeout_of_the_project_and_classes_of_its_own_are_kept() -> None:
    """How long is the project's to say, and a class that is not Wagtail's may need what is in it."""
    own = {"BACKEND": "project.Varnish", "LOCATION": "http://127.0.0.1:6081"}
    value = caches({"WAGTAILFRONTENDCACHE": {"varnish": {**VARNISH, "TIMEOUT": 2}, "own": own}})
    assert value == {
        "varnish": {**VARNISH, "BACKEND": SITE_HTTP, "TIMEOUT": 2, "HOSTNAMES": HOSTS},
        "own": {**own, "HOSTNAMES": HOSTS},
    }


def test_account_of_the_project_is_refused() -> None:
    """A zone that all sites would share is an error that names its keys and no value."""
    azure = {"BACKEND": "wagtail.contrib.frontend_cache.backends.AzureCdnBackend", "CREDENTIALS": object()}
    with pytest.raises(ConfigurationError) as refused:
        caches({"WAGTAILFRONTENDCACHE": {"varnish": VARNISH, "cdn": ZONE, "azure": azure}})
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [
        ("WAGTAILFRONTENDCACHE", "aurora"),
        ("WAGTAILFRONTENDCACHE", "aurora"),
    ]
    assert "'ZONEID'" in str(refused.value)
    assert "shared" not in str(refused.value).replace("share.", "")


def test_account_of_the_site_takes_the_place_of_the_projects() -> None:
    """Code that purges by an alias finds the site's account under it."""
    value = caches({"WAGTAILFRONTENDCACHE": {"varnish": VARNISH, "cdn": ZONE}}, cloudflare())
    assert value == {"varnish": {**VARNISH, "BACKEND": SITE_HTTP, "HOSTNAMES": HOSTS}, "cdn": OWN}


def test_hosts_have_the_port_that_is_in_the_pages_urls() -> None:
    """Wagtail compares a page's host with its port, and finds it."""
    value = caches({"WAGTAILFRONTENDCACHE": {"default": VARNISH}}, origin="https://{hostname}:8443")
    assert value["default"]["HOSTNAMES"] == [*(f"{host}:8443" for host in HOSTS), *HOSTS]


def test_frontend_settings_on_top_of_themselves_are_themselves() -> None:
    """However often apply is called, the caches are the same."""
    project: dict[str, object] = {"WAGTAILFRONTENDCACHE": {"varnish": VARNISH, "cdn": ZONE}}
    once = caches(project, cloudflare())
    assert caches({"WAGTAILFRONTENDCACHE": once}, cloudflare()) == once


def test_test_run_purges_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test run never gets at a zone of the project."""
    from wagtail_multihost.resolver.inert import ephemeral_site

    resolved = ResolvedSettings(*ephemeral_site())
    assert resolved.value("WAGTAILFRONTENDCACHE", {"WAGTAILFRONTENDCACHE": {"cdn": ZONE}}) == {}
