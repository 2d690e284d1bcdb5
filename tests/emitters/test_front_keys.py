"""What nginx's files for a front server are made of, and what is declared for front servers: one and the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from wagtail_multihost.emitters import Plan, emit
from wagtail_multihost.nodeapi import front_v1
from wagtail_multihost.spec.declared import declarations, parts
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.options import front_fields
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.tls import TlsSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

SPECS = (SiteSpec, PlatformSpec, StorageSpec, TlsSpec, NginxOptions, UwsgiOptions, SystemdOptions)
#: Read, but of no consequence where a site's processes are elsewhere: the paths of its socket, its uploads and its own
#: code, and what the front server's own node file says.
WITHOUT_EFFECT = {
    SiteSpec: {"id", "names", "code", "options"},
    PlatformSpec: {"environment", "options"},
    StorageSpec: {"path"},
}
FOLDER = Path("/srv/front")


@contextmanager
def recorded() -> Iterator[dict[type, set[str]]]:
    """Note which fields of specs are read while the block runs."""
    found: dict[type, set[str]] = {spec: set() for spec in SPECS}
    known = {spec: {one.name for one in fields(spec)} for spec in SPECS}

    def read(self: object, name: str) -> object:
        spec = type(self)
        if name in known[spec]:
            found[spec].add(name)
        return object.__getattribute__(self, name)

    with pytest.MonkeyPatch.context() as patch:
        for spec in SPECS:
            patch.setattr(spec, "__getattribute__", read)
        yield found


def plan_of(runner: str) -> Plan:
    """Return the plan of a front server with everything that makes a difference there."""
    nginx = NginxOptions(
        fronts=("192.0.2.1",),
        cache=60,
        rate=5,
        client_connections=9,
        health_from=("192.0.2.9",),
        proxies=("192.0.2.8",),
    )
    platform = make_platform(
        nginx=nginx,
        runner=runner,
        nodes=(("app-1", "10.0.0.1:80"), ("app-2", "10.0.0.2:80")),
        secure_proxy_ssl_header=("HTTP_X_SCHEME", "https"),
    )
    tls = TlsSpec(certificate="/srv/{hostname}.pem", key="/srv/{hostname}.key", pending=("www.aurora.example.org",))
    own = {"nginx": (("timeout", 9), ("access_log", True)), "uwsgi": (("harakiri", 99),), "systemd": (("timeout", 99),)}
    signed = StorageSpec(backend="s3", bucket="aviary-bucket", querystring_expire=3000)
    sites = (
        make_site("aurora", tls=tls, hostnames=("aurora.example.org", "www.aurora.example.org"), **own),
        make_site("borealis", aliases=("b.example.org",), state="suspended", session_cookie="old", storage=signed),
        make_site("corona", nodes=("app-1",), state="maintenance"),
    )
    return make_plan(*sites, platform=platform, codebase=make_codebase(static_root=FOLDER))


def texts_of(plan: Plan) -> dict[str, str]:
    return {file.path.name: file.text for file in emit("nginx", plan)}


def test_what_a_front_server_needs_is_what_is_declared_for_it() -> None:
    """A key that is read and not declared would be missing on a front server; one more would be seen for nothing."""
    read: dict[type, set[str]] = {spec: set() for spec in SPECS}
    for runner in ("uwsgi", "gunicorn"):
        plan = plan_of(runner)
        with recorded() as found:
            texts_of(plan)
        read = {spec: read[spec] | found[spec] for spec in SPECS}
    for spec in (SiteSpec, PlatformSpec, StorageSpec, TlsSpec):
        declared = {one.name for one, key in declarations(spec) if key.front}
        declared |= {name for name, part in parts(spec) if part.front}
        # Disabled sites are left out of plans, and a platform's name and templates are of what makes them.
        others = {"enabled", "name", "templates"} & declared
        assert read[spec] - WITHOUT_EFFECT.get(spec, set()) | others == declared, spec.__name__


def test_options_of_what_runs_sites_that_a_front_server_needs_are_declared_for_it() -> None:
    """How long a request may take there; options are compared as a whole where a site has its own, so none has."""
    read: dict[type, set[str]] = {spec: set() for spec in SPECS}
    for runner in ("uwsgi", "gunicorn"):
        plan = plan_of(runner)
        plan = replace(plan, sites=tuple(replace(site, options=()) for site in plan.sites))
        texts_of(plan)  # options that nobody states check themselves once
        with recorded() as found:
            texts_of(plan)
        read = {spec: read[spec] | found[spec] for spec in SPECS}
    for options in (UwsgiOptions, SystemdOptions):
        assert read[options] == {one.name for one in front_fields(options)}, options.__name__


def test_no_secret_is_declared_for_front_servers() -> None:
    for of_platform in (True, False):
        for table, names in front_v1.front_tables(of_platform=of_platform).items():
            assert names, table
    stated = {*front_v1.PLATFORM_KEYS, *front_v1.SITE_KEYS, *front_v1.front_tables(of_platform=True)["storage"]}
    assert not {name for name in stated if "secret_key" in name or "access_key" in name or "password" in name}


def test_site_that_no_node_serves_is_closed_with_its_files() -> None:
    """No other node is asked for it: that one could answer in its name."""
    plan = plan_of("uwsgi")
    serving = {"aurora": (), "borealis": ("app-1",), "corona": ("app-2",)}
    texts = texts_of(replace(plan, serving=serving))
    assert "aurora" not in texts["upstreams.conf"]
    assert "aurora maintenance;" in texts["maps.conf"]
    assert "file:aurora maintenance;" in texts["maps.conf"]
    assert "corona multihost+app-2;" in texts["upstreams.conf"].replace('"', "")


def test_long_lists_of_nodes_have_short_names() -> None:
    """A word of nginx's files has at most 4,096 bytes."""
    nodes = tuple((f"{'n' * 30}-{number:03}", f"10.0.{number // 250}.{number % 250 + 1}:80") for number in range(300))
    platform = make_platform(nginx=NginxOptions(fronts=(str(ip_network("192.0.2.0/24")),)), nodes=nodes)
    texts = texts_of(make_plan(make_site("aurora"), platform=platform))
    assert max(len(word) for word in texts["upstreams.conf"].split()) < 100
    assert texts["upstreams.conf"].count("max_fails=0") == 300
