"""Case 16, its kind: an S3 server over HTTPS whose certificate a private authority has signed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import SSLError
from django.core.files.base import ContentFile
from django.test import override_settings

from tests.backends.conftest import SECRET_KEY, process_of
from tests.cases.processes import registry_of
from tests.health.certificates import make
from tests.servers.strict_s3 import StrictS3, running_strict_s3
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

__all__ = ["process_of"]

Process = Callable[..., None]
MARK = f"/aviary--aurora/{bucket_mark.NAME}"
VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The authority's certificate; those that it and another one have signed are beside it."""
    own, other = make("Rig", 30), make("Other", 30)
    make("localhost", 30, own).write(tmp_path, "server")
    other.write(tmp_path, "other")
    return own.write(tmp_path, "authority")


@pytest.fixture
def server(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    monkeypatch.setattr(bucket_mark, "_next", {})
    with running_strict_s3(SECRET_KEY, certificate=authority.with_name("server.pem")) as found:
        yield found


def endpoint(server: StrictS3) -> str:
    return f"https://localhost:{server.ports[0]}"


@pytest.mark.servers
def test_server_of_a_private_authority_has_files_and_the_mark(
    process_of: Process, server: StrictS3, authority: Path
) -> None:
    """With the authority stated a file is saved, read and deleted, and the bucket gets its mark, all by TLS."""
    process_of(endpoint=endpoint(server), authority=authority)
    own = SiteS3Storage(site="aurora")
    try:
        name = own.save("images/a.txt", ContentFile(b"first"))
        with own.open(name) as file:
            assert file.read() == b"first"
        assert json.loads(server.objects[MARK])["platform"] == "aviary"
        own.delete(name)
        assert set(server.objects) == {MARK}
    finally:
        own.connection.meta.client.close()


@pytest.mark.servers
@pytest.mark.parametrize("stated", ["", "other"])
def test_server_that_nobody_vouches_for_gets_nothing(
    process_of: Process,
    server: StrictS3,
    authority: Path,
    stated: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither without the key nor with another authority, nor by a variable; the mark is not written either."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, str(authority))
    options = {"authority": authority.with_name(f"{stated}.pem")} if stated else {}
    process_of(endpoint=endpoint(server), attempts=1, **options)
    own = SiteS3Storage(site="aurora")
    try:
        with caplog.at_level(logging.CRITICAL), pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            own.save("a.txt", ContentFile(b"first"))
        assert not server.objects and not server.seen
    finally:
        own.connection.meta.client.close()


@pytest.mark.servers
def test_authority_of_the_registry_comes_before_the_projects(
    process_of: Process, server: StrictS3, authority: Path
) -> None:
    """A project that verifies nothing, or trusts another authority, counts only where the site states none."""
    process_of(endpoint=endpoint(server), authority=authority)
    for project in (False, str(authority.with_name("other.pem"))):
        with override_settings(AWS_S3_VERIFY=project):
            assert SiteS3Storage(site="aurora").verify == str(authority)
    process_of(endpoint=endpoint(server))
    with override_settings(AWS_S3_VERIFY=str(authority)):
        own = SiteS3Storage(site="aurora")
    try:
        assert own.save("a.txt", ContentFile(b"first")) == "a.txt"
    finally:
        own.connection.meta.client.close()


def test_authority_that_cannot_be_read_is_named(process_of: Process, tmp_path: Path) -> None:
    """One sentence has the site, the key and the path; a folder is no file either."""
    for path in (tmp_path / "none.pem", tmp_path):
        process_of(endpoint="https://s3.internal", authority=path)
        with pytest.raises(ConfigurationError) as refused:
            SiteS3Storage(site="aurora")
        [problem] = refused.value.problems
        assert (problem.where, problem.site) == ("storage.authority", "aurora")
        assert problem.message.startswith("The file '/")


def test_authority_is_read_from_a_table_and_a_url(tmp_path: Path) -> None:
    """Either way; a server without TLS is refused under the key as it was written."""
    own = 'backend = "s3", bucket = "aviary--aurora", endpoint = "{0}", authority = "/etc/ssl/s3.pem"'
    table = f"storage = {{{{ {own} }}}}\n"
    url = 'storage = "s3://aviary--aurora?endpoint={0}&authority=/etc/ssl/s3.pem"\n'
    for text in (table, url):
        registry = registry_of(tmp_path, text.format("https://s3.internal:9000"))
        _, site = open_registry(registry, {}).site("aurora")
        assert site.storage.authority == Path("/etc/ssl/s3.pem")
    with pytest.raises(ConfigurationError) as refused:
        open_registry(registry_of(tmp_path, table.format("http://s3.internal:9000")), {}).site("aurora")
    [problem] = refused.value.problems
    assert problem.where == "sites.toml: sites.aurora.storage.authority"
