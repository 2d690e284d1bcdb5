"""Each option of a server, with its default, whether a site may state its own, and its limits, stated again."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import problem_keys
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import CodeOptions, NginxOptions, SystemdOptions, UwsgiOptions

#: The default, and whether a site may state its own.
DECLARED: dict[type[Any], dict[str, tuple[object, bool]]] = {
    CodeOptions: {
        "directory": (None, True),
        "virtualenv": (None, True),
        "wsgi": ("", True),
        "settings_module": ("", True),
        "pythonpath": ((), True),
    },
    NginxOptions: {
        "http": (("80", "[::]:80"), False),
        "https": (("443", "[::]:443"), False),
        "version": ("1.22", False),
        "user": ("www-data", False),
        "pid": (Path("/run/nginx.pid"), False),
        "logs": (Path("/var/log/nginx"), False),
        "temp": (Path("/var/lib/nginx"), False),
        "mime_types": (Path("/etc/nginx/mime.types"), False),
        "http2": (True, False),
        "connections": (1024, False),
        "proxies": ((), False),
        "real_ip_header": ("X-Forwarded-For", False),
        "acme": (None, False),
        "pages": (None, False),
        "include": (None, False),
        "site_include": (None, True),
        "body_size": ("20m", True),
        "timeout": (0, True),
        "rate": (0, True),
        "burst": (20, True),
        "client_connections": (0, True),
        "access_log": (False, True),
        "cache": (0, True),
        "cache_path": (Path("/var/cache/multihost"), False),
        "cache_size": ("1g", False),
        "purgers": (("127.0.0.1", "::1"), False),
        "gzip_static": (False, False),
        "bucket_media": ("off", True),
        "resolvers": ((), False),
        "authorities": (Path("/etc/ssl/certs/ca-certificates.crt"), False),
        "health_from": ((), False),
        "drain": (Path("/run/multihost-drain"), False),
        "unhealthy": (Path("/run/multihost-unhealthy"), False),
        "fronts": ((), False),
        "node_certificate": (None, False),
        "node_key": (None, False),
        "node_authority": (None, False),
        "front_certificate": (None, False),
        "front_key": (None, False),
        "front_authority": (None, False),
    },
    SystemdOptions: {
        "user": ("multihost", False),
        "workers": (2, True),
        "threads": (1, True),
        "timeout": (60, True),
        "max_requests": (5000, True),
        "on_demand": (True, True),
        "memory": ("", True),
        "cpu_weight": (100, True),
        "tasks": (256, True),
        "publish": (60, True),
        "egress": ((), True),
    },
    UwsgiOptions: {
        "build": ("pyuwsgi", False),
        "http": ("", False),
        "processes": (2, True),
        "threads": (1, True),
        "harakiri": (60, True),
        "max_requests": (5000, True),
        "max_requests_delta": (0, True),
        "cheaper": (0, True),
        "on_demand": (False, True),
        "idle": (600, True),
        "memory": ("", True),
        "rss": ("", True),
        "tasks": (0, True),
        "cgroup": ("", False),
        "stats": (False, False),
        "freeze": (True, False),
        "backlog": (100, True),
    },
}
#: The least and the most of each number.
LIMITS: dict[type[Any], dict[str, tuple[int, int]]] = {
    NginxOptions: {
        "connections": (16, 1_000_000),
        "timeout": (0, 86_400),
        "rate": (0, 100_000),
        "burst": (0, 100_000),
        "client_connections": (0, 65_535),
        "cache": (0, 86_400),
    },
    SystemdOptions: {
        "workers": (1, 256),
        "threads": (1, 256),
        "timeout": (1, 86_400),
        "max_requests": (0, 10_000_000),
        "cpu_weight": (1, 10_000),
        "tasks": (8, 1_000_000),
    },
    UwsgiOptions: {
        "processes": (1, 256),
        "threads": (1, 256),
        "harakiri": (1, 86_400),
        "max_requests": (1, 10_000_000),
        "max_requests_delta": (0, 1_000_000),
        "cheaper": (0, 255),
        "idle": (1, 10_000_000),
        "tasks": (0, 4_194_304),
        "backlog": (1, 65_535),
    },
}
NUMBERS = [(kind, name) for kind, limits in LIMITS.items() for name in limits]
#: What a number must stand beside.
BESIDE = {"cheaper": {"processes": 256}}


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_option_has_its_default_and_is_a_sites_or_not(kind: type[Any]) -> None:
    """A default that is another one changes every installation that states none."""
    found = {field.name: (field.default, field.metadata["declared"].per_site) for field in fields(kind)}
    assert found == DECLARED[kind]
    assert [type(default) for default, _ in found.values()] == [type(default) for default, _ in DECLARED[kind].values()]


@pytest.mark.parametrize("kind", LIMITS, ids=lambda kind: kind.__name__)
def test_every_number_has_limits(kind: type[Any]) -> None:
    """None is without a statement of them but minutes, which divide an hour."""
    numbers = {name for name, (default, _) in DECLARED[kind].items() if type(default) is int}
    assert numbers - {"publish"} == set(LIMITS[kind])


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
def test_number_is_accepted_up_to_its_limits(kind: type[Any], name: str) -> None:
    """Both ends are, and the next number at either is a problem of the option."""
    least, most = LIMITS[kind][name]
    for value in (least, most):
        assert getattr(kind(**{name: value, **BESIDE.get(name, {})}), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ConfigurationError, match=f"it must be {least} to {most}") as refused:
            kind(**{name: value, **BESIDE.get(name, {})})
        assert set(problem_keys(refused.value)) == {name}
