"""Every key of a registry, alone: where its value goes, and where a wrong one is reported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.registry.test_keys import KINDS, identified, written
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import NAME, SITE, Key, declared
from wagtail_multihost.registry.targets import BUILT_IN
from wagtail_multihost.spec.secret import Secret

UID = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"
HOSTS = ["aurora.example.org"]
#: A value of each type that is no key's default.
OF_TYPE: dict[str, object] = {
    "path": "/srv/elsewhere",
    "slug, at most 20 characters": "elsewhere",
    "key id": "second",
    "whole number, 0 to 2^53": 2**53,
    "group name": "elsewhere",
    "user name": "elsewhere",
    "list of two strings": ["HTTP_X_ELSEWHERE", "on"],
    "list of addresses": ["127.0.0.1:8080"],
    "version": "1.28.1",
    "list of IP addresses and networks": ["10.0.0.0/8", "2001:db8::/32"],
    "header, or `proxy_protocol`": "proxy_protocol",
    "size": "7k",
    "list of IP addresses": ["192.0.2.53", "[2001:db8::53]:53"],
    "IPv4 address and port": "127.0.0.1:8000",
    "0, or minutes that divide an hour": 20,
    "path, `{site}` in it": "/sys/fs/cgroup/{site}",
    "list of hostnames": HOSTS,
    "UUID": UID,
    "1 or more": 2,
    "0 or more": 3,
    "list of mail addresses": ["a@example.org", "b@example.org"],
    "string, at most 63 characters": "elsewhere",
    "host, IP address or absolute path of a unix socket's folder": "elsewhere.internal",
    "host, IP address or absolute path of a unix socket": "elsewhere.internal",
    "host or IP address": "elsewhere.internal",
    "bucket name": "elsewhere",
    "`http://host` or `https://host`, with a port if there is one": "http://elsewhere:9000",
    "`http://host:port` or `https://host:port`": "http://elsewhere:6081",
    "hostname": "elsewhere.example.org",
    "letters and digits": "E1",
    "absolute path": "/srv/{hostname}.pem",
    "`package.module:name`": "elsewhere.wsgi:application",
    "dotted name": "elsewhere.settings",
    "list of absolute paths": ["/srv/a", "/srv/b"],
}
OF_NAME: dict[str, object] = {
    "aliases": ["elsewhere.example.org"],
    "hostnames": ["elsewhere.example.org", "www.elsewhere.example.org"],
    "index_prefix": "elsewhere_",
    "socket": "elsewhere.sock",
    "origin": "http://{hostname}:8000",
    "cheaper": 1,
}
#: Keys that are accepted beside another one only, in TOML.
BESIDE = {
    ("platform", "environment"): f'secret_key = "{"k" * 32}"',
    ("platform", "key_id"): f'secret_keys = {{ first = "{"k" * 50}", second = "{"l" * 50}" }}',
    (SITE, "key_id"): f'secret_keys = {{ first = "{"k" * 50}", second = "{"l" * 50}" }}\nkey_id = "first"',
    (SITE, "codebase"): 'codebases = { elsewhere = { wsgi = "elsewhere.wsgi:application" } }',
    ("mail", "username"): 'password = "p"',
    ("mail", "password"): 'username = "u"',
    ("storage", "access_key"): 'secret_key = "s"',
    ("storage", "secret_key"): 'access_key = "a"',
    ("cache", "authority"): "tls = true",
    ("cache", "certificate"): 'tls = true, key = "/srv/k.pem"',
    ("cache", "key"): 'tls = true, certificate = "/srv/c.pem"',
    ("cache", "verify"): "tls = true",
    ("frontend", "access_key"): 'secret_key = "s"',
    ("frontend", "secret_key"): 'access_key = "a"',
}
TABLES = (
    "table",
    "URL or table",
    *(f"table of {what}" for what in ["secrets", "addresses", "strings", "values", "declarations"]),
)
#: What changes more than its own field, which other tests are about.
APART = ("nodes", "enabled", "engine", "backend")
SINGLE = [
    key
    for key in declared()
    if key.type not in TABLES
    and key.table != "settings"
    and not key.table.endswith(f".{NAME}")  # tests/registry/test_declarations.py
    and key.name not in APART
]


def value_of(key: Key) -> object:
    if key.name in OF_NAME:
        return OF_NAME[key.name]
    if key.type == "true or false":
        return key.default != "true"
    if words := re.findall(r'"(\w+)"', key.type):
        return next(word for word in reversed(words) if f'"{word}"' != key.default)
    if limits := re.fullmatch(r"(\d+) to (\d+)", key.type):
        return int(limits[2])
    if key.name == "probe_key":
        return "ElsewhereElsewhereElsewhereElsewhereElsewA0"
    if "secret" in key.type:
        secret = "elsewhere" * 8
        return [secret, f"{secret}X"] if key.type.startswith("list") else secret
    return OF_TYPE.get(key.type, "elsewhere")


def with_value(tmp_path: Path, key: Key, literal: str) -> Path:
    """Write a registry in which the key has a value, and all that it needs beside it."""
    beside = BESIDE.get((key.table, key.name.removesuffix("_file")), "")
    line = f"{key.name} = {literal}"
    if key.table == "platform":
        return written(tmp_path, f"{line}\n{beside}\n")
    if key.table == SITE:
        sites = "[sites.aurora]\n" + ("" if key.name == "hostnames" else f"hostnames = {json.dumps(HOSTS)}\n")
        return written(tmp_path, f"{beside}\n", f"{line}\n", sites=sites)
    if key.table.startswith("platform."):
        return written(tmp_path, f"[{key.table}]\n{line}\n")
    if key.table in KINDS:
        kind = key.kind.split(", ")[0] or next(iter(KINDS[key.table]))
        fields = [field for field in KINDS[key.table][kind].split(", ") if not is_of(field, key.name)]
        beside = ", ".join(filter(None, [*fields, beside]))
        return written(tmp_path, "", f"{key.table} = {{ {beside}{', ' * bool(beside)}{line} }}\n")
    return written(tmp_path, "", f"{key.table} = {{ {line} }}\n")


def is_of(field: str, name: str) -> bool:
    return field.startswith((f"{name} =", f"{name.removesuffix('_file')} ="))


def found_at(platform: Any, site: Any, key: Key) -> object:
    """Return what the specs have of a key."""
    if key.table in BUILT_IN or key.table == "code":
        return dict(site.code if key.table == "code" else site.options_of(key.table))[key.name]
    options = {f"platform.{options.target}": options for options in platform.options}
    holders = {"platform": platform, SITE: site, **options}
    holder = holders.get(key.table) or getattr(site, key.table)
    return getattr(holder, key.name)


@pytest.mark.parametrize("key", SINGLE, ids=identified(SINGLE))
def test_value_of_a_key_reaches_its_field(key: Key, tmp_path: Path) -> None:
    """What is written under a key is in the field of its name, and of what it was read from."""
    value = value_of(key)
    path = with_value(tmp_path, key, json.dumps(value))
    platform, site = open_registry(path, {}).site("aurora", reads_secrets=not key.name.endswith("_file"))
    if key.name.endswith("_file"):
        if key.table != "platform":
            secret = found_at(platform, site, key._replace(name=key.name.removesuffix("_file")))
            assert isinstance(secret, Secret)
            assert secret.file == Path(str(value))
        return
    expected: Any = tuple(value) if isinstance(value, list) else value
    if "secret" in key.type:
        expected = tuple(map(Secret, expected)) if isinstance(expected, tuple) else Secret(expected)
    found = found_at(platform, site, key)
    assert found == (type(found)(expected) if isinstance(found, UUID | Path) else expected)
    sources = {"platform": platform.sources, SITE: site.sources}.get(key.table, {key.name: None})
    assert sources[key.name] in (None, f"sites.toml: {key.path.replace(SITE, 'sites.aurora')}")


@pytest.mark.parametrize("key", declared(), ids=identified(list(declared())))
def test_value_of_no_type_is_reported_at_its_key(key: Key, tmp_path: Path) -> None:
    """A float is nothing that any key takes; what is said has the key as it was written, and its site."""
    path = with_value(tmp_path, key, "1.5")
    with pytest.raises(ConfigurationError) as refused:
        open_registry(path, {}).site("aurora", reads_secrets=False)
    place = f"sites.toml: {key.path.replace(SITE, 'sites.aurora')}"
    problem, *consequences = [problem for problem in refused.value.problems if problem.where == place]
    assert re.match(r"It must be (a|true)\b.*", problem.message), problem.message
    assert problem.site == ("" if key.table.startswith("platform") else "aurora")
    assert len(consequences) <= 1


@pytest.mark.parametrize("key", declared(), ids=identified(list(declared())))
def test_key_is_accepted_once_and_no_other_like_it(key: Key, tmp_path: Path) -> None:
    """A key with a letter too many is not known, at its own place, and the key is what is suggested for it."""
    path = with_value(tmp_path, key._replace(name=f"{key.name}q"), "1.5")
    with pytest.raises(ConfigurationError) as refused:
        open_registry(path, {}).site("aurora", reads_secrets=False)
    place = f"sites.toml: {key.path.replace(SITE, 'sites.aurora')}q"
    [message] = [problem.message for problem in refused.value.problems if problem.where == place]
    refused_as = "setting '{}q' cannot be set for one site" if key.table == "settings" else "key '{}q' is not known"
    assert message == f"The {refused_as.format(key.name)}. Did you mean {key.name}?"
