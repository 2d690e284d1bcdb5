"""Names without a certificate: cookies are for https, so nobody can log in there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import a_codebase, a_platform, a_site
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.resolver.hosts import host_settings
from wagtail_multihost.spec import TlsSpec

NAMES: dict[str, Any] = {
    "hostnames": ("aurora.example.org", "www.aurora.example.org"),
    "aliases": ("aurora.intern.example.org",),
}


def names_told(origin: str, tls: TlsSpec | None) -> str:
    """Return the hostnames of the caution, and hold it to be there where cookies are Secure alone."""
    platform, site = a_platform(origin=origin), a_site(**NAMES, tls=tls)
    plan = Plan(
        platform=platform, sites=(site,), codebase=a_codebase(), registry="/sites", directory=Path("/etc/multihost")
    )
    found = [sentence for sentence in cautions(plan, ["nginx"]) if "log in" in sentence]
    secure = {setting.name: setting.value for setting in host_settings(platform, site, {})}
    assert not found or secure["SESSION_COOKIE_SECURE"]
    assert len(found) <= 1
    return found[0].partition(" at ")[2].partition(":")[0] if found else ""


@pytest.mark.parametrize("key", ["off", "pending"])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("aurora.intern.example.org", "aurora.intern.example.org"),
        ("www.aurora.example.org", ""),  # redirects to the first
        ("aurora.example.org", "aurora.example.org"),
    ],
)
def test_name_without_a_certificate_is_told(key: str, name: str, told: str) -> None:
    """Off for ever or still pending, a name that serves pages itself is told; one that redirects is not."""
    tls = TlsSpec(certificate="/c.pem", key="/k.pem", **{key: (name,)})
    assert names_told("https://{hostname}", tls) == told


def test_site_on_http_or_behind_a_balancer_is_quiet() -> None:
    """Cookies of a site on http are kept over http, and without tls something in front ends it for all names."""
    tls = TlsSpec(certificate="/c.pem", key="/k.pem", pending=("aurora.example.org",))
    assert names_told("http://{hostname}", tls) == ""
    assert names_told("https://{hostname}", None) == ""
    assert names_told("https://{hostname}", TlsSpec(certificate="/c.pem", key="/k.pem")) == ""
