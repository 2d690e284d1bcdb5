"""SECURE_CSP and SECURE_CSP_REPORT_ONLY."""

from __future__ import annotations

from typing import Any

import pytest
from django import VERSION

from tests.resolver.conftest import values_of
from tests.spec.samples import a_site, files, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.csp import csp_settings
from wagtail_multihost.spec.storage import StorageSpec

SELF, NONE = "'self'", "'none'"
CDN = "https://media.aurora.example.org"


def policy_of(policy: Any, storage: StorageSpec | None = None, name: str = "SECURE_CSP") -> Any:
    site = a_site(storage=storage or s3(domain="media.aurora.example.org"))
    return values_of(csp_settings(site, {name: policy})).get(name)


@pytest.mark.parametrize("name", ["SECURE_CSP", "SECURE_CSP_REPORT_ONLY"])
def test_media_host_of_the_site_is_a_source_of_images_and_media(name: str) -> None:
    """Where the project says whence images come, the site's own host is added, and nothing else changes."""
    policy = {"default-src": [SELF], "img-src": (SELF, "data:"), "media-src": {NONE}, "script-src": [SELF]}
    assert policy_of(policy, name=name) == {
        "default-src": [SELF],
        "img-src": [SELF, "data:", CDN],
        "media-src": [CDN],
        "script-src": [SELF],
    }


def test_media_directives_that_are_missing_follow_the_default() -> None:
    """A default that would keep the site's own images out is extended for them alone."""
    assert policy_of({"default-src": [SELF]}) == {
        "default-src": [SELF],
        "img-src": [SELF, CDN],
        "media-src": [SELF, CDN],
    }
    assert policy_of({"script-src": [SELF], "img-src": None}) == {"script-src": [SELF], "img-src": None}
    assert policy_of({"default-src": NONE, "img-src": True, "media-src": "https: data:"}) == {
        "default-src": NONE,
        "img-src": [CDN],
        "media-src": "https: data:",
    }


@pytest.mark.parametrize(
    ("storage", "sources"),
    [
        (s3(), ["https://aviary--aurora.s3.amazonaws.com"]),
        (
            s3(region="eu-central-1"),
            ["https://aviary--aurora.s3.amazonaws.com", "https://aviary--aurora.s3.eu-central-1.amazonaws.com"],
        ),
        (s3(endpoint="https://s3.internal:9000/"), ["https://s3.internal:9000/aviary--aurora/"]),
        (files(), []),
    ],
    ids=["aws", "region", "endpoint", "files"],
)
def test_media_sources_have_the_sites_bucket_in_them(storage: StorageSpec, sources: list[str]) -> None:
    """No source lets in a bucket but the site's."""
    assert policy_of({"img-src": [SELF]}, storage) == {"img-src": [SELF, *sources]}


@pytest.mark.parametrize(
    "source",
    [
        "https://*.s3.amazonaws.com",
        "*.amazonaws.com",
        "https://s3.amazonaws.com",
        "https://S3.eu-central-1.amazonaws.com:443",
        "s3-eu-west-1.amazonaws.com",
        "*.cloudfront.net",
        "https://*.r2.cloudflarestorage.com",
        "https://account.r2.cloudflarestorage.com",
        "https://*.digitaloceanspaces.com",
        "nyc3.digitaloceanspaces.com",
        "https://storage.googleapis.com/",
        "*.googleapis.com",
        "*.com",
        f"{SELF} *.cloudfront.net",
    ],
)
@pytest.mark.parametrize("directive", ["img-src", "script-src", "connect-src"])
def test_hosts_of_everybodys_uploads_are_refused(directive: str, source: str) -> None:
    """A source that lets in other sites' buckets is an error that names it."""
    with pytest.raises(ConfigurationError) as refused:
        policy_of({directive: [SELF, source]})
    [problem] = refused.value.problems
    assert (problem.where, problem.site) == ("SECURE_CSP", "aurora")
    assert source.lower().split()[-1] in problem.message


@pytest.mark.parametrize("directive", ["script-src", "default-src", "object-src", "frame-src", "style-src"])
@pytest.mark.parametrize("source", ["*", "https:", "http:"])
def test_scripts_and_frames_from_everywhere_are_refused(directive: str, source: str) -> None:
    """What a page runs or frames is not from wherever somebody can upload."""
    with pytest.raises(ConfigurationError):
        policy_of({directive: source})


def test_sources_that_name_their_owner_are_accepted() -> None:
    """Single buckets, keywords, nonces, images from everywhere, and the fallback beside strict-dynamic stay."""
    policy = {
        "img-src": ["https:", "data:"],
        "script-src": ["'strict-dynamic'", "https:", "'nonce-abc'", "<CSP_NONCE_SENTINEL>"],
        "style-src": {SELF, "https://assets.s3.eu-central-1.amazonaws.com"},
        "font-src": [
            "https://d1234.cloudfront.net",
            "https://fonts.googleapis.com",
            "https://s3.amazonaws.com/assets/",
        ],
        "connect-src": ["wss://aurora.example.org", "https://sqs.eu-central-1.amazonaws.com"],
        "frame-ancestors": [SELF],
        "upgrade-insecure-requests": True,
        "report-uri": "/csp/",
    }
    assert policy_of(policy) == policy


def test_policies_that_the_project_does_not_have_are_not_made() -> None:
    """A project without a policy stays without one."""
    assert values_of(csp_settings(a_site(storage=s3()), {"SECURE_CSP": {}})) == {}


def test_policy_on_top_of_itself_is_itself() -> None:
    """However often apply is called, the policy is the same."""
    once = policy_of({"default-src": [SELF], "img-src": [SELF]})
    assert policy_of(once) == once


if VERSION >= (6, 0):  # Django has policies since 6.0

    def test_policy_is_one_that_django_sends() -> None:
        """Django's constants stay what they are, and its middleware makes a header of the result."""
        from django.utils.csp import CSP, build_policy

        policy = policy_of({"default-src": [CSP.NONE], "img-src": [CSP.SELF], "script-src": [CSP.SELF, CSP.NONCE]})
        assert build_policy(policy, "abc") == (
            f"default-src 'none'; img-src 'self' {CDN}; script-src 'self' 'nonce-abc'; media-src {CDN}"
        )
