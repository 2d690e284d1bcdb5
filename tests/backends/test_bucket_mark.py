"""The mark in a bucket."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.spec.samples import ACCESS_KEY, BUCKET_KEY, s3
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.bucket_mark import NAME
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import IdentityError

Become = Callable[..., None]
OTHER = UUID("00000000-0000-5000-8000-000000000001")


class Bucket(dict[str, bytes]):
    """A bucket, and the client that reads and writes its objects."""

    error: Exception | None = None
    #: What another process writes at the same moment.
    rival = b""
    is_deaf = False
    missing = "NoSuchKey"
    reads = closed = 0

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # boto3's names
        assert Bucket == "aviary--aurora"
        self.reads += 1
        if self.error:
            raise self.error
        if Key not in self:
            raise refused(self.missing)
        return {"Body": io.BytesIO(self[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        assert (Bucket, ContentType) == ("aviary--aurora", "application/json")
        if not self.is_deaf:
            self[Key] = self.rival or Body

    def close(self) -> None:
        self.closed += 1


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"{ACCESS_KEY} {BUCKET_KEY}"}}, "GetObject")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    own = Bucket()
    monkeypatch.setattr(bucket_mark, "make_mark_client", lambda storage: own)
    monkeypatch.setattr(bucket_mark, "_next", {})
    return own


def use() -> None:
    """Do what every call of an S3 client does first."""
    SiteS3Storage(site="aurora")._check_bucket()


def test_bucket_is_marked_at_the_first_use(become: Become, bucket: Bucket) -> None:
    """The mark has platform, environment and uid, and is read once in the life of a process."""
    become(storage=s3())
    use()
    assert json.loads(bucket[NAME]) == {
        "platform": "aviary",
        "environment": "production",
        "uid": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978",
    }
    before = bucket.reads
    use()
    assert bucket.reads == before


@pytest.mark.parametrize("changes", [{"uid": OTHER}, {"environment": "staging"}])
def test_bucket_with_another_sites_mark_is_refused_every_time(
    become: Become, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """A record with the wrong bucket is told from the first call on, and the mark stays as it is."""
    become(storage=s3())
    use()
    before = dict(bucket)
    monkeypatch.setattr(bucket_mark, "_next", {})
    become(storage=s3(), **changes)
    for _ in range(2):
        with pytest.raises(IdentityError, match="aviary--aurora"):
            use()
    assert bucket == before


@pytest.mark.parametrize("error", [refused("AccessDenied"), EndpointConnectionError(endpoint_url="https://s3")])
def test_bucket_whose_mark_cannot_be_read_is_used_with_one_warning(
    become: Become, bucket: Bucket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A server that is down or refuses stops nobody; it is said once, without a key, and tried again later."""
    become(storage=s3())
    bucket.error = error
    with caplog.at_level(logging.WARNING, "wagtail_multihost"):
        use()
        use()
        assert bucket.reads == 1
        monkeypatch.setattr(bucket_mark, "_next", dict.fromkeys(bucket_mark._next, 0.0))
        use()
    assert bucket.reads == 2
    assert len(caplog.records) == 1
    assert "aviary--aurora" in caplog.text
    assert BUCKET_KEY not in caplog.text and ACCESS_KEY not in caplog.text


@pytest.mark.parametrize("missing", ["NoSuchKey", "404"])
def test_bucket_without_a_mark_is_told_by_either_answer(become: Become, bucket: Bucket, missing: str) -> None:
    """Servers differ in how they say it; each client is closed after its use."""
    become(storage=s3())
    bucket.missing = missing
    use()
    assert (set(bucket), bucket.closed) == ({NAME}, 1)


def test_bucket_that_two_sites_mark_at_once_is_the_last_ones(become: Become, bucket: Bucket) -> None:
    """What was written is read again, and compared."""
    become(storage=s3())
    bucket.rival = json.dumps({"platform": "aviary", "environment": "production", "uid": str(OTHER)}).encode()
    with pytest.raises(IdentityError, match=str(OTHER)):
        use()


def test_bucket_that_shows_no_new_object_yet_is_used(become: Become, bucket: Bucket) -> None:
    """A server may take a moment: what was written counts."""
    become(storage=s3())
    bucket.is_deaf = True
    use()
    assert list(bucket_mark._next.values()) == [float("inf")]


def test_bucket_is_tried_again_after_a_minute(
    become: Become, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of each bucket and endpoint by itself; the warning has the server's code or the kind of the error."""
    become(storage=s3())
    now = [1000.0]
    monkeypatch.setattr(bucket_mark, "time", SimpleNamespace(monotonic=lambda: now[0]))
    bucket.error = refused("SlowDown")
    use()
    now[0] += 59.5
    use()
    assert bucket.reads == 1
    become(storage=s3(endpoint="https://elsewhere.example", region="a"))
    bucket.error = EndpointConnectionError(endpoint_url="https://s3")
    use()
    assert bucket.reads == 2
    assert ["(SlowDown)" in text for text in caplog.messages] == [True, False]
    assert "(EndpointConnectionError)" in caplog.messages[1]
    become(storage=s3())
    bucket.error = None
    now[0] += 0.5
    use()
    assert NAME in bucket


def test_mark_is_asked_for_as_the_storage_asks(become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its endpoint, region, keys and certificates, but once and not for long."""
    become(storage=s3(endpoint="https://s3.internal", region="eu-central-1"))
    storage = SiteS3Storage(site="aurora")
    storage.verify, storage.use_ssl = "/etc/ssl/own.pem", True
    with contextlib.closing(bucket_mark.make_mark_client(storage)) as client:
        config, meta = client.meta.config, client.meta
        assert (meta.endpoint_url, meta.region_name) == ("https://s3.internal", "eu-central-1")
        assert (config.connect_timeout, config.read_timeout) == (2, 2)
        assert config.retries["total_max_attempts"] == 1
        assert config.signature_version == "s3v4"
        assert client._endpoint.http_session._verify == "/etc/ssl/own.pem"
        assert client._get_credentials().access_key == ACCESS_KEY
        assert meta.service_model.service_name == "s3"
    become(storage=s3())
    plain = SiteS3Storage(site="aurora")
    plain.use_ssl = False
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://ambient.example")
    with contextlib.closing(bucket_mark.make_mark_client(plain)) as client:
        assert client.meta.endpoint_url.startswith("http://") and "amazonaws.com" in client.meta.endpoint_url


def test_bucket_is_not_marked_by_a_test_run(become: Become, bucket: Bucket, throw_away: object) -> None:
    """The throw-away site of a test run neither reads nor writes marks."""
    become(storage=s3(), ephemeral=throw_away)
    use()
    assert (bucket, bucket.reads) == ({}, 0)


def test_mark_is_checked_before_any_call_of_the_client(become: Become, bucket: Bucket) -> None:
    """Whoever has the storage's client, the first call of it is refused; signing an address calls nobody."""
    become(storage=s3(endpoint="http://127.0.0.1:9", region="eu-central-1"))
    bucket[NAME] = b'{"uid": "another"}'
    storage = SiteS3Storage(site="aurora")
    assert storage.url("a.txt").startswith("http://127.0.0.1:9/")
    assert bucket.reads == 0
    calls: list[Callable[[], object]] = [
        lambda: storage.exists("a.txt"),
        lambda: storage.delete("a.txt"),
        lambda: list(storage.bucket.objects.all()),
        lambda: storage.open("a.txt").read(),
    ]
    for call in calls:
        with pytest.raises(IdentityError):
            call()
    storage.connection.meta.client.close()
