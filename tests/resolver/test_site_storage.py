"""The storage of a site's bucket, which STORAGES names by its site id alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from tests.spec.samples import ACCESS_KEY, BUCKET_KEY
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import resolve
from wagtail_multihost.resolver.storages import SITE_S3

AMBIENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_S3_ACCESS_KEY_ID",
    "AWS_S3_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_STORAGE_BUCKET_NAME",
    "AWS_S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL",
    "AWS_S3_CUSTOM_DOMAIN",
    "AWS_S3_REGION_NAME",
    "AWS_LOCATION",
    "AWS_S3_SESSION_PROFILE",
)


def apply(registry_file: Path, site: str) -> None:
    resolve(registry_file, environ={"MULTIHOST_SITE": site}).apply({})


def test_site_storage_has_the_bucket_and_keys_of_the_processs_site(registry_file: Path) -> None:
    """In the process of its site the storage has the site's bucket and keys, and an alias's folder."""
    apply(registry_file, "aurora")
    storage = import_string(SITE_S3)(site="aurora", location="exports")
    assert (storage.bucket_name, storage.location) == ("aviary--aurora", "exports")
    assert (storage.access_key, storage.secret_key) == (ACCESS_KEY, BUCKET_KEY)
    assert (storage.file_overwrite, storage.default_acl) == (False, None)


@pytest.mark.parametrize("process", ["borealis", None])
def test_site_storage_of_another_site_is_refused(registry_file: Path, process: str | None) -> None:
    """A task of one site that reaches the process of another, or of none, gets no storage."""
    if process:
        apply(registry_file, process)
    with pytest.raises(ConfigurationError, match="not usable here"):
        import_string(SITE_S3)(site="aurora")


def test_site_storage_takes_nothing_from_ambient_settings_and_variables(
    registry_file: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    """AWS_… settings and variables, which all sites would share, reach no attribute of the storage."""
    for name in AMBIENT:
        monkeypatch.setenv(name, "evil")
        setattr(settings, name, "evil")
    apply(registry_file, "aurora")
    storage = import_string(SITE_S3)(site="aurora")
    assert [name for name, value in vars(storage).items() if value == "evil"] == []


def test_site_storage_deconstructs_without_credentials(registry_file: Path) -> None:
    """What migrations and task queues keep of the storage is the site id and the folder."""
    apply(registry_file, "aurora")
    storage = import_string(SITE_S3)(site="aurora", location="exports")
    assert storage.deconstruct() == (SITE_S3, (), {"site": "aurora", "location": "exports"})
