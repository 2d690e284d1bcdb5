"""URLs of parts, each with every field that it can have and every form that is none, and tables over one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.fields import (
    Fields,
    fields_of,
    overlay_fields,
    parse_cache_url,
    parse_database_url,
    parse_mail_url,
    parse_storage_url,
    refuse_url,
    split_url,
    url_credentials,
)
from wagtail_multihost.registry.record import KeyEntry, Record
from wagtail_multihost.registry.typed import TypedSource

Parse = Callable[[str], Mapping[str, object]]
REDIS = {"backend": "redis", "host": "h", "number": 0, "tls": False}
SMTP = {"backend": "smtp", "host": "h", "port": 587, "security": "starttls"}
SQLITE = {"engine": "sqlite"}
POSTGRES = {"engine": "postgresql"}


@pytest.mark.parametrize(
    ("parse", "url", "fields"),
    [
        (parse_mail_url, "console://", {"backend": "console"}),
        (parse_mail_url, "smtp://h", SMTP),
        (parse_mail_url, "smtp://h/", SMTP),
        (parse_mail_url, "smtp://h:25", {**SMTP, "port": 25}),
        (parse_mail_url, "smtps://h", {**SMTP, "port": 465, "security": "tls"}),
        (parse_mail_url, "smtps://h:466", {**SMTP, "port": 466, "security": "tls"}),
        (parse_mail_url, "smtp://u%40x:p%2Fw@h", {**SMTP, "username": "u@x", "password": "p/w"}),
        (parse_mail_url, "smtp://u@h", {**SMTP, "username": "u"}),
        (parse_cache_url, "redis://h/", REDIS),
        (parse_cache_url, "redis://h/15", {**REDIS, "number": 15}),
        (parse_cache_url, "redis://h:6380", {**REDIS, "port": 6380}),
        (parse_cache_url, "redis://u:@h", {**REDIS, "username": "u"}),
        (parse_cache_url, "redis://", {**REDIS, "host": ""}),
        (parse_cache_url, "rediss://h", {**REDIS, "tls": True}),
        (parse_cache_url, "unix:///s", {"backend": "redis", "host": "/s", "number": 0}),
        (
            parse_cache_url,
            "unix://u:p@/s?db=1",
            {**{"backend": "redis", "host": "/s", "number": 1}, "username": "u", "password": "p"},
        ),
        (parse_cache_url, "rediss://h?ssl_cert_reqs=none", {**REDIS, "tls": True, "verify": "none"}),
        (parse_cache_url, "rediss://h?ssl_cert_reqs=required", {**REDIS, "tls": True, "verify": "full"}),
        (parse_cache_url, "rediss://h?ssl_check_hostname=False", {**REDIS, "tls": True, "verify": "authority"}),
        (
            parse_cache_url,
            "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=True",
            {**REDIS, "tls": True, "verify": "none"},
        ),
        (parse_cache_url, "rediss://h?ssl_ca_certs=/a%20b", {**REDIS, "tls": True, "authority": "/a b"}),
        (
            parse_cache_url,
            "rediss://h?ssl_certfile=/c&ssl_keyfile=/k",
            {**REDIS, "tls": True, "certificate": "/c", "key": "/k"},
        ),
        (parse_cache_url, "redis://h?socket_timeout=3&socket_connect_timeout=3", {**REDIS, "timeout": 3}),
        (parse_cache_url, "redis://h?socket_connect_timeout=4", {**REDIS, "timeout": 4}),
        (parse_storage_url, "s3://b/", {"backend": "s3", "bucket": "b"}),
        (parse_storage_url, "s3://a:s@b", {"backend": "s3", "bucket": "b", "access_key": "a", "secret_key": "s"}),
        (parse_storage_url, "s3://a@b", {"backend": "s3", "bucket": "b", "access_key": "a"}),
        (parse_storage_url, "file:///", {"backend": "files", "path": "/"}),
        (parse_database_url, "sqlite:////a@b", {**SQLITE, "path": "/a@b"}),
        (
            parse_database_url,
            "postgresql://u:p@h:5433/n",
            {**POSTGRES, "name": "n", "user": "u", "password": "p", "host": "h", "port": 5433},
        ),
        (
            parse_database_url,
            "postgresql:///n?host=/a:b&port=5433&user=u&password=007",
            {**POSTGRES, "name": "n", "user": "u", "password": "007", "host": "/a:b", "port": 5433},
        ),
        (
            parse_database_url,
            "postgresql://u:p@%2FA%2Fb%3Ac:5433/n",
            {**POSTGRES, "name": "n", "user": "u", "password": "p", "host": "/A/b:c", "port": 5433},
        ),
        (
            parse_database_url,
            "postgresql://u:p@//a/b:c/n?sslmode=require",
            {
                **POSTGRES,
                "name": "n",
                "user": "u",
                "password": "p",
                "host": "/a/b:c",
                "options": {"sslmode": "require"},
            },
        ),
        (
            parse_database_url,
            "postgres://h/n?connect_timeout=3",
            {**POSTGRES, "name": "n", "host": "h", "options": {"connect_timeout": "3"}},
        ),
    ],
)
def test_url_has_its_fields(parse: Parse, url: str, fields: Mapping[str, object]) -> None:
    """A URL has the fields of a table, and none beside those that it says."""
    assert parse(url) == fields


@pytest.mark.parametrize(
    ("parse", "url"),
    [
        *(
            (parse_mail_url, url)
            for url in ("h", "http://h", "smtp://", "smtp:///a", "smtp://h/a", "smtp://h?a=b", "smtp://h#a")
        ),
        *((parse_mail_url, url) for url in ("smtp://h:port", "smtp://[h", "console://h", "console:///a", "smtp://:25")),
        *((parse_cache_url, url) for url in ("locmem:///a", "locmem://h", "redis://h/-1", "redis://h/a", "http://h")),
        *((parse_cache_url, url) for url in ("unix:///s?db=a", "unix:///s#a", "redis://h/\u00b2")),
        *((parse_storage_url, url) for url in ("file://h/a", "file://", "s3://b/a", "s3://b:1", "s3://b#a", "ftp://b")),
        *(
            (parse_database_url, url)
            for url in ("a", "mysql://h/n", "postgresql://u:p/w@h/n", "sqlite://", "sqlite://:memory:")
        ),
        *(
            (parse, f"{url}/X")
            for parse, url in (
                (parse_storage_url, "s3://b"),
                (parse_mail_url, "smtp://h"),
                (parse_cache_url, "redis://h"),
            )
        ),
        (parse_database_url, "postgresql://u:1/w@h/n"),  # a slash in the password: the rest of it is no name
        (refuse_url, "http://h"),
    ],
)
def test_url_of_no_known_form_is_refused(parse: Parse, url: str) -> None:
    """What is no URL of the part is refused, with a sentence that says what to write."""
    with pytest.raises(ValueError, match=r"(Write|needs|must be) .*\.$"):
        parse(url)


def test_url_has_credentials_that_are_stated() -> None:
    """What is blank is no user and no password."""
    refused = ValueError("refused")
    assert url_credentials(split_url("a://u%3A:p%40@h", refused)) == {"username": "u:", "password": "p@"}
    assert url_credentials(split_url("a://:@h", refused)) == {}
    with pytest.raises(ValueError, match=r"^refused$"):
        split_url("a://h#f", refused)


def entries(**values: object) -> Fields:
    return {key: KeyEntry(value, ("x", key)) for key, value in values.items()}


def values(fields: Fields) -> dict[str, object]:
    return {key: entry.value for key, entry in fields.items()}


BASE = {"backend": "redis", "host": "h", "password_file": "f", "username": "u"}


@pytest.mark.parametrize(
    ("base", "site", "expected"),
    [
        (BASE, None, BASE),
        (BASE, {}, BASE),
        (BASE, {"host": "own"}, {**BASE, "host": "own"}),
        (BASE, {"backend": "redis", "host": "own"}, {**BASE, "host": "own"}),
        (BASE, {"backend": "locmem"}, {"backend": "locmem"}),
        ({"host": "h"}, {"backend": "redis"}, {"backend": "redis"}),
        (BASE, {"password": "p"}, {"backend": "redis", "host": "h", "username": "u", "password": "p"}),
        ({"password": "p"}, {"password_file": "f"}, {"password_file": "f"}),
        ({"password_file": "p"}, {"password_file": "f"}, {"password_file": "f"}),
    ],
)
def test_site_overlays_the_platform_field_by_field(
    base: dict[str, object], site: dict[str, object] | None, expected: dict[str, object]
) -> None:
    """A site changes single fields, a secret in either form, and takes nothing of another kind."""
    own = entries(**(site or {}))
    entry = None if site is None else KeyEntry(site, ("sites", "a", "cache"))
    assert values(overlay_fields(entries(**base), entry, own, "backend")) == expected


def test_url_of_a_site_takes_nothing_of_the_platform() -> None:
    """A URL is the whole of it."""
    own = entries(backend="redis", host="own")
    found = overlay_fields(entries(**BASE), KeyEntry("redis://own", ("sites", "a", "cache")), own, "backend")
    assert values(found) == {"backend": "redis", "host": "own"}


def record(problems: list[Problem]) -> Record:
    source = TypedSource(Path("/srv/sites.toml"), {}, reads_secrets=False)
    return Record.of({}, ("sites", "a"), source, problems, "a")


@pytest.mark.parametrize(
    ("value", "expected", "problem"),
    [
        (None, {}, None),
        ({"host": "h"}, {"host": ("h", ("x", "cache", "host"))}, None),
        ("redis://h", {key: (value, ("x", "cache")) for key, value in REDIS.items()}, None),
        (" ", {}, "It must be a URL or a table, not blank."),
        (7, {}, "It must be a URL or a table, not a whole number."),
        ([], {}, "It must be a URL or a table, not a list."),
    ],
    ids=repr,
)
def test_part_is_a_url_or_a_table(value: object, expected: dict[str, object], problem: str | None) -> None:
    """Fields of a table have places of their own, those of a URL its place, and everything else is a problem there."""
    problems: list[Problem] = []
    entry = None if value is None else KeyEntry(value, ("x", "cache"))
    found = fields_of(entry, parse_cache_url, record(problems))
    assert {key: (entry.value, entry.path) for key, entry in found.items()} == expected
    assert [(each.where, each.message) for each in problems] == ([("sites.toml: x.cache", problem)] if problem else [])


def test_part_with_a_url_of_another_kind_is_a_problem() -> None:
    """What the parser says is reported at the key."""
    problems: list[Problem] = []
    assert fields_of(KeyEntry("http://h", ("x", "cache")), refuse_url, record(problems)) == {}
    assert problems == [Problem("sites.toml: x.cache", "It must be a table with backend and so on, not a URL.", "a")]
