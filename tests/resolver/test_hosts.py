"""Everything that follows from a site's hostnames."""

from __future__ import annotations

import pytest

from tests.resolver.conftest import values_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.resolver.hosts import COOKIES, host_settings
from wagtail_multihost.spec.tls import TlsSpec

HOSTS = ["aurora.example.org", "www.aurora.example.org", "aurora.example.net"]
HTTP = "http://{hostname}:8000"


def test_hosts_are_the_sites_hostnames_and_aliases() -> None:
    """Nothing but the site's own names is an allowed host, an origin or the base URL."""
    values = values_of(host_settings(a_platform(), a_site(), {"ALLOWED_HOSTS": ["*"], "CSRF_TRUSTED_ORIGINS": ["x"]}))
    assert values["ALLOWED_HOSTS"] == HOSTS
    assert values["CSRF_TRUSTED_ORIGINS"] == [f"https://{host}" for host in HOSTS]
    assert values["WAGTAILADMIN_BASE_URL"] == "https://aurora.example.org"


def test_cookies_have_names_of_the_site_and_no_domain() -> None:
    """Cookies of two sites below one domain never meet: their names differ, and none has a domain."""
    project: dict[str, object] = {"SESSION_COOKIE_NAME": "sid", "SESSION_COOKIE_DOMAIN": ".example.org"}
    values = values_of(host_settings(a_platform(origin=HTTP), a_site(), project))
    assert values["SESSION_COOKIE_NAME"] == "sid_aurora"
    assert values["CSRF_COOKIE_NAME"] == "csrftoken_aurora"
    assert values["LANGUAGE_COOKIE_NAME"] == "django_language_aurora"
    for prefix in COOKIES:
        assert values[f"{prefix}_DOMAIN"] is None
        assert f"{prefix}_PATH" not in values


def test_cookies_on_https_are_bound_to_their_host() -> None:
    """Over https every name has __Host-, with the path, the domain and the flag that browsers then ask for."""
    project: dict[str, object] = {
        "SESSION_COOKIE_NAME": "__Secure-sid",
        "CSRF_COOKIE_PATH": "/",
        "LANGUAGE_COOKIE_DOMAIN": ".example.org",
        "LANGUAGE_COOKIE_SECURE": False,
    }
    values = values_of(host_settings(a_platform(), a_site(), project))
    names = [values[f"{prefix}_NAME"] for prefix in COOKIES]
    assert names == ["__Host-sid_aurora", "__Host-csrftoken_aurora", "__Host-django_language_aurora"]
    for prefix in COOKIES:
        assert [values[f"{prefix}_{part}"] for part in ("PATH", "DOMAIN", "SECURE")] == ["/", None, True]


def test_cookie_with_a_path_keeps_it() -> None:
    """Browsers drop a cookie whose name has __Host- and whose path is not the root's."""
    values = values_of(host_settings(a_platform(), a_site(), {"SESSION_COOKIE_PATH": "/aurora/"}))
    assert values["SESSION_COOKIE_NAME"] == "sessionid_aurora"
    assert "SESSION_COOKIE_PATH" not in values
    assert values["CSRF_COOKIE_NAME"] == "__Host-csrftoken_aurora"


@pytest.mark.parametrize("origin", ["https://{hostname}", HTTP])
def test_cookies_from_before_keep_their_names(origin: str) -> None:
    """Each is named as it was, however often apply is called; no other host gets it, and over https it is secure."""
    site = a_site(session_cookie="sessionid", language_cookie="lang", sources={"session_cookie": "sites.toml: x"})
    platform = a_platform(origin=origin)
    settings = list(host_settings(platform, site, {"SESSION_COOKIE_DOMAIN": ".example.org"}))
    values = values_of(settings)
    assert (values["SESSION_COOKIE_NAME"], values["LANGUAGE_COOKIE_NAME"]) == ("sessionid", "lang")
    assert str(values["CSRF_COOKIE_NAME"]).endswith("csrftoken_aurora")
    for prefix in COOKIES:
        assert (values[f"{prefix}_DOMAIN"], values[f"{prefix}_SECURE"]) == (None, origin.startswith("https"))
    assert "SESSION_COOKIE_PATH" not in values
    assert {setting.name: setting.source for setting in settings}["SESSION_COOKIE_NAME"] == "sites.toml: x"
    assert values_of(host_settings(platform, site, values)) == values


def test_a_kept_name_that_is_bound_to_its_host_has_the_path_of_all() -> None:
    """Browsers drop it with any other path."""
    values = values_of(host_settings(a_platform(), a_site(csrf_cookie="__host-x"), {"CSRF_COOKIE_PATH": "/a/"}))
    assert (values["CSRF_COOKIE_NAME"], values["CSRF_COOKIE_PATH"]) == ("__host-x", "/")


@pytest.mark.parametrize("origin", ["https://{hostname}", HTTP])
def test_cookie_names_are_the_same_however_often_they_are_made(origin: str) -> None:
    """The names on top of themselves are themselves."""
    platform = a_platform(origin=origin)
    once = values_of(host_settings(platform, a_site(), {}))
    assert values_of(host_settings(platform, a_site(), once)) == once


def test_no_host_is_one_that_every_site_shares() -> None:
    """A redirect to https and the links of the API lead to the site, whatever the project says."""
    project: dict[str, object] = {
        "SECURE_SSL_HOST": "www.example.com",
        "WAGTAILAPI_BASE_URL": "https://api.example.com",
    }
    values = values_of(host_settings(a_platform(), a_site(), project))
    assert (values["SECURE_SSL_HOST"], values["WAGTAILAPI_BASE_URL"]) == (None, "https://aurora.example.org")
    assert "WAGTAILAPI_BASE_URL" not in values_of(host_settings(a_platform(), a_site(), {}))


@pytest.mark.parametrize(("origin", "secure"), [("https://{hostname}", True), ("http://{hostname}:8000", False)])
def test_cookies_are_secure_when_the_origin_is_https(origin: str, secure: bool) -> None:
    """The cookies of sites that visitors reach by HTTPS are never sent without it."""
    values = values_of(host_settings(a_platform(origin=origin), a_site(), {"SESSION_COOKIE_SECURE": not secure}))
    assert [values[f"{prefix}_SECURE"] for prefix in COOKIES] == [secure] * 3
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
