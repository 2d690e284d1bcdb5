"""Where a site keeps uploaded files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec.hostile import HOSTILE_TEXT
from tests.spec.samples import ACCESS_KEY, BUCKET_KEY, files, problem_keys, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import Secret


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bucket": "a.b-c.d"},
        {"bucket": "b" * 63},
        {"region": "us-west-2"},
        {"endpoint": "http://127.0.0.1:9000"},
        {"endpoint": "https://s3.example/"},
        {"endpoint": "http://[::1]:9000"},
        {"endpoint": "https://s3.example", "authority": Path("/etc/ssl/s3.pem")},
        {"authority": Path("/etc/ssl/s3.pem")},
        {"domain": "cdn.example.org"},
    ],
)
def test_s3_storage_is_accepted(changes: dict[str, Any]) -> None:
    """An S3 storage has a bucket and keys of its own, and prints neither key."""
    storage = s3(**changes)
    assert all(getattr(storage, key) == value for key, value in changes.items())
    assert ACCESS_KEY not in repr(storage)
    assert BUCKET_KEY not in repr(storage)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("backend", "ftp"),
        ("path", Path("/srv/media")),
        ("bucket", ""),
        ("bucket", "ab"),
        ("bucket", "b" * 64),
        ("bucket", "Upper"),
        ("bucket", "a..b"),
        ("bucket", "a-s3alias"),
        ("bucket", "xn--a"),
        ("bucket", "a\n"),
        ("access_key", None),
        ("secret_key", None),
        ("region", "us\nwest"),
        ("region", "r" * 64),
        ("endpoint", "s3.example"),
        ("endpoint", "ftp://s3.example"),
        ("endpoint", "https://user:password@s3.example"),
        ("endpoint", "https://s3.example/path"),
        ("authority", Path("s3.pem")),
        ("authority", Path("/etc/../s3.pem")),
        *(("domain", text) for text in HOSTILE_TEXT if text),
        ("domain", "CDN.example"),
    ],
    ids=ascii,
)
def test_s3_storage_with_one_mistake_names_its_key(key: str, value: object) -> None:
    """Each mistake in an S3 storage is one problem with the key that has it."""
    with pytest.raises(ConfigurationError) as refused:
        s3(**{key: value})
    assert problem_keys(refused.value) == [key]
    assert BUCKET_KEY not in str(refused.value)


def test_authority_of_a_server_without_tls_is_refused() -> None:
    """Nobody signs anything there: the sentence names the key, and what of the endpoint is wrong."""
    with pytest.raises(ConfigurationError) as refused:
        s3(endpoint="http://s3.internal:9000", authority=Path("/etc/ssl/s3.pem"))
    [problem] = refused.value.problems
    assert problem.where == "authority" and "http://" in problem.message


def test_files_storage_has_a_path() -> None:
    """A storage of files is a folder with an absolute path."""
    assert files(path=Path("/srv/media")).path == Path("/srv/media")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", None),
        ("path", Path("media")),
        ("path", Path("/srv/../etc")),
        ("bucket", "aviary--aurora"),
        ("region", "us-west-2"),
        ("endpoint", "http://127.0.0.1:9000"),
        ("authority", Path("/etc/ssl/s3.pem")),
        ("domain", "cdn.example.org"),
        ("access_key", Secret("x")),
        ("secret_key", Secret("x")),
    ],
)
def test_files_storage_with_one_mistake_names_its_key(key: str, value: object) -> None:
    """Each mistake in a storage of files is one problem with the key that has it."""
    with pytest.raises(ConfigurationError) as refused:
        files(**{key: value})
    assert problem_keys(refused.value) == [key]
