"""The storage of a site's bucket against an S3 server over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator

import boto3
import pytest
from django.core.files.base import ContentFile

from tests.backends.conftest import ACCESS_KEY, SECRET_KEY
from wagtail_multihost.backends.storage import SiteS3Storage

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
    client.create_bucket(Bucket="aviary--aurora", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.close()
    yield url
    server.stop()


@pytest.fixture
def own(process_of: Callable[..., None], endpoint: str) -> Iterator[SiteS3Storage]:
    process_of(endpoint=endpoint)
    storage = SiteS3Storage(site="aurora", location="media")
    yield storage
    storage.connection.meta.client.close()


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
