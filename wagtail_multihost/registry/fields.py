"""
Database, cache and storage keys as discrete fields, whether the operator wrote a URL or a table.

A site's table overlays the platform's; a site's URL replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from wagtail_multihost.registry.record import KeyEntry, Record, table_entries
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.type_words import type_name

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
    socket, url = split_socket(url)
    # It makes numbers of parameters that look like some: the password 007 would be 7.
    address, _, query = (url, "", "") if url.startswith("sqlite:") else url.partition("?")
    if "@" in query:
        raise refused  # an unencoded "?" in the password
    try:
        config: Mapping[str, Any] = dj_database_url.parse(address)
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
    fields.update({"host": socket} if socket else {})
    parameters = parse_qsl(query)
    stated = [*fields, *(ADDRESS_PARAMETERS.get(name, f"option {name}") for name, _ in parameters)]
    if twice := next((name for name in stated if stated.count(name) > 1), ""):
        raise ValueError(f"The URL states its {shown(twice)} twice.")
    options = {}
    for name, value in parameters:
        if name in ADDRESS_PARAMETERS:
            fields[ADDRESS_PARAMETERS[name]] = int(value) if name == "port" and value.isdecimal() else value
        else:
            options[name] = value
    return {"engine": "postgresql", **fields, **({"options": options} if options else {})}


#: What a URL of libpq may state as parameters, which is how a socket's folder is written as it is
#: (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS).
ADDRESS_PARAMETERS = {"dbname": "name", "host": "host", "password": "password", "port": "port", "user": "user"}


def split_socket(url: str) -> tuple[str, str]:
    """
    Return the folder of a unix socket in a URL, blank without one, and the URL without it. It is the host,
    percent-encoded, which other readers put into lower case; or, as django-environ has it, it starts with a second
    slash (https://django-environ.readthedocs.io/en/latest/tips.html#using-unsafe-characters-in-urls).
    """
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    credentials, at, server = authority.rpartition("@")
    if scheme != "sqlite" and server[:3].lower() == "%2f":
        host, colon, port = server.partition(":")
        return unquote(host), f"{scheme}://{credentials}{at}localhost{colon}{port}{slash}{path}"
    if scheme != "sqlite" and path.startswith("/") and not server:
        folder, _, name = path.partition("?")[0].rpartition("/")
        query = path[len(folder) + len(name) + 1 :]
        return unquote(folder), f"{scheme}://{authority}localhost/{name}{query}"
    return "", url


#: What a URL may state of how to connect, as redis-py calls it, and the key that says so here
#: (https://redis.readthedocs.io/en/stable/connections.html#redis.connection.ConnectionPool.from_url).
CACHE_PARAMETERS = {"ssl_ca_certs": "authority", "ssl_certfile": "certificate", "ssl_keyfile": "key"}
CACHE_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")
VERIFICATION = {"required": "full", "none": "none"}


def parse_cache_url(url: str) -> dict[str, object]:
    """
    Return the fields of ``locmem://``, ``redis://``, ``rediss://`` or ``unix:///path?db=0``; raises ValueError. What
    redis-py takes as parameters of a URL that say how to connect are fields too.
    """
    refused = ValueError(
        "It is not a cache URL. Write redis://user:password@host:port/0 (special characters percent-encoded), "
        "rediss:// for TLS, unix:///path/to/redis.sock?db=0, locmem:// or a table with backend, host and so on."
    )
    parts = split_url(url, refused)
    if parts.scheme == "locmem" and not parts.netloc and not parts.path:
        return {"backend": "locmem"}
    if parts.scheme not in ("redis", "rediss", "unix") or "@" in parts.query:
        raise refused  # an unencoded "?" in the password: what follows is no parameter, and must not be repeated as one
    query = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in query]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"The URL states {shown(twice)} twice.")
    stated = dict(query)
    number = stated.pop("db", "0") if parts.scheme == "unix" else parts.path.strip("/") or "0"
    if not number.isascii() or not number.isdigit():
        raise refused
    fields: dict[str, object] = {"backend": "redis", "number": int(number), **url_credentials(parts)}
    fields.update(read_cache_parameters(stated))
    if parts.scheme == "unix":
        return {**fields, "host": unquote(parts.path)}
    port = {"port": parts.port} if parts.port else {}
    return {**fields, **port, "host": unquote(parts.hostname or ""), "tls": parts.scheme == "rediss"}


def read_cache_parameters(stated: Mapping[str, str]) -> dict[str, object]:
    """Return the fields that parameters of a cache URL say; raises ValueError for others."""
    known = (*CACHE_PARAMETERS, "ssl_cert_reqs", "ssl_check_hostname", *CACHE_TIMEOUTS)
    for name in stated:
        if name not in known:
            raise ValueError(
                f"The parameter {shown(name)} of the URL is not accepted: where the server is and who connects stand "
                f"before it. Accepted: {', '.join(known)}."
            )
    fields: dict[str, object] = {key: stated[name] for name, key in CACHE_PARAMETERS.items() if name in stated}
    timeouts = {stated[name] for name in CACHE_TIMEOUTS if name in stated}
    if len(timeouts) > 1:
        raise ValueError("The URL states two timeouts, and there is one for both: write socket_timeout alone.")
    for text in timeouts:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValueError("The timeout of the URL is not accepted. Write whole seconds, as socket_timeout=5.")
        fields["timeout"] = int(text)
    required, compared = stated.get("ssl_cert_reqs"), stated.get("ssl_check_hostname", "true").lower()
    if required is not None and required.lower() not in VERIFICATION:
        raise ValueError("The parameter ssl_cert_reqs of the URL is not accepted: it must be required or none.")
    if compared not in ("true", "false"):
        raise ValueError("The parameter ssl_check_hostname of the URL is not accepted: it must be true or false.")
    if required is not None:
        fields["verify"] = VERIFICATION[required.lower()]
    if "ssl_check_hostname" in stated and fields.get("verify") != "none":
        fields["verify"] = "full" if compared == "true" else "authority"
    return fields


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
