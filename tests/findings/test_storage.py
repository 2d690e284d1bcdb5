"""Findings 1, 8 and 9 of django-storages and Wagtail: secrets in queues, keys from the surroundings, overwriting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings
from django.utils.module_loading import import_string
from django_tasks import default_task_backend
from storages.backends.s3 import S3Storage
from wagtail.admin.checks import file_overwrite_check
from wagtail.images import signal_handlers

from tests.findings.conftest import REGISTRY, SettingsOf
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.checks.storages import check_storages
from wagtail_multihost.exceptions import ConfigurationError

SECRET = "SUPERSECRET"
STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
QUEUE = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend", "QUEUES": ["default"]}}
BUCKETS = (
    REGISTRY
    + f"""
[sites.aurora.storage]
backend = "s3"
access_key = "key-of-aurora"
secret_key = "{SECRET}"
[sites.borealis.storage]
backend = "s3"
access_key = "key-of-borealis"
secret_key = "{SECRET}-of-borealis"
"""
)


def queued(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the arguments of the task that Wagtail queues when an image in ``storage`` was deleted."""
    monkeypatch.setattr(signal_handlers.transaction, "on_commit", lambda function: function())
    image = SimpleNamespace(file=SimpleNamespace(storage=storage, name="images/a.png"))
    with override_settings(TASKS=QUEUE):
        signal_handlers.post_delete_file_cleanup(image)
        (result,) = default_task_backend.results
    return list(result.args)


def test_queue_row_of_a_deleted_file_has_no_secret(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wagtail queues a storage's options, keys included; ours are the site's id and a folder."""
    stock = S3Storage(bucket_name="aviary--aurora", access_key="key", secret_key=SECRET)
    assert SECRET in str(queued(stock, monkeypatch))
    settings_of("aurora", registry=BUCKETS)
    arguments = queued(SiteS3Storage(site="aurora"), monkeypatch)
    assert SECRET not in str(arguments) and "key-of-aurora" not in str(arguments)
    assert arguments[0][2]["site"] == "aurora"


def test_foreign_worker_has_no_storage_for_a_queued_file(settings_of: SettingsOf) -> None:
    """With its bucket in settings, a queued storage becomes the bucket of whoever runs the task; ours refuses."""
    with override_settings(AWS_STORAGE_BUCKET_NAME="aviary--aurora"):
        path, arguments, options = S3Storage().deconstruct()
        assert options == {}
    with override_settings(AWS_STORAGE_BUCKET_NAME="aviary--borealis"):
        assert import_string(path)(*arguments, **options).bucket_name == "aviary--borealis"
    settings_of("aurora", registry=BUCKETS)
    path, arguments, options = SiteS3Storage(site="aurora").deconstruct()
    settings_of("borealis", registry=BUCKETS)
    with pytest.raises(ConfigurationError) as caught:
        import_string(path)(*arguments, **options)
    assert "borealis" in str(caught.value)


def test_keys_of_the_surroundings_reach_no_site(settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys of its own a stock storage takes those of the process, and no bucket; a site takes neither."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ambient")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    stock = S3Storage()
    assert (stock.access_key, stock.secret_key, stock.bucket_name) == ("ambient", SECRET, None)
    settings_of("aurora", registry=f'{REGISTRY}[sites.aurora.storage]\nbackend = "s3"\n')
    own = SiteS3Storage(site="aurora")
    assert (own.access_key, own.secret_key, own.bucket_name) == (None, None, "aviary--aurora")
    assert "env" not in providers(own._create_session())
    assert "env" in providers(stock._create_session())


def providers(session: Any) -> list[str]:
    """Return where boto3 would look for keys."""
    return [provider.METHOD for provider in session._session.get_component("credential_provider").providers]


def test_uploads_are_never_overwritten(settings_of: SettingsOf) -> None:
    """A stock S3Storage overwrites, and Wagtail's W004 does not know its class; ours never does."""
    stock = {"default": {"BACKEND": "storages.backends.s3.S3Storage"}}
    assert S3Storage().file_overwrite is True
    with override_settings(STORAGES={**stock, "staticfiles": {}}):
        assert file_overwrite_check(None) == []
    old = {"BACKEND": "storages.backends.s3boto3.S3Boto3Storage", "OPTIONS": {"file_overwrite": False}}
    with override_settings(STORAGES={"default": old, "staticfiles": {}}):
        assert [message.id for message in file_overwrite_check(None)] == ["wagtailadmin.W004"]
    settings_of("aurora", registry=BUCKETS)
    with override_settings(AWS_S3_FILE_OVERWRITE=True):
        assert SiteS3Storage(site="aurora").file_overwrite is False


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"bucket_name": "b"}, ["E010"]),
        ({"bucket_name": "b", "file_overwrite": False}, []),
        ({"bucket_name": "b", "file_overwrite": False, "access_key": "a", "secret_key": SECRET}, ["E011"]),
        ({"file_overwrite": False}, ["E016"]),
    ],
    ids=["overwrites", "fine", "keys in options", "no bucket"],
)
def test_storage_that_was_set_afterwards_is_found(
    options: dict[str, object], ids: list[str], settings_of: SettingsOf
) -> None:
    """Wagtail's checks say nothing about any S3Storage; ours say what is wrong with one that apply did not make."""
    settings_of("aurora", registry=BUCKETS)
    alias = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    with override_settings(STORAGES={"default": alias, "staticfiles": {"BACKEND": STATIC}}):
        assert file_overwrite_check(None) == []
        found = [str(message.id).rpartition(".")[2] for message in check_storages(None)]
    assert found == ids
