"""
Case 24: the S3 server has one address inside (minio:9000) and another for browsers. A server over HTTP that compares
signatures with the host that was asked.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile

from tests.backends.conftest import SECRET_KEY, process_of
from tests.servers.strict_s3 import StrictS3, running_strict_s3
from tests.spec.samples import s3
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver.csp import media_sources
from wagtail_multihost.resolver.explain import site_facts
from wagtail_multihost.resolver.resolved import ResolvedSettings

__all__ = ["process_of"]

Process = Callable[..., None]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    """A server with two addresses, and a process that has read no mark."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    with running_strict_s3(SECRET_KEY, ports=2) as server:
        yield server


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.servers
@pytest.mark.parametrize("location", ["", "renditions"])
def test_browsers_read_at_the_public_address_what_was_saved_inside(
    process_of: Process, strict: StrictS3, location: str
) -> None:
    """Addresses have the public scheme, host and port, and a signature for that host; requests go inside."""
    inside, outside = f"http://127.0.0.1:{strict.ports[0]}", f"http://localhost:{strict.ports[1]}"
    process_of(endpoint=inside, public_endpoint=outside)
    own = SiteS3Storage(site="aurora", location=location)
    try:
        name = own.save("a b+c.txt", ContentFile(b"first"))
        url = own.url(name, parameters={"ResponseContentType": "text/plain"}, expire=60)
    finally:
        own.connection.meta.client.close()
        own.signer.close()
    assert url.startswith(f"{outside}/aviary--aurora/{location}{'/' if location else ''}a%20b%2Bc.txt?")
    assert {names["host"] for _, _, names in strict.seen} == {urlsplit(inside).netloc}
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"first"
    assert strict.seen[-1][2]["host"] == urlsplit(outside).netloc
    # The same signature is nothing for the host inside, and the other way round.
    assert status_of(url.replace(outside, inside)) == 403
    assert status_of(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")) == 403
    assert status_of(own.url(name, expire=-1)) == 403


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"public_endpoint": "http://localhost:9000"}, "http://localhost:9000/aviary--aurora/a.txt"),
        ({"public_endpoint": "https://files.example.org/"}, "https://files.example.org/aviary--aurora/a.txt"),
        ({"public_endpoint": "https://[::1]:9443"}, "https://[::1]:9443/aviary--aurora/a.txt"),
        (
            {"public_endpoint": "https://files.example.org:8443", "addressing_style": "virtual"},
            "https://aviary--aurora.files.example.org:8443/a.txt",
        ),
        ({}, "http://minio:9000/aviary--aurora/a.txt"),
    ],
)
def test_address_has_scheme_host_port_and_bucket(process_of: Process, stated: dict[str, str], expected: str) -> None:
    """What browsers get is the public address as it was stated, with the bucket where the style has it."""
    process_of(endpoint="http://minio:9000", **stated)
    assert SiteS3Storage(site="aurora").url("a.txt").partition("?")[0] == expected


@pytest.mark.parametrize(
    ("stated", "sources"),
    [
        ({}, ["http://minio:9000/aviary--aurora/"]),
        ({"public_endpoint": "http://localhost:9000/"}, ["http://localhost:9000/aviary--aurora/"]),
        (
            {"public_endpoint": "https://files.example.org:8443", "addressing_style": "virtual"},
            ["https://aviary--aurora.files.example.org:8443"],
        ),
        (
            {"public_endpoint": "https://files.example.org", "addressing_style": "auto"},
            ["https://files.example.org/aviary--aurora/", "https://aviary--aurora.files.example.org"],
        ),
    ],
)
def test_policies_let_files_in_from_the_public_address(stated: dict[str, str], sources: list[str]) -> None:
    """A content security policy gets the address that browsers ask, and that of the site's bucket alone."""
    assert media_sources(s3(endpoint="http://minio:9000", **stated)) == sources


def test_domain_of_a_site_comes_before_the_public_address(process_of: Process) -> None:
    """The platform may have a public address while one site has a CDN: its addresses are the CDN's, not signed."""
    process_of(endpoint="http://minio:9000", public_endpoint="http://localhost:9000", domain="media.example.org")
    assert SiteS3Storage(site="aurora").url("a.txt") == "https://media.example.org/a.txt"


@pytest.mark.parametrize(
    "value",
    ["localhost:9000", "ftp://localhost", "http://user:password@localhost", "http://localhost/path", "http://a:70000"],
)
def test_public_address_that_cannot_be_one_is_refused(value: str) -> None:
    """It is a scheme, a host and a port, and what is refused is not repeated: it may have a password in it."""
    with pytest.raises(ConfigurationError) as refused:
        s3(public_endpoint=value)
    assert [problem.where for problem in refused.value.problems] == ["public_endpoint"]
    assert "user:" not in str(refused.value)


SITES = """
[platform]
name = "rig"
origin = "http://{hostname}:8000"

[sites.aurora]
hostnames = ["aurora.example.org"]
storage = "%s"

[sites.borealis]
hostnames = ["borealis.example.org", "files.example.org"]
storage = "%s"
"""
INSIDE = "s3://KEY-%s:secret-%s@site-%s?endpoint=http://minio:9000&region=us-east-1"


def registry_of(tmp_path: Path, *storages: str) -> Path:
    path = tmp_path / "sites.toml"
    path.write_text(SITES % storages, encoding="utf-8")
    return path


def test_url_of_a_storage_states_the_public_address_and_numbers(tmp_path: Path) -> None:
    """Every key of a bucket can be a parameter of the one-line form."""
    first = f"{INSIDE % (1, 1, 1)}&public_endpoint=http://localhost:9000&read_timeout=7&attempts=1"
    _, sites = open_registry(registry_of(tmp_path, first, INSIDE % (2, 2, 2)), {}).load()[:2]
    storage = next(site.storage for site in sites if site.id == "aurora")
    assert (storage.public_endpoint, storage.read_timeout, storage.attempts) == ("http://localhost:9000", 7, 1)


def test_explanation_shows_the_public_address_and_no_secret(tmp_path: Path) -> None:
    """Who asks how a site is resolved reads where browsers are led."""
    first = f"{INSIDE % (1, 1, 1)}&public_endpoint=http://localhost:9000"
    platform, site = open_registry(registry_of(tmp_path, first, INSIDE % (2, 2, 2)), {}).site("aurora")
    rows = {str(row["name"]): row["value"] for row in site_facts(ResolvedSettings(platform, site))}
    assert rows["storage.public_endpoint"] == "http://localhost:9000"
    assert "secret-1" not in str(rows)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Files of one site would run with the cookies of the other's pages.
        (f"{INSIDE % (1, 1, 1)}&public_endpoint=https://FILES.example.org:9000", INSIDE % (2, 2, 2)),
        ("s3://KEY-1:secret-1@files?endpoint=https://example.org&addressing_style=virtual", INSIDE % (2, 2, 2)),
        # One bucket of one server, by its address inside and by the other.
        (
            f"{INSIDE % (1, 1, 1)}&public_endpoint=https://s3.example.org",
            "s3://KEY-2:secret-2@site-1?endpoint=https://S3.example.org:443",
        ),
    ],
)
def test_address_that_meets_another_site_is_refused(tmp_path: Path, first: str, second: str) -> None:
    """Neither a host of another site's pages nor another site's bucket is reached by a second name."""
    with pytest.raises(ConfigurationError) as refused:
        open_registry(registry_of(tmp_path, first, second), {}).load()
    assert len(refused.value.problems) == 1
    assert {refused.value.problems[0].site, refused.value.problems[0].other} == {"aurora", "borealis"}
