"""The storage of a site's bucket: whose it is, and what it takes from its surroundings (nothing)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import override_settings

from tests.backends.conftest import ACCESS_KEY, SECRET_KEY
from wagtail_multihost import running
from wagtail_multihost.backends.credentials import own_session
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.running import Running

# What django-storages and boto3 read (https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html,
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html).
AMBIENT_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "ambient",
    "AWS_SECRET_ACCESS_KEY": "ambient",
    "AWS_SESSION_TOKEN": "ambient",
    "AWS_SECURITY_TOKEN": "ambient",
    "AWS_S3_ACCESS_KEY_ID": "ambient",
    "AWS_S3_SECRET_ACCESS_KEY": "ambient",
    "AWS_S3_SESSION_PROFILE": "ambient",
    "AWS_ENDPOINT_URL": "https://ambient.example.org",
    "AWS_ENDPOINT_URL_S3": "https://ambient.example.org",
    "AWS_DEFAULT_REGION": "us-gov-west-1",
}
AMBIENT_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "ambient",
    "AWS_SECRET_ACCESS_KEY": "ambient",
    "AWS_S3_ACCESS_KEY_ID": "ambient",
    "AWS_S3_SECRET_ACCESS_KEY": "ambient",
    "AWS_SESSION_TOKEN": "ambient",
    "AWS_S3_SESSION_PROFILE": "ambient",
    "AWS_STORAGE_BUCKET_NAME": "ambient",
    "AWS_LOCATION": "ambient",
    "AWS_S3_CUSTOM_DOMAIN": "ambient.example.org",
    "AWS_CLOUDFRONT_KEY_ID": "ambient",
    "AWS_S3_ENDPOINT_URL": "https://ambient.example.org",
    "AWS_S3_REGION_NAME": "us-gov-west-1",
    "AWS_S3_FILE_OVERWRITE": True,
    "AWS_DEFAULT_ACL": "public-read",
    "AWS_QUERYSTRING_AUTH": False,
    "AWS_S3_ADDRESSING_STYLE": "auto",
    "AWS_S3_SIGNATURE_VERSION": "s3",
}

Process = Callable[..., None]


def test_storage_deconstructs_without_a_secret(process_of: Process) -> None:
    """What Wagtail puts into its task queue names the site and the folder, and nothing else."""
    process_of()
    own = SiteS3Storage(site="aurora", location="documents")
    assert own.deconstruct() == (  # type: ignore[attr-defined]
        "wagtail_multihost.backends.storage.SiteS3Storage",
        (),
        {"site": "aurora", "location": "documents"},
    )


def test_storage_comes_back_from_its_arguments(process_of: Process) -> None:
    """What the queue keeps makes a storage of the same bucket and folder."""
    process_of()
    own = SiteS3Storage(site="aurora", location="documents")
    _, arguments, options = own.deconstruct()  # type: ignore[attr-defined]
    again = SiteS3Storage(*arguments, **options)
    assert (again.bucket_name, again.location, again.access_key) == ("aviary--aurora", "documents", ACCESS_KEY)


@pytest.mark.parametrize("site", ["borealis", "", "Aurora"])
def test_storage_of_another_site_is_refused(process_of: Process, site: str) -> None:
    """A task of another site, taken by this process, does not get at this one's bucket."""
    process_of()
    with pytest.raises(ConfigurationError) as caught:
        SiteS3Storage(site=site)
    assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize("applied", [None, Running()])
def test_storage_without_a_site_is_refused(monkeypatch: pytest.MonkeyPatch, applied: Running | None) -> None:
    """In build mode, or where nothing was applied, there is no bucket."""
    monkeypatch.setattr(running, "_current", applied)
    with pytest.raises(ConfigurationError, match="no site"):
        SiteS3Storage(site="aurora")


def signed(own: Any) -> tuple[str, str, dict[str, list[str]]]:
    """Return host, path and query of a file's signed URL."""
    parts = urlsplit(own.url("a.txt"))
    return parts.netloc, parts.path, parse_qs(parts.query)


@pytest.mark.parametrize("region", ["eu-central-1", ""])
def test_storage_takes_nothing_from_its_surroundings(
    process_of: Process, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """Variables and settings that all sites share decide neither where files go nor who signs."""
    for name, value in AMBIENT_VARIABLES.items():
        monkeypatch.setenv(name, value)
    process_of(region=region)
    with override_settings(**AMBIENT_SETTINGS):
        own = SiteS3Storage(site="aurora")
        host, path, query = signed(own)
    assert host.startswith("aviary--aurora.s3.") and host.endswith(".amazonaws.com")
    assert path == "/a.txt"
    assert query["X-Amz-Credential"][0].startswith(f"{ACCESS_KEY}/")
    assert "X-Amz-Security-Token" not in query
    assert (own.file_overwrite, own.default_acl, own.bucket_name) == (False, None, "aviary--aurora")
    assert not region or region in host


def test_storage_with_an_endpoint_names_the_bucket_in_the_path(process_of: Process) -> None:
    """Another S3 server is asked at its own address, by path."""
    process_of(endpoint="http://127.0.0.1:9")
    host, path, query = signed(SiteS3Storage(site="aurora", location="private"))
    assert (host, path) == ("127.0.0.1:9", "/aviary--aurora/private/a.txt")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


def test_storage_with_a_domain_has_plain_urls(process_of: Process) -> None:
    """A CDN's URLs are not signed, and say nothing of the bucket."""
    process_of(domain="cdn.example.org")
    assert SiteS3Storage(site="aurora").url("a b.txt") == "https://cdn.example.org/a%20b.txt"


def test_storage_signs_where_there_is_no_domain(process_of: Process) -> None:
    """Without a CDN a bucket stays private: every URL is signed."""
    process_of()
    assert signed(SiteS3Storage(site="aurora"))[2].keys() >= {"X-Amz-Signature", "X-Amz-Expires"}


def test_storage_keeps_what_the_project_says_about_transfers(process_of: Process) -> None:
    """Settings that are not about whose files they are stay the project's."""
    process_of()
    with override_settings(AWS_QUERYSTRING_EXPIRE=60, AWS_S3_OBJECT_PARAMETERS={"CacheControl": "max-age=60"}):
        own = SiteS3Storage(site="aurora")
        assert signed(own)[2]["X-Amz-Expires"] == ["60"]
    assert own.object_parameters == {"CacheControl": "max-age=60"}


def test_requests_wait_for_seconds(process_of: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody states how long, and whatever the surroundings say, it is no worker's whole time."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    process_of()
    config = SiteS3Storage(site="aurora").connection.meta.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 10)
    assert config.retries == {"total_max_attempts": 2, "mode": "standard"}


def test_arguments_pickle_without_a_secret(process_of: Process) -> None:
    """The queue's own serialisation of the arguments has no key in it."""
    process_of()
    pickled = pickle.dumps(SiteS3Storage(site="aurora").deconstruct())  # type: ignore[attr-defined]
    assert SECRET_KEY.encode() not in pickled and ACCESS_KEY.encode() not in pickled


def test_storage_without_keys_asks_for_a_role_only(process_of: Process) -> None:
    """Without keys of the site's own no variable or file is looked at: what is left is a role."""
    process_of(access_key=None, secret_key=None)
    session = SiteS3Storage(site="aurora")._create_session()
    providers = session._session.get_component("credential_provider").providers
    assert {provider.METHOD for provider in providers} == {
        "assume-role-with-web-identity",
        "container-role",
        "iam-role",
    }


def test_role_of_the_machine_is_asked_for_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the process would see the role's credentials, in plain http."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    [provider] = [
        provider
        for provider in own_session(None, None).get_component("credential_provider").providers
        if hasattr(provider, "_role_fetcher")
    ]
    assert provider._role_fetcher._session._proxy_config._proxies == {}
