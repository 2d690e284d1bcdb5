"""Registries from sound to hostile. Every secret in them has MARKER in it, and nothing else has."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from wagtail_multihost.registry.targets import options_by_target
from wagtail_multihost.spec.code import CodeOptions
from wagtail_multihost.spec.options import site_fields
from wagtail_multihost.spec.proofs import probe_key_text

MARKER = "hunter2"
KEY_TAIL = "-0123456789-0123456789-0123456789-0123456789-0123456789"
SITES = ("aurora", "borealis", "corona")
#: The place of the folder that the test makes.
HERE = "/HERE"

# Characters that mean something in URLs, TOML, shells, templates, globs and error messages.
AWKWARD = "$#?/@[]%&=:;+*{}()'\"\\ <>|~^!,.-_0aZ"
CONTROL = "\x00\x01\t\n\r\x1b\x7f\x85\u2028\u202e\ufeff\U0001f600\u00e9\u0130\u1e9e"


def any_text(most: int = 12) -> st.SearchStrategy[str]:
    return st.one_of(
        st.text(AWKWARD, max_size=most),
        st.text(AWKWARD + CONTROL, max_size=most),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=most),
    )


def secrets() -> st.SearchStrategy[str]:
    return st.builds(lambda before, after: f"{before}{MARKER}{after}", st.text(AWKWARD, max_size=6), any_text(6))


def own_keys() -> st.SearchStrategy[str]:
    return st.sampled_from("abcd").map(lambda letter: f"{MARKER}-{letter}{KEY_TAIL}")


def junk() -> st.SearchStrategy[Any]:
    """Values of every type that TOML has, and of no use."""
    scalars = st.one_of(
        any_text(),
        st.sampled_from(
            ["ture", "True", "yes", "1", "", " ", "env:", "env:1", "env:NOT_SET", "/../..", "{site}", "{x}", "a" * 300]
        ),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, -1, 2**63, -(2**64), 10**40]),
        st.floats(),
        st.just(datetime.date(2026, 2, 28)),
        st.just(datetime.datetime(2026, 2, 28, 1, 2, 3)),
        st.just(datetime.time(1, 2, 3)),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_text(), inner, max_size=3)),
        max_leaves=4,
    )


def urls() -> st.SearchStrategy[str]:
    """URLs with a password, percent-encoded or not, and other things that are wrong with them."""
    password = st.one_of(secrets().map(lambda text: quote(text, safe="")), secrets())
    scheme = st.sampled_from(
        [
            "postgresql",
            "postgres",
            "mysql",
            "sqlite",
            "redis",
            "rediss",
            "unix",
            "s3",
            "file",
            "smtp",
            "smtps",
            "console",
            "locmem",
            "",
            "x",
        ]
    )
    rest = st.sampled_from(
        [
            "db/name",
            "db:1/0",
            "db:x/0",
            "[::1]/0",
            "[::1",
            "/",
            "",
            "db/n?sslmode=require",
            "db/n?password=1",
            "b?region=r&endpoint=https://s3.example",
            "/run/r.sock?db=1",
        ]
    )
    user = st.sampled_from(["u", "", "a%20b", "u@v"])
    return st.builds(
        lambda scheme, user, password, rest: f"{scheme}://{user}:{password}@{rest}", scheme, user, password, rest
    )


def mostly(sound: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 5).flatmap(lambda number: sound if number else other)


# Spellings of the same thing, by what they stand for.
SERVERS = {
    "localhost": "local",
    "LOCALHOST": "local",
    "127.0.0.1": "local",
    "127.1": "local",
    "::1": "local",
    "0:0:0:0:0:0:0:1": "local",
    "/var/run/postgresql": "local",
    "db": "db",
    "DB": "db",
    "10.0.0.1": "ten",
    "::ffff:10.0.0.1": "ten",
    "fd00::1": "six",
    "FD00:0::1": "six",
}
ENDPOINTS = {
    "": "amazon",
    "https://s3.amazonaws.com": "amazon",
    "https://s3.eu-west-1.amazonaws.com/": "amazon",
    "https://s3.example": "example",
    "http://S3.example:80/": "example",
    "https://s3.example:443": "example",
    "https://s3.example:9000": "example:9000",
}
HOSTS = [
    "a.example",
    "A.example",
    "b.example",
    "www.b.example",
    "c.example",
    "d.example",
    "xn--bcher-kva.example",
    "b\u00fccher.example",
    "e.example",
    "f.example",
]
# "link" is a symbolic link to "real", made by the test.
PATHS = [
    f"{HERE}/{path}"
    for path in ("real/a", "link/a", "real/b", "link/b", "real/a/in", "c", "c-wal", "d", "real", "e/f", "g", "h/i")
]
PATHS += ["data/sites/aurora/x", "data/sites/borealis", "i", "sites.toml", "run", "./i", "{site}/j"]


def sound_site(site: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records that are valid on their own; what two of them share is left to chance."""
    word = st.sampled_from(["one", "two", "three", "test_one", f"own_{site}"])
    postgresql = st.fixed_dictionaries(
        {"engine": st.just("postgresql"), "host": st.sampled_from(sorted(SERVERS)), "password": st.just(f"{MARKER}-p")},
        optional={"name": word, "user": word, "port": st.sampled_from([5432, 5433])},
    )
    s3 = st.fixed_dictionaries(
        {
            "backend": st.just("s3"),
            "access_key": st.sampled_from([f"{MARKER}-{letter}" for letter in "abcdefgh"]),
            "secret_key": st.sampled_from([f"{MARKER}-{letter}" for letter in "ijklmnop"]),
        },
        optional={
            "bucket": st.sampled_from(["bucket-1", "bucket-2", "bucket-3"]),
            "endpoint": st.sampled_from([url for url in ENDPOINTS if url]),
            "domain": st.sampled_from(["cdn.example", "d.example"]),
        },
    )
    path = st.sampled_from(PATHS)
    names = {
        "key_prefix": ["aviary.aurora", "aviary.aurora.renditions", "x", "x.y"],
        "index_prefix": ["a_", "a_b_", "b_"],
        "socket": ["a.sock", "b.sock"],
    }
    return st.fixed_dictionaries(
        {
            "hostnames": st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique_by=str.lower).map(
                lambda hosts: [*hosts, f"{site}.example"]
            )
        },
        optional={
            "aliases": st.lists(st.sampled_from(["w.example", "x.example", "y.example", "z.example"]), max_size=1),
            "enabled": st.booleans(),
            "epoch": st.integers(1, 3),
            "uid": st.integers(0, 3).map(lambda number: f"00000000-0000-4000-8000-00000000000{number}"),
            "names": st.fixed_dictionaries(
                {}, optional={key: st.sampled_from(values) for key, values in names.items()}
            ),
            "database": st.one_of(postgresql, path.map(lambda path: {"engine": "sqlite", "path": path})),
            "storage": st.one_of(s3, path.map(lambda path: {"backend": "files", "path": path})),
            "cache": st.just({"backend": "redis", "host": "cache", "password": f"{MARKER}-r"}),
            "secret_key": own_keys(),
            "secret_key_fallbacks": st.lists(own_keys(), max_size=2),
            "probe_key": st.sampled_from([probe_key_text(bytes([number]) * 32) for number in range(4)]),
            "code": st.fixed_dictionaries({}, optional={"directory": path, "pythonpath": st.lists(path, max_size=1)}),
        },
    )


def sound_documents() -> st.SearchStrategy[dict[str, Any]]:
    platform = st.just({"name": "aviary", "sockets": f"{HERE}/run", "secret_key": f"{MARKER}{KEY_TAIL}"})
    sites = st.fixed_dictionaries(
        {"aurora": sound_site("aurora"), "borealis": sound_site("borealis")}, optional={"corona": sound_site("corona")}
    )
    return st.fixed_dictionaries({"platform": platform, "sites": sites})


def table(keys: Mapping[str, st.SearchStrategy[Any]], *secret: str) -> st.SearchStrategy[Any]:
    """A table with some of ``keys`` and of the ``secret`` ones, in all their forms, and now and then another key."""
    known: dict[str, st.SearchStrategy[Any]] = {key: mostly(value, junk()) for key, value in keys.items()}
    for key in secret:
        known[key] = mostly(secrets(), st.sampled_from(["", "env:MARKED", "env:NOT_SET", "env:BLANK", 7, True]))
        known[f"{key}_file"] = st.sampled_from(
            [f"{HERE}/secret", "secret", "missing", "{site}", "{other}", "", f"{HERE}/pipe", f"{HERE}", 7]
        )
        known[f"{key[:-1]}x"] = secrets()
    fixed = st.fixed_dictionaries({}, optional=known)
    return mostly(
        fixed,
        st.builds(lambda first, second: {**second, **first}, fixed, st.dictionaries(any_text(), junk(), max_size=2)),
    )


def part(*arguments: Any) -> st.SearchStrategy[Any]:
    return st.one_of(table(*arguments), urls(), junk())


def options(declared: Iterable[Field[Any]]) -> st.SearchStrategy[Any]:
    """A table of options of servers, as they are declared."""
    kinds: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-1, 100),
        str: st.one_of(any_text(), st.sampled_from(["", "root", "{site}", "1k", "/srv/{site}"])),
        tuple: st.lists(st.one_of(any_text(), st.sampled_from(["10.0.0.0/8", "::1", "/srv/x"])), max_size=2),
        Path: st.one_of(st.sampled_from(PATHS), any_text()),
    }
    return part({field.name: kinds[field.metadata["declared"].kind.type] for field in declared})


def common_keys() -> dict[str, st.SearchStrategy[Any]]:
    host = st.sampled_from(["db", "u:hunter2@db", "::1", "/run/x", "a b", "-"])
    options = st.dictionaries(
        st.sampled_from(["sslmode", "passfile", "password", "hostaddr"]), st.one_of(secrets(), junk()), max_size=2
    )
    return {
        "database": part(
            {
                "engine": st.sampled_from(["postgresql", "sqlite"]),
                "host": host,
                "name": any_text(),
                "user": any_text(),
                "port": st.integers(0, 70000),
                "path": st.sampled_from(PATHS),
                "options": options,
            },
            "password",
        ),
        "cache": part(
            {
                "backend": st.sampled_from(["redis", "locmem"]),
                "host": host,
                "number": st.integers(-1, 20),
                "username": any_text(),
                "tls": st.booleans(),
            },
            "password",
        ),
        "storage": part(
            {
                "backend": st.sampled_from(["s3", "files"]),
                "bucket": any_text(),
                "endpoint": st.one_of(st.sampled_from(sorted(ENDPOINTS)), urls()),
                "domain": any_text(),
                "region": any_text(),
                "path": st.sampled_from(PATHS),
            },
            "access_key",
            "secret_key",
        ),
        "mail": part(
            {
                "backend": st.sampled_from(["smtp", "console"]),
                "host": host,
                "username": any_text(),
                "security": st.sampled_from(["tls", "none", ""]),
                "timeout": st.integers(0, 400),
            },
            "password",
        ),
        "frontend": part(
            {
                "backend": st.sampled_from(["http", "cloudflare", "cloudfront"]),
                "location": st.one_of(st.just("http://varnish:80"), urls()),
                "zone": any_text(),
            },
            "token",
            "access_key",
            "secret_key",
        ),
        "tls": part({"certificate": any_text(), "key": any_text()}),
        "settings": part(
            {
                "WAGTAIL_SITE_NAME": any_text(),
                "TIME_ZONE": any_text(),
                "SECRET_KEY": secrets(),
                "WAGTAIL_I18N_ENABLED": st.booleans(),
                "DEFAULT_FROM_EMAIL": any_text(),
            }
        ),
    }


def hostile_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Documents with anything in every place."""
    site = table(
        {
            "hostnames": st.lists(st.one_of(st.sampled_from(HOSTS), any_text()), max_size=3),
            "aliases": st.lists(any_text(), max_size=2),
            "enabled": st.booleans(),
            "epoch": st.integers(-1, 3),
            "uid": any_text(),
            "names": table(
                {key: any_text() for key in ("database", "role", "bucket", "key_prefix", "index_prefix", "socket")}
            ),
            "secret_key_fallbacks": st.lists(secrets(), max_size=2),
            "admins": st.lists(any_text(), max_size=2),
            "key_id": any_text(),
            "state": st.sampled_from(["active", "suspended", ""]),
            "nodes": st.lists(st.sampled_from(["app-1", "app-2", "?"]), max_size=2),
            **{name: options(site_fields(kind)) for name, kind in {"code": CodeOptions, **options_by_target()}.items()},
            **common_keys(),
        },
        "secret_key",
        "probe_key",
    )
    platform = table(
        {
            "name": st.sampled_from(["aviary", "xn", "a" * 30]),
            # Never an absolute path of chance: a key is made in it.
            "data": st.sampled_from(["data", f"{HERE}/data", f"{HERE}/secret", f"{HERE}/link/d", "a\0b", "../up", ""]),
            "environment": st.sampled_from(["production", "staging"]),
            "sockets": any_text(),
            "origin": st.sampled_from(
                ["http://{hostname}:8000", "https://{hostname}:99999", "{hostname}", "{0}", "{hostname!r}"]
            ),
            "secret_keys": table({"a_file": st.sampled_from(["secret", "missing", f"{HERE}/pipe"])}, "b", "B"),
            "key_id": st.sampled_from(["a", "c"]),
            "group": any_text(),
            "revision": st.integers(),
            "user": st.one_of(any_text(), st.sampled_from(["{site}", "root", "site-{site}", "x" * 32 + "{site}"])),
            "nodes": st.dictionaries(st.sampled_from(["app-1", "app-2", "?"]), st.just("10.0.0.5:8080"), max_size=2),
            "templates": any_text(),
            "snapshots": any_text(),
            **{name: options(fields(kind)) for name, kind in options_by_target().items()},
            **common_keys(),
        },
        "secret_key",
    )
    sites = st.dictionaries(st.one_of(st.sampled_from(SITES), any_text()), mostly(site, junk()), max_size=3)
    named = platform.map(lambda keys: {"name": "aviary", **keys} if isinstance(keys, dict) else keys)
    documents = st.fixed_dictionaries({"platform": mostly(named, junk()), "sites": mostly(sites, junk())})
    return mostly(
        documents,
        st.builds(
            lambda first, second: {**second, **first}, documents, st.dictionaries(any_text(), junk(), max_size=1)
        ),
    )


def paths_of(value: Any) -> list[tuple[str, ...]]:
    """Return the path of every key of a document."""
    if not isinstance(value, dict):
        return []
    return [path for key, inner in value.items() for path in [(key,), *((key, *rest) for rest in paths_of(inner))]]


def changed(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a copy of ``document`` with ``value`` at ``path``."""
    key, *rest = path
    return {**document, key: changed(document[key], tuple(rest), value) if rest else value}


def nearly_sound_documents() -> st.SearchStrategy[dict[str, Any]]:
    """Sound documents with one value of chance, also where a secret was."""
    value = st.one_of(junk(), urls(), st.sampled_from(PATHS), secrets().map(lambda text: {"password": text, "x": text}))
    return sound_documents().flatmap(
        lambda document: st.builds(changed, st.just(document), st.sampled_from(paths_of(document)), value)
    )


def toml(value: Any) -> str:
    """Return ``value`` as TOML, tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f") if value.isascii() else f'"{"".join(map(escaped, value))}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if "." in repr(value) or "n" in repr(value) else f"{value:.1f}"
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def damaged(document: dict[str, Any]) -> str:
    """Return a document that ends too early."""
    text = document_text(document)
    return text[: len(text) * 2 // 3]


def escaped(character: str) -> str:
    return f"\\U{ord(character):08x}" if not character.isalnum() or not character.isascii() else character


def document_text(document: dict[str, Any]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())


def variables() -> st.SearchStrategy[dict[str, str]]:
    """The variables of a process, those of a registry among them. Secrets have MARKER; no name has a secret."""
    text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
    plain = st.one_of(
        text,
        st.sampled_from(
            [
                "true",
                "ture",
                "1",
                "0",
                "10" * 20,
                "a.example,b.example",
                "a,,b",
                "locmem://",
                "s3",
                "redis",
                "postgresql",
                "/x",
                "\udcff",
            ]
        ),
    )
    marked = st.one_of(secrets(), urls()).map(lambda value: value.replace("\x00", ""))
    site = [
        "HOSTNAMES",
        "ALIASES",
        "ENABLED",
        "EPOCH",
        "UID",
        "NAMES__BUCKET",
        "DATABASE__HOST",
        "DATABASE__ENGINE",
        "DATABASE__PORT",
        "DATABASE__OPTIONS__SSLMODE",
        "CACHE__BACKEND",
        "CACHE__TLS",
        "STORAGE__BACKEND",
        "STORAGE__PATH",
        "SETTINGS__TIME_ZONE",
        "SETTINGS",
        "MAIL__PORT",
        "FRONTEND__BACKEND",
        "X__Y__Z",
        "",
        "__",
        "ADMINS",
    ]
    secret = [
        "DATABASE",
        "DATABASE__PASSWORD",
        "CACHE",
        "CACHE__PASSWORD",
        "STORAGE",
        "STORAGE__ACCESS_KEY",
        "STORAGE__SECRET_KEY",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "MAIL",
        "MAIL__PASSWORD",
        "FRONTEND__TOKEN",
        "DATABASE__PASWORD",
    ]
    known = {f"MULTIHOST_{table}_{key}": plain for table in ("SITE", "PLATFORM") for key in site}
    known |= {f"MULTIHOST_{table}_{key}": marked for table in ("SITE", "PLATFORM") for key in secret}
    known |= {
        "MULTIHOST_PLATFORM_NAME": st.sampled_from(["aviary", "A"]),
        "MULTIHOST_SITE": st.one_of(st.just("aurora"), plain),
        "MULTIHOST_PLATFORM_REVISION": plain,
        "MULTIHOST_PLATFORM_SECRET_KEYS__A": marked,
    }
    always = {
        "MULTIHOST_SITE": st.just("aurora"),
        "MULTIHOST_PLATFORM_NAME": st.just("aviary"),
        "MULTIHOST_SITE_HOSTNAMES": st.just("a.example"),
        "MULTIHOST_PLATFORM_SECRET_KEY": st.just(f"{MARKER}{KEY_TAIL}"),
    }
    picked = st.lists(st.sampled_from(sorted(known)), max_size=6, unique=True)
    some = picked.flatmap(lambda names: st.fixed_dictionaries({name: known[name] for name in names}))
    return st.builds(lambda first, second: {**first, **second}, st.fixed_dictionaries(always), some)
