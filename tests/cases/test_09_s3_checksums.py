"""
Case 09: an S3 server that is not Amazon's refuses the checksums that boto3 sends since 2025. A server over HTTP that
does, and moto's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.test import override_settings

from tests.backends.conftest import SECRET_KEY, process_of
from tests.findings.conftest import s3
from tests.servers.s3 import REGION, S3Server
from tests.servers.strict_s3 import StrictS3, running_strict_s3
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage

__all__ = ["process_of", "s3"]

Process = Callable[..., None]
BUCKET = "aviary--aurora"
MARK = f"/{BUCKET}/{bucket_mark.NAME}"
CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    """A server that refuses checksums, and a process that has read no mark."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    with running_strict_s3(SECRET_KEY) as server:
        yield server


def closing(storage: SiteS3Storage) -> Any:
    storage.connection.meta.client.close()


@pytest.mark.servers
def test_server_that_refuses_checksums_has_files_and_the_mark(process_of: Process, strict: StrictS3) -> None:
    """With an endpoint alone a file is saved, read and deleted, and the bucket gets its mark."""
    process_of(endpoint=f"http://127.0.0.1:{strict.ports[0]}")
    own = SiteS3Storage(site="aurora")
    try:
        name = own.save("images/a.txt", ContentFile(b"first"))
        with own.open(name) as file:
            assert file.read() == b"first"
        assert own.exists(name)
        assert json.loads(strict.objects[MARK])["platform"] == "aviary"
        own.delete(name)
        assert set(strict.objects) == {MARK}
    finally:
        closing(own)


@pytest.mark.servers
def test_variables_decide_nothing_about_checksums(
    process_of: Process, strict: StrictS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What botocore would take from its environment, or from a file of the account's, is not taken."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_supported")
    process_of(endpoint=f"http://127.0.0.1:{strict.ports[0]}")
    own = SiteS3Storage(site="aurora")
    try:
        assert own.save("a.txt", ContentFile(b"first")) == "a.txt"
    finally:
        closing(own)


@pytest.mark.servers
def test_checksums_that_are_asked_for_are_sent(process_of: Process, strict: StrictS3) -> None:
    """The key is obeyed: this server refuses then, files and mark alike."""
    process_of(endpoint=f"http://127.0.0.1:{strict.ports[0]}", request_checksum_calculation="when_supported")
    own = SiteS3Storage(site="aurora")
    try:
        with pytest.raises(ClientError, match="InvalidArgument"):
            own.connection.meta.client.put_object(Bucket=BUCKET, Key="a.txt", Body=b"first")
        assert strict.objects == {}
    finally:
        closing(own)


@pytest.mark.servers
@pytest.mark.parametrize("checksums", ["", "when_required", "when_supported"])
def test_server_that_knows_checksums_takes_files_with_and_without(
    process_of: Process, s3: S3Server, checksums: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto's takes both."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    s3.add_bucket(BUCKET)
    process_of(endpoint=s3.endpoint, region=REGION, **dict.fromkeys(CHECKSUMS, checksums))
    own = SiteS3Storage(site="aurora", location=f"case-09{checksums}")
    try:
        name = own.save("a.txt", ContentFile(b"first"))
        with own.open(name) as file:
            assert file.read() == b"first"
        assert bucket_mark.NAME in s3.names(BUCKET)
    finally:
        closing(own)


@pytest.mark.parametrize(
    ("endpoint", "checksums"),
    [
        ("", "when_supported"),
        ("https://s3.eu-central-1.amazonaws.com", "when_supported"),
        ("https://bucket.vpce-1a2b.s3.eu-central-1.vpce.amazonaws.com", "when_supported"),
        ("http://minio:9000", "when_required"),
        ("https://amazonaws.com.example.org", "when_required"),
    ],
)
def test_checksums_are_sent_to_amazon_alone(process_of: Process, endpoint: str, checksums: str) -> None:
    """Unless something is stated, Amazon's servers get checksums, and others what S3 always had."""
    process_of(endpoint=endpoint)
    config = SiteS3Storage(site="aurora").client_config
    assert [getattr(config, name) for name in CHECKSUMS] == [checksums, checksums]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, ("path", "s3v4")),
        ({"addressing_style": "virtual"}, ("virtual", "s3v4")),
        ({"addressing_style": "auto", "signature_version": "s3"}, ("auto", "s3")),
    ],
)
def test_addressing_and_signature_are_as_stated(
    process_of: Process, stated: dict[str, str], expected: tuple[str, str]
) -> None:
    """A server with a host name per bucket, and one that knows signatures of version 2 alone, can be used."""
    process_of(endpoint="http://minio:9000", **stated)
    config = SiteS3Storage(site="aurora").client_config
    assert (config.s3["addressing_style"], config.signature_version) == expected


def test_signatures_of_version_2_are_made(process_of: Process) -> None:
    """An address of version 2 has the key and the time at which it expires in it."""
    process_of(endpoint="http://minio:9000", signature_version="s3")
    url = SiteS3Storage(site="aurora").url("a.txt")
    assert url.startswith("http://minio:9000/aviary--aurora/a.txt?AWSAccessKeyId=") and "Expires=" in url


def test_project_says_how_and_the_site_where(process_of: Process) -> None:
    """A configuration of clients of the project's is kept, below what the site states, and above the defaults."""
    project = Config(
        connect_timeout=2,
        response_checksum_validation="when_supported",
        s3={"payload_signing_enabled": True, "addressing_style": "virtual"},
        region_name="us-gov-west-1",
        user_agent_extra="website",
    )
    process_of(endpoint="http://minio:9000", read_timeout=7)
    with override_settings(AWS_S3_CLIENT_CONFIG=project):
        config = SiteS3Storage(site="aurora").client_config
    assert (config.connect_timeout, config.read_timeout, config.user_agent_extra) == (2, 7, "website")
    assert (config.request_checksum_calculation, config.response_checksum_validation) == (
        "when_required",
        "when_supported",
    )
    assert config.s3 == {"payload_signing_enabled": True, "addressing_style": "path"}
    assert config.region_name == "eu-central-1"


def test_options_of_the_project_are_no_part_of_what_queues_keep(process_of: Process) -> None:
    """Wagtail's task names the site and the folder; the storage that is made of them has the options again."""
    options = {"object_parameters": {"CacheControl": "max-age=60"}, "client_config": Config(connect_timeout=2)}
    stated = {"site": "aurora", "location": "documents", **options}
    storages = {"documents": {"BACKEND": "wagtail_multihost.backends.storage.SiteS3Storage", "OPTIONS": stated}}
    process_of(endpoint="http://minio:9000")
    with override_settings(STORAGES=storages):
        own = SiteS3Storage(**stated)
        _, arguments, kept = own.deconstruct()
        assert (arguments, kept) == ((), {"site": "aurora", "location": "documents"})
        again = SiteS3Storage(**kept)
    assert again.object_parameters == own.object_parameters == {"CacheControl": "max-age=60"}
    assert again.client_config.connect_timeout == 2
