"""Plans that have any text in any one of the fields that reach nginx's files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site
from wagtail_multihost.emitters import Plan
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.options import site_fields
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.tls import TlsSpec

TLS = {"certificate": "/etc/tls/{hostname}.pem", "key": "/etc/tls/{hostname}.key"}


def plan_with(field: str, value: str) -> Plan:
    """Return a plan that has ``value`` in the field of that name. Raises ConfigurationError as the specs do."""
    site: dict[str, Any] = {"tls": TlsSpec(**TLS), "nginx": ()}
    platform: dict[str, Any] = {}
    nginx: dict[str, Any] = {
        "acme": Path("/srv/acme"),
        "pages": Path("/srv/pages"),
        "proxies": ("10.0.0.1",),
        "cache": 9,
    }
    nginx |= {
        f"{owner}_{name}": Path(f"/etc/tls/{owner}-{name}.pem")
        for owner in ("node", "front")
        for name in ("certificate", "key", "authority")
    }
    codebase: dict[str, Any] = {}
    owner, _, name = field.partition(".")
    if owner == "nginx":
        nginx[name] = of_option(name, value)
    elif owner == "own":
        site["nginx"] = ((name, of_option(name, value)), ("access_log", True))
    elif owner == "codebase":
        codebase[name] = Path(value) if name == "static_root" else value
    elif owner == "platform":
        platform[name] = value if name == "origin" else (value, "https") if name.endswith("header") else Path(value)
    elif owner == "tls":
        site["tls"] = TlsSpec(**{**TLS, name: value})
    elif name == "storage":
        site["storage"] = StorageSpec(backend="files", path=Path(value))
    elif name in ("hostnames", "aliases"):
        site[name] = ("a.example.org", value) if name == "hostnames" else (value,)
    else:
        site[name] = value
    built = make_site(site.pop("id", "aurora"), **site, state="maintenance")
    options = make_platform(nginx=NginxOptions(**nginx), **platform)
    return make_plan(built, platform=options, codebase=make_codebase(**codebase))


def of_option(name: str, value: str) -> object:
    """Return the value as the kind of the option has it."""
    (declared,) = (declared for declared in fields(NginxOptions) if declared.name == name)
    kind = declared.metadata["declared"].kind.type
    return (value,) if kind is tuple else kind(value)


def stringy(declared: Any) -> bool:
    return declared.metadata["declared"].kind.type in (str, Path, tuple)


FIELDS = (
    *(f"nginx.{declared.name}" for declared in fields(NginxOptions) if stringy(declared)),
    *(f"own.{declared.name}" for declared in site_fields(NginxOptions) if stringy(declared)),
    *(f"codebase.{name}" for name in ("static_root", "static_url", "media_url", "health_prefix")),
    *(f"platform.{name}" for name in ("data", "sockets", "origin", "secure_proxy_ssl_header")),
    *(f"tls.{name}" for name in ("certificate", "key")),
    *(f"site.{name}" for name in ("id", "hostnames", "aliases", "storage", "socket")),
)
