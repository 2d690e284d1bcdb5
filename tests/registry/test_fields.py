"""Database, cache and storage URLs as discrete fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from wagtail_multihost.registry.fields import parse_cache_url, parse_database_url, parse_storage_url


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("sqlite:///db.sqlite3", {"engine": "sqlite", "path": "db.sqlite3"}),
        ("sqlite:////srv/db.sqlite3", {"engine": "sqlite", "path": "/srv/db.sqlite3"}),
        (
            "postgresql://u%40x:p%2Fw@db.internal:5433/na%20me",
            {
                "engine": "postgresql",
                "name": "na me",
                "user": "u@x",
                "password": "p/w",
                "host": "db.internal",
                "port": 5433,
            },
        ),
        (
            "postgres://u:p@h/n?sslmode=require",
            {
                "engine": "postgresql",
                "name": "n",
                "user": "u",
                "password": "p",
                "host": "h",
                "options": {"sslmode": "require"},
            },
        ),
        ("postgresql://h", {"engine": "postgresql", "host": "h"}),
    ],
)
def test_database_url_becomes_fields(url: str, fields: Mapping[str, object]) -> None:
    """A database URL has the fields of a table, percent-decoded."""
    assert parse_database_url(url) == fields


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("locmem://", {"backend": "locmem"}),
        ("redis://h", {"backend": "redis", "host": "h", "number": 0, "tls": False}),
        (
            "rediss://u:p%40w@h:6380/3",
            {
                "backend": "redis",
                "host": "h",
                "number": 3,
                "tls": True,
                "port": 6380,
                "username": "u",
                "password": "p@w",
            },
        ),
        (
            "unix://:p@/run/redis%20a.sock?db=2",
            {"backend": "redis", "host": "/run/redis a.sock", "number": 2, "password": "p"},
        ),
    ],
)
def test_cache_url_becomes_fields(url: str, fields: Mapping[str, object]) -> None:
    """A cache URL has the fields of a table, percent-decoded."""
    assert parse_cache_url(url) == fields


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("file:///srv/my%20media", {"backend": "files", "path": "/srv/my media"}),
        ("s3://bucket", {"backend": "s3", "bucket": "bucket"}),
        ("s3://?region=us-west-2", {"backend": "s3", "region": "us-west-2"}),
        (
            "s3://a:s%2Fk@bucket?region=r&endpoint=https%3A%2F%2Fs3.example",
            {
                "backend": "s3",
                "bucket": "bucket",
                "access_key": "a",
                "secret_key": "s/k",
                "region": "r",
                "endpoint": "https://s3.example",
            },
        ),
    ],
)
def test_storage_url_becomes_fields(url: str, fields: Mapping[str, object]) -> None:
    """A storage URL has the fields of a table, percent-decoded."""
    assert parse_storage_url(url) == fields


@pytest.mark.parametrize(
    ("parse", "url"),
    [
        (parse_database_url, "hunter2"),
        (parse_database_url, "mysql://u:hunter2@h/n"),
        (parse_database_url, "postgis://u:hunter2@h/n"),
        (parse_database_url, "postgresql://u:hunter2@h:port/n"),
        (parse_database_url, "postgresql://u:hunter2@[h/n"),
        (parse_database_url, "postgresql://u:12?hunter2=a@h/n"),
        (parse_database_url, "sqlite://"),
        (parse_database_url, "sqlite://:memory:"),
        (parse_cache_url, "hunter2"),
        (parse_cache_url, "locmem://hunter2"),
        (parse_cache_url, "memcached://hunter2"),
        (parse_cache_url, "redis://:hunter2@h:port"),
        (parse_cache_url, "redis://:hunter2@h/one"),
        (parse_cache_url, "redis://:hunter2@h/\u0661"),
        (parse_cache_url, "redis://:hunter2@h/1?socket_timeout=hunter2"),
        (parse_cache_url, "redis://u:12?hunter2=a@h/1"),
        (parse_cache_url, "redis://:hunter#2@h/1"),
        (parse_cache_url, "redis://:hunter2@[h/1"),
        (parse_storage_url, "hunter2"),
        (parse_storage_url, "file://hunter2/a"),
        (parse_storage_url, "file://"),
        (parse_storage_url, "s3://a:hunter2@bucket/path"),
        (parse_storage_url, "s3://a:hunter2@bucket:80"),
        (parse_storage_url, "s3://a:hunter2@bucket#x"),
        (parse_storage_url, "https://a:hunter2@bucket"),
    ],
)
def test_url_that_is_not_understood_is_refused_without_repeating_it(
    parse: Callable[[str], Mapping[str, object]], url: str
) -> None:
    """A URL with a mistake is refused with what to write, and never quoted: it may hold a password."""
    with pytest.raises(ValueError, match=r"Write|needs") as refused:
        parse(url)
    assert "hunter" not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_database_url_with_a_password_over_the_shared_keys_names_the_fields() -> None:
    """Of an empty user and password no field is made, so that derived names apply."""
    assert parse_database_url("postgresql://@h/") == {"engine": "postgresql", "host": "h"}
