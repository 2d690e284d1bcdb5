"""Emitted files of nginx for kept pages, buckets and several machines, as whole texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emitters.conftest import BUCKET, make_plan, make_platform, make_site
from tests.emitters.test_golden import AURORA, SECURE
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions

CERTIFICATES = {
    "node_certificate": Path("/etc/ssl/multihost/node.pem"),
    "node_key": Path("/etc/ssl/multihost/node.key"),
    "node_authority": Path("/etc/ssl/multihost/nodes.pem"),
    "front_certificate": Path("/etc/ssl/multihost/front.pem"),
    "front_key": Path("/etc/ssl/multihost/front.key"),
    "front_authority": Path("/etc/ssl/multihost/fronts.pem"),
}
NODES = (("app-1", "10.0.0.5:8080"), ("app-2", "10.0.0.6:8080"))
MEDIA = make_site("media", storage=replace(BUCKET, domain="media.example.org"))
LINKED = make_site(
    "linked", storage=replace(BUCKET, domain="linked.example.net"), nginx=(("bucket_media", "redirect"),)
)
FAST = make_site("fast", nginx=(("cache", 1),))
FRESH = make_site("fresh", nginx=(("cache", 0),))
PINNED = make_site("pinned", nodes=("app-2",))


def several(node: str = "", **options: object) -> Plan:
    nginx = NginxOptions(**{"fronts": ("10.0.0.4",), "cache": 10, **options})  # type: ignore[arg-type]
    return make_plan(AURORA, SECURE, PINNED, node=node, platform=make_platform(nodes=NODES, nginx=nginx))


CASES = {
    "cached": make_plan(
        AURORA, SECURE, FAST, FRESH, platform=make_platform(nginx=NginxOptions(cache=10, gzip_static=True))
    ),
    "cached-behind-proxy": make_plan(
        AURORA,
        platform=make_platform(
            nginx=NginxOptions(cache=10, proxies=("10.0.0.0/24",)),
            secure_proxy_ssl_header=("HTTP_X_FORWARDED_PROTO", "https"),
        ),
    ),
    "buckets": make_plan(
        MEDIA, LINKED, platform=make_platform(nginx=NginxOptions(bucket_media="proxy", resolvers=("127.0.0.53",)))
    ),
    "front": several(),
    "front-certified": several(fronts=(), cache=0, **CERTIFICATES),
    "node": several("app-1"),
    "node-certified": several("app-2", fronts=(), **CERTIFICATES),
}


@pytest.mark.parametrize("case", CASES)
def test_emitted_files_are_those_reviewed(case: str, matches_golden: Callable[[str, str, Plan], None]) -> None:
    """The files of a plan are, byte for byte, those that were reviewed."""
    matches_golden("nginx", case, CASES[case])
