"""The storage of a site's bucket against an S3 server over HTTP."""

from __future__ import annotations

import contextlib
import json
import logging
import urllib.request
from collections.abc import Callable, Iterator

import boto3
import pytest
from django.core.files.base import ContentFile

from tests.backends.conftest import ACCESS_KEY, SECRET_KEY
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import IdentityError

pytestmark = pytest.mark.servers

REGION = "eu-central-1"


@pytest.fixture(name="endpoint", scope="module")
def _endpoint() -> Iterator[str]:
    """The address of an S3 server that has the site's bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
    )
    # moto's buckets are those of the process, and other tests may have made this one.
    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket="aviary--aurora", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.close()
    yield url
    server.stop()


@pytest.fixture
def own(process_of: Callable[..., None], endpoint: str) -> Iterator[SiteS3Storage]:
    process_of(endpoint=endpoint)
    storage = SiteS3Storage(site="aurora", location="media")
    empty(storage)
    yield storage
    empty(storage)
    storage.connection.meta.client.close()


def empty(storage: SiteS3Storage) -> None:
    """Remove every object of the bucket, past the storage."""
    client = bucket_mark.make_mark_client(storage)
    for item in client.list_objects_v2(Bucket=storage.bucket_name).get("Contents", []):
        client.delete_object(Bucket=storage.bucket_name, Key=item["Key"])
    client.close()


def test_files_are_kept_in_the_folder_of_the_bucket(own: SiteS3Storage) -> None:
    """A saved file is listed, read, served by its signed URL, and deleted."""
    name = own.save("images/a.txt", ContentFile(b"first"))
    assert (name, own.listdir("images")) == ("images/a.txt", ([], ["a.txt"]))
    with own.open(name) as file:
        assert file.read() == b"first"
    with urllib.request.urlopen(own.url(name), timeout=10) as response:
        assert response.read() == b"first"
    assert [item.key for item in own.bucket.objects.filter(Prefix="media/images/")] == ["media/images/a.txt"]
    own.delete(name)
    assert not own.exists(name)


def test_file_of_the_same_name_gets_another(own: SiteS3Storage) -> None:
    """An upload never replaces a file that is there."""
    first, second = (own.save("a.txt", ContentFile(content)) for content in (b"first", b"second"))
    assert first != second
    with own.open(first) as file:
        assert file.read() == b"first"


@pytest.fixture
def mark(own: SiteS3Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Write the bucket's mark (None: remove it), past the storage, and become a process that has not read it."""
    client = bucket_mark.make_mark_client(own)

    def write(content: object) -> None:
        if content is None:
            client.delete_object(Bucket=own.bucket_name, Key=bucket_mark.NAME)
        else:
            client.put_object(Bucket=own.bucket_name, Key=bucket_mark.NAME, Body=json.dumps(content).encode())
        monkeypatch.setattr(bucket_mark, "_next", {})

    write(None)
    yield write
    write(None)
    client.close()


def test_first_use_marks_the_bucket(own: SiteS3Storage, mark: Callable[[object], None]) -> None:
    """The first call of a process writes the mark where there is none, outside the storage's folder."""
    assert own.exists("none.txt") is False
    client = bucket_mark.make_mark_client(own)
    found = json.loads(client.get_object(Bucket=own.bucket_name, Key=bucket_mark.NAME)["Body"].read())
    client.close()
    assert (found["platform"], found["environment"]) == ("aviary", "development")
    assert own.listdir("")[1] == []


def test_bucket_of_another_site_is_neither_read_nor_written(own: SiteS3Storage, mark: Callable[[object], None]) -> None:
    """With another site's mark in the bucket no file is saved, deleted or listed."""
    name = own.save("b.txt", ContentFile(b"kept"))
    mark({"platform": "aviary", "environment": "development", "uid": "00000000-0000-5000-8000-000000000001"})
    for use in (lambda: own.save("c.txt", ContentFile(b"")), lambda: own.delete(name), lambda: own.listdir("")):
        with pytest.raises(IdentityError, match="aviary--aurora"):
            use()
    mark(None)
    assert own.listdir("") == ([], [name])
    own.delete(name)


def test_server_that_is_down_is_said_and_no_reason_to_stop(
    process_of: Callable[..., None], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens: the mark costs one attempt and one warning, and the call itself fails as it always did."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    process_of(endpoint="http://127.0.0.1:9")
    storage = SiteS3Storage(site="aurora")
    with caplog.at_level(logging.WARNING, "wagtail_multihost"):
        storage._check_bucket()
    assert len(caplog.records) == 1
    assert SECRET_KEY not in caplog.text
