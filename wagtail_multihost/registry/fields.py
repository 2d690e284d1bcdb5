"""
Database, cache and storage keys as discrete fields, whether the operator wrote a URL or a table.

A site's table overlays the platform's; a site's URL replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from wagtail_multihost.registry.record import KeyEntry, Record, table_entries, type_name
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.storage import StorageSpec

NUMBER = re.compile("[0-9]{1,18}")
Fields = dict[str, KeyEntry]
UrlParser = Callable[[str], Mapping[str, object]]


def fields_of(entry: KeyEntry | None, parse_url: UrlParser, record: Record) -> Fields:
    """Return the fields of a key that holds a URL or a table; problems go to ``record``."""
    if entry is None:
        return {}
    if isinstance(entry.value, dict):
        return table_entries(entry.value, entry.path)
    if not isinstance(entry.value, str) or not entry.value.strip():
        found = "blank" if isinstance(entry.value, str) else type_name(entry.value)
        record.report(f"It must be a URL or a table, not {found}.", entry.path)
        return {}
    try:
        parsed = parse_url(entry.value)
    except ValueError as error:
        record.report(str(error), entry.path)
        return {}
    return {key: KeyEntry(value, entry.path) for key, value in parsed.items()}


def overlay_fields(platform: Fields, site: KeyEntry | None, own: Fields, kind_key: str) -> Fields:
    """Return the platform's fields with the site's own on top, unless the site changes their kind."""
    if site is None:
        return platform
    base, ours = platform.get(kind_key), own.get(kind_key)
    replaces = isinstance(site.value, str) or (ours is not None and (base is None or base.value != ours.value))
    if replaces:
        return own
    # A site's own password also takes the place of the platform's password_file, and the other way round.
    replaced = {alternative for key in own for alternative in (f"{key}_file", key.removesuffix("_file"))}
    return {**{key: entry for key, entry in platform.items() if key not in replaced}, **own}


def parse_database_url(url: str) -> dict[str, object]:
    """Return the fields of a database URL, read by dj-database-url; raises ValueError without the URL."""
    import dj_database_url  # loads only where a registry has such a URL

    refused = ValueError(
        "It is not a database URL. Write postgresql://user:password@host:port/name (special characters "
        "percent-encoded), sqlite:///path, or a table with engine, host and so on."
    )
    rest = url.partition("://")[2].partition("/")[2]
    if "@" in rest and not url.startswith("sqlite:"):
        raise refused  # an unencoded "/" in the password: what follows is no name, and must not be repeated as one
    try:
        config: Mapping[str, Any] = dj_database_url.parse(url)
    except Exception:  # its errors are of many classes, and some quote the URL
        raise refused from None
    engine = str(config.get("ENGINE", ""))
    if engine == "django.db.backends.sqlite3":
        if config["NAME"] in ("", ":memory:"):
            raise ValueError("A SQLite URL needs the path of a file: sqlite:///path.")
        return {"engine": "sqlite", "path": str(config["NAME"])}
    if engine != "django.db.backends.postgresql":
        raise refused
    named = {"name": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    fields: dict[str, object] = {key: config[name] for key, name in named.items() if config.get(name)}
    options = {key: str(value) for key, value in config.get("OPTIONS", {}).items()}
    return {"engine": "postgresql", **fields, **({"options": options} if options else {})}


def parse_cache_url(url: str) -> dict[str, object]:
    """Return the fields of ``locmem://``, ``redis://``, ``rediss://`` or ``unix:///path?db=0``; raises ValueError."""
    refused = ValueError(
        "It is not a cache URL. Write redis://user:password@host:port/0 (special characters percent-encoded), "
        "rediss:// for TLS, unix:///path/to/redis.sock?db=0, locmem:// or a table with backend, host and so on."
    )
    parts = split_url(url, refused)
    if parts.scheme == "locmem" and not parts.netloc and not parts.path:
        return {"backend": "locmem"}
    query = dict(parse_qsl(parts.query))
    number = query.pop("db", "0") if parts.scheme == "unix" else parts.path.strip("/") or "0"
    if parts.scheme not in ("redis", "rediss", "unix") or query or not number.isascii() or not number.isdigit():
        raise refused
    fields: dict[str, object] = {"backend": "redis", "number": int(number), **url_credentials(parts)}
    if parts.scheme == "unix":
        return {**fields, "host": unquote(parts.path)}
    port = {"port": parts.port} if parts.port else {}
    return {**fields, **port, "host": parts.hostname or "", "tls": parts.scheme == "rediss"}


def parse_storage_url(url: str) -> dict[str, object]:
    """Return the fields of ``s3://access_key:secret_key@bucket?region=…`` or ``file:///path``; raises ValueError."""
    refused = ValueError(
        "It is not a storage URL. Write s3://access_key:secret_key@bucket?region=REGION&endpoint=URL (special "
        "characters percent-encoded), file:///path, or a table with backend, bucket and so on."
    )
    parts = split_url(url, refused)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return {"backend": "files", "path": unquote(parts.path)}
    if parts.scheme != "s3" or parts.path.strip("/") or parts.port:
        raise refused
    names = {"username": "access_key", "password": "secret_key"}
    keys = {names[key]: value for key, value in url_credentials(parts).items()}
    bucket = {"bucket": parts.hostname} if parts.hostname else {}
    return {"backend": "s3", **bucket, **keys, **with_numbers(parse_qsl(parts.query), StorageSpec)}


def with_numbers(query: Iterable[tuple[str, str]], spec: type) -> dict[str, object]:
    """Return the parameters of a URL, with numbers for the keys of ``spec`` that are numbers."""
    numbers = {one.name for one, declared in declarations(spec) if declared.kind.type is int}
    return {key: int(text) if key in numbers and NUMBER.fullmatch(text) else text for key, text in query}


def parse_mail_url(url: str) -> dict[str, object]:
    """Return the fields of ``smtp://user:password@host:port`` (``smtps://`` for TLS) or ``console://``."""
    refused = ValueError(
        "It is not a mail URL. Write smtp://user:password@host:587 (STARTTLS; special characters percent-encoded), "
        "smtps:// for TLS from the start, console:// or a table with backend, host and so on."
    )
    parts = split_url(url, refused)
    if parts.scheme == "console" and not parts.netloc and not parts.path:
        return {"backend": "console"}
    if parts.scheme not in ("smtp", "smtps") or parts.path.strip("/") or parts.query or not parts.hostname:
        raise refused
    security, port = ("tls", 465) if parts.scheme == "smtps" else ("starttls", 587)
    address = {"host": parts.hostname, "port": parts.port or port, "security": security}
    return {"backend": "smtp", **address, **url_credentials(parts)}


def refuse_url(url: str) -> dict[str, object]:
    """Raise ValueError: there is no common form of URL for such a part."""
    raise ValueError("It must be a table with backend and so on, not a URL.")


#: The parts that may be written as a URL.
URL_PARSERS: dict[str, UrlParser] = {
    "database": parse_database_url,
    "cache": parse_cache_url,
    "storage": parse_storage_url,
    "mail": parse_mail_url,
}


def split_url(url: str, refused: ValueError) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed when it is asked for
    except ValueError:
        raise refused from None
    if parts.fragment:
        raise refused
    return parts


def url_credentials(parts: SplitResult) -> dict[str, str]:
    found = {"username": parts.username, "password": parts.password}
    return {key: unquote(value) for key, value in found.items() if value}
