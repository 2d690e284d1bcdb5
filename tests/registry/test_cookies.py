"""Names of cookies that sites keep from before."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.cookies import owned_domain

HTTP = HEAD + 'origin = "http://{hostname}:8000"\n'
TLS = 'tls = { certificate = "/etc/ssl/a.pem", key = "/etc/ssl/a.key" }\n'


def problems_of(registry: RegistryMaker, text: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as refused:
        registry(text).load()
    return [(problem.where, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize("name", ["sessionid", "__Host-sid", "__Secure-sid", "a.b-c_D9", "_s", "9", "x" * 64])
def test_names_of_live_sites_are_accepted(registry: RegistryMaker, name: str) -> None:
    """Those that Django, and what projects usually write, make."""
    _, site = registry(f'{HEAD}{AURORA}session_cookie = "{name}"\n').site("aurora")
    assert site.session_cookie == name


@pytest.mark.parametrize(
    "name", ["a b", "a;b", "a=b", 'a\\"b', "$a", "a$1", "é", "a\\u0000", "-a", ".a", "(a)*", "x" * 65]
)
def test_what_ends_a_name_or_a_rule_is_refused(registry: RegistryMaker, name: str) -> None:
    """Neither a header nor a pattern of nginx can have it."""
    [(where, message)] = problems_of(registry, f'{HEAD}{AURORA}csrf_cookie = "{name}"\n')
    assert where == "sites.toml: sites.aurora.csrf_cookie"
    assert message.startswith("The cookie name ")


@pytest.mark.parametrize("name", ["__Host-sid", "__secure-sid"])
def test_names_that_need_https_are_refused_over_http(registry: RegistryMaker, name: str) -> None:
    """Browsers would drop the cookie; a site with a certificate is on https."""
    text = f'{HTTP}{AURORA}session_cookie = "{name}"\n'
    [(where, message)] = problems_of(registry, text)
    assert where == "sites.toml: sites.aurora.session_cookie"
    assert "the site is on http." in message
    assert registry(f"{text}{TLS}").site("aurora")[1].session_cookie == name


def test_two_cookies_of_a_site_have_two_names(registry: RegistryMaker) -> None:
    """Each would overwrite the other."""
    [(where, message)] = problems_of(registry, f'{HEAD}{AURORA}session_cookie = "x"\ncsrf_cookie = "x"\n')
    assert where == "sites.toml: sites.aurora.csrf_cookie"
    assert "also that of session_cookie" in message


def test_two_sites_below_a_domain_keep_no_name_in_common(registry: RegistryMaker) -> None:
    """A cookie that one of them had for the whole domain would be the other's; one that is bound to its host is not."""
    text = f'{HEAD}{AURORA}session_cookie = "sid"\n{BOREALIS}language_cookie = "sid"\n'
    [(where, message)] = problems_of(registry, text)
    assert where == "sites.toml: sites.borealis.language_cookie"
    assert message.startswith("The cookie below example.org 'sid' belongs to the sites aurora and borealis")
    assert registry(text.replace('"sid"', '"__Host-sid"')).load().sites
    assert registry(text.replace("borealis.example.org", "borealis.example.net")).load().sites


@pytest.mark.parametrize(
    ("hostname", "domain"),
    [
        ("www.aurora.example.org", "example.org"),
        ("example.org", "example.org"),
        ("aurora.co.uk", "aurora.co.uk"),
        ("www.aurora.com.au", "aurora.com.au"),
        ("aurora.localhost", "aurora.localhost"),
        ("www.stadt.de", "stadt.de"),
        ("blog.aurora.de", "aurora.de"),
    ],
)
def test_domain_of_one_owner(hostname: str, domain: str) -> None:
    """Two customers below co.uk are not below one domain."""
    assert owned_domain(hostname) == domain


def test_variables_name_cookies_too() -> None:
    """As every key of a site."""
    environ = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_PLATFORM_SECRET_KEY": "k" * 50,
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_SITE_SESSION_COOKIE": "sessionid",
    }
    assert open_registry("env:", environ).site("aurora")[1].session_cookie == "sessionid"
