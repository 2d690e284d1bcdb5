"""Findings 1 and 8 with a real S3 server: a foreign worker deletes, an upload overwrites."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.test import override_settings
from storages.backends.s3 import S3Storage
from wagtail.tasks import delete_file_from_storage_task

from tests.findings.conftest import REGISTRY, SettingsOf
from tests.servers.s3 import OPERATOR, REGION, S3Server
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import ConfigurationError

pytestmark = pytest.mark.servers

BUCKETS = ("aviary--aurora", "aviary--borealis")


@pytest.fixture(scope="module")
def buckets(s3: S3Server) -> S3Server:
    for bucket in BUCKETS:
        s3.add_bucket(bucket)
    return s3


def ambient(server: S3Server, bucket: str) -> dict[str, object]:
    """Return what a stock project has in its settings."""
    return {
        "AWS_ACCESS_KEY_ID": OPERATOR.access_key,
        "AWS_SECRET_ACCESS_KEY": OPERATOR.secret_key,
        "AWS_S3_ENDPOINT_URL": server.endpoint,
        "AWS_S3_REGION_NAME": REGION,
        "AWS_STORAGE_BUCKET_NAME": bucket,
    }


def saved(storage: S3Storage, content: bytes) -> str:
    try:
        return str(storage.save("a.png", ContentFile(content)))
    finally:
        storage.connection.meta.client.close()


def holders(server: S3Server) -> list[str]:
    """Return the buckets that have the file."""
    return [bucket for bucket in BUCKETS if "a.png" in server.names(bucket)]


def registry(server: S3Server) -> str:
    keys = f'access_key = "{OPERATOR.access_key}", secret_key = "{OPERATOR.secret_key}"'
    storage = f'storage = {{ backend = "s3", endpoint = "{server.endpoint}", region = "{REGION}", {keys} }}\n'
    return REGISTRY.replace("[sites.borealis]", f"{storage}[sites.borealis]") + storage


def test_task_of_one_site_deletes_no_file_of_another(buckets: S3Server, settings_of: SettingsOf) -> None:
    """Run by a foreign worker, Wagtail's task deletes the file of that name in the worker's bucket; ours refuses."""
    with override_settings(**ambient(buckets, BUCKETS[0])):
        saved(S3Storage(), b"of aurora")
        queued = S3Storage().deconstruct()
    with override_settings(**ambient(buckets, BUCKETS[1])):
        saved(S3Storage(), b"of borealis")
        delete_file_from_storage_task.func(queued, "a.png")
    assert holders(buckets) == [BUCKETS[0]]

    settings_of("borealis", registry=registry(buckets))
    saved(SiteS3Storage(site="borealis"), b"of borealis")
    settings_of("aurora", registry=registry(buckets))
    queued = SiteS3Storage(site="aurora").deconstruct()
    settings_of("borealis", registry=registry(buckets))
    with pytest.raises(ConfigurationError):
        delete_file_from_storage_task.func(queued, "a.png")
    assert holders(buckets) == list(BUCKETS)


def test_second_upload_keeps_the_first(buckets: S3Server, settings_of: SettingsOf) -> None:
    """A stock storage writes over a file of the same name; a site's takes another name."""
    with override_settings(**ambient(buckets, BUCKETS[0]), AWS_LOCATION="stock"):
        assert saved(S3Storage(), b"first") == saved(S3Storage(), b"second")
    settings_of("aurora", registry=registry(buckets))
    names = [saved(SiteS3Storage(site="aurora", location="own"), content) for content in (b"first", b"second")]
    assert len(set(names)) == 2
