"""nginx's files as whole texts, for both sides of each option of its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from tests.emitters.test_golden import AURORA, BOREALIS, SECURE, TLS
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.tls import TlsSpec

PENDING = TlsSpec(
    certificate=TLS.certificate, key=TLS.key, pending=("harbour.example.net",), off=("harbour.lan.example",)
)
OWN = make_site(
    "harbour",
    hostnames=("harbour.example.org", "www.harbour.example.org"),
    aliases=("harbour.example.net", "harbour.lan.example"),
    tls=PENDING,
    nginx=(
        ("body_size", "200m"),
        ("timeout", 300),
        ("rate", 5),
        ("burst", 10),
        ("client_connections", 30),
        ("access_log", True),
        ("site_include", Path("/etc/nginx/harbour snippets.conf")),
    ),
)
CLOSED = (make_site("quay", state="maintenance"), make_site("moor", state="suspended"))


def platform(**options: object) -> object:
    """Return the platform with options of nginx."""
    header = options.pop("header", None)
    return make_platform(nginx=NginxOptions(**options), secure_proxy_ssl_header=header)  # type: ignore[arg-type]


CASES = {
    "own-server": make_plan(AURORA, OWN),
    "own-server-alone": make_plan(make_site("harbour", nginx=(("body_size", "1m"),))),
    "closed": make_plan(AURORA, *CLOSED),
    "closed-with-pages-and-challenges": make_plan(
        SECURE, *CLOSED, platform=platform(pages=Path("/srv/pages"), acme=Path("/srv/acme"))
    ),
    "limits-of-all": make_plan(BOREALIS, platform=platform(rate=20, burst=0, client_connections=40)),
    "includes-of-all": make_plan(
        SECURE,
        platform=platform(include=Path("/etc/nginx/aviary.conf"), site_include=Path("/etc/nginx/sites.conf")),
    ),
    "proxies": make_plan(
        BOREALIS,
        platform=platform(proxies=("10.0.0.0/8", "2001:db8::/32"), header=("HTTP_X_FORWARDED_PROTO", "https")),
    ),
    "proxies-with-protocol": make_plan(
        SECURE, platform=platform(proxies=("10.0.0.1",), real_ip_header="proxy_protocol", connections=4096)
    ),
    "version-1.18": make_plan(SECURE, platform=platform(version="1.18.0")),
    "version-1.28": make_plan(SECURE, OWN, platform=platform(version="1.28")),
    "without-http2": make_plan(SECURE, platform=platform(version="1.28", http2=False)),
    "health": make_plan(
        AURORA,
        OWN,
        codebase=make_codebase(health_prefix="/ops/health.d/"),
        platform=platform(health_from=("10.0.2.0/24", "2001:db8::/64"), proxies=("10.0.0.1",), rate=20),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_emitted_files_are_those_reviewed(case: str, matches_golden: Callable[[str, str, Plan], None]) -> None:
    """The files of a plan are, byte for byte, those that were reviewed."""
    matches_golden("nginx", case, CASES[case])
