"""Everything that is hosted together."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.spec.hostile import HOSTILE_TEXT
from tests.spec.samples import PLATFORM_KEY, a_platform, problem_keys
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec import Secret


def test_platform_knows_how_visitors_reach_it() -> None:
    """The origin gives the scheme and the origin of each hostname."""
    platform = a_platform(origin="http://{hostname}:8000")
    assert platform.scheme == "http"
    assert platform.origin_of("aurora.example") == "http://aurora.example:8000"
    assert a_platform().scheme == "https"


def test_platform_gives_each_site_a_uid_of_its_own() -> None:
    """A uid is a version 5 UUID that differs per site and platform, and is fixed."""
    aurora = a_platform().uid_of("aurora")
    assert aurora == UUID("e162a155-4bfe-538c-91eb-ce9bee7a63ee")
    assert aurora.version == 5
    assert len({aurora, a_platform().uid_of("borealis"), a_platform(name="other").uid_of("aurora")}) == 3


def test_platform_does_not_print_its_key() -> None:
    """The representation of a platform has no secret."""
    assert PLATFORM_KEY not in repr(a_platform())


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_key": None},
        {"secret_key": Secret("k" * 32)},
        {"environment": "production"},
        {"secure_proxy_ssl_header": ("HTTP_X_FORWARDED_PROTO", "https")},
        {"origin": "https://{hostname}:65535"},
        {"name": "x"},
    ],
    ids=repr,
)
def test_platform_is_accepted(changes: dict[str, Any]) -> None:
    """A platform without mistakes is accepted as it is."""
    platform = a_platform(**changes)
    assert all(getattr(platform, key) == value for key, value in changes.items())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("name", text) for text in HOSTILE_TEXT),
        ("name", "p" * 21),
        ("environment", "Production"),
        ("environment", ""),
        ("data", Path("data")),
        ("sockets", Path("/run/../etc")),
        ("sockets", Path("/run/a:b")),
        ("origin", "https://example.org"),
        ("origin", "https://{hostname}/"),
        ("origin", "https://{hostname}:0"),
        ("origin", "https://{hostname}:65536"),
        ("origin", "ftp://{hostname}"),
        ("origin", "https://{hostname.__class__}"),
        ("secret_key", Secret("k" * 31)),
        ("secret_key", Secret.from_environment("NONE", {})),
        ("secure_proxy_ssl_header", ("X-Forwarded-Proto", "https")),
        ("secure_proxy_ssl_header", ("HTTP_X_FORWARDED_PROTO",)),
        ("secure_proxy_ssl_header", ("HTTP_X_FORWARDED_PROTO", "")),
    ],
    ids=ascii,
)
def test_platform_with_one_mistake_names_its_key(key: str, value: object) -> None:
    """Each mistake in a platform is one problem with its key."""
    with pytest.raises(ConfigurationError) as refused:
        a_platform(**{key: value})
    assert problem_keys(refused.value) == [key]


@pytest.mark.parametrize("name", ["xn", "sthree", "sthree-a", "amzn-s3-demo", "amzn-s3-demo-a"])
def test_platform_name_that_would_start_reserved_bucket_names_is_refused(name: str) -> None:
    """A platform may not have a name that S3 reserves the start of bucket names for."""
    with pytest.raises(ConfigurationError) as refused:
        a_platform(name=name)
    assert problem_keys(refused.value) == ["name"]
