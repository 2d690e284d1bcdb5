"""Everything that follows from a site's hostnames."""

from __future__ import annotations

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.resolver.hosts import host_settings
from wagtail_multihost.spec.server import TlsSpec

HOSTS = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]


def test_hosts_are_the_sites_hostnames_and_aliases() -> None:
    """Nothing but the site's own names is an allowed host, an origin or the base URL."""
    values = values_of(host_settings(a_platform(), a_site(), {"ALLOWED_HOSTS": ["*"], "CSRF_TRUSTED_ORIGINS": ["x"]}))
    assert values["ALLOWED_HOSTS"] == HOSTS
    assert values["CSRF_TRUSTED_ORIGINS"] == [f"https://{host}" for host in HOSTS]
    assert values["WAGTAILADMIN_BASE_URL"] == "https://aurora.example.org"


def test_cookies_have_names_of_the_site_and_no_domain() -> None:
    """Cookies of two sites below one domain never meet: their names differ, and none has a domain."""
    project: dict[str, object] = {"SESSION_COOKIE_NAME": "sid", "SESSION_COOKIE_DOMAIN": ".example.org"}
    values = values_of(host_settings(a_platform(), a_site(), project))
    assert values["SESSION_COOKIE_NAME"] == "sid_aurora"
    assert values["CSRF_COOKIE_NAME"] == "csrftoken_aurora"
    assert values["LANGUAGE_COOKIE_NAME"] == "django_language_aurora"
    for prefix in ("SESSION_COOKIE", "CSRF_COOKIE", "LANGUAGE_COOKIE"):
        assert values[f"{prefix}_DOMAIN"] is None


@pytest.mark.parametrize(("origin", "secure"), [("https://{hostname}", True), ("http://{hostname}:8000", False)])
def test_cookies_are_secure_when_the_origin_is_https(origin: str, secure: bool) -> None:
    """The cookies of sites that visitors reach by HTTPS are never sent without it."""
    values = values_of(host_settings(a_platform(origin=origin), a_site(), {"SESSION_COOKIE_SECURE": not secure}))
    assert (values["SESSION_COOKIE_SECURE"], values["CSRF_COOKIE_SECURE"]) == (secure, secure)
    assert values["CSRF_TRUSTED_ORIGINS"] == [origin.format(hostname=host) for host in HOSTS]


def test_proxy_header_is_set_only_where_the_platform_says_so() -> None:
    """A header that visitors can send is trusted only behind a proxy that the operator named."""
    assert "SECURE_PROXY_SSL_HEADER" not in values_of(host_settings(a_platform(), a_site(), {}))
    header = ("HTTP_X_FORWARDED_PROTO", "https")
    platform = a_platform(secure_proxy_ssl_header=header)
    assert values_of(host_settings(platform, a_site(), {}))["SECURE_PROXY_SSL_HEADER"] == header


def test_site_with_a_certificate_is_on_https_whatever_the_platform_says() -> None:
    """A site whose certificate the front server has gets https addresses and secure cookies on an http platform."""
    site = a_site(tls=TlsSpec(certificate="/etc/ssl/{hostname}.pem", key="/etc/ssl/{hostname}.key"))
    values = values_of(host_settings(a_platform(origin="http://{hostname}:8000"), site, {}))
    assert values["WAGTAILADMIN_BASE_URL"] == "https://aurora.example.org"
    assert values["CSRF_TRUSTED_ORIGINS"] == [f"https://{host}" for host in HOSTS]
    assert values["SESSION_COOKIE_SECURE"] is True
