"""The checks of storages."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from tests.checks.conftest import Serve, ids_of
from tests.spec.samples import BUCKET_KEY, a_site, s3
from wagtail_multihost.checks.storages import check_storages
from wagtail_multihost.spec.site import SiteSpec

FILES = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
S3 = "storages.backends.s3.S3Storage"
SITE_S3 = "wagtail_multihost.backends.storage.SiteS3Storage"


class Leaky(InMemoryStorage):
    """A storage whose error has its options."""

    def __init__(self, **options: object) -> None:
        raise ValueError(f"not with {options}")


class Unequal(InMemoryStorage):
    """A storage that no table can have as a key."""

    __hash__ = None  # type: ignore[assignment]


class Nameless(InMemoryStorage):
    """A storage whose bucket is blank."""

    bucket_name = ""


def set_storage(settings: Any, backend: str, **options: object) -> None:
    settings.STORAGES = {"default": FILES, "staticfiles": FILES, "own": {"BACKEND": backend, "OPTIONS": options}}


@pytest.mark.parametrize(
    ("backend", "options", "globals_", "found"),
    [
        (S3, {"bucket_name": "b"}, {}, ["E010"]),
        ("storages.backends.s3boto3.S3Boto3Storage", {"bucket_name": "b"}, {}, ["E010"]),
        (S3, {"bucket_name": "b"}, {"AWS_S3_FILE_OVERWRITE": False}, []),
        (S3, {"bucket_name": "b", "file_overwrite": False}, {"AWS_S3_FILE_OVERWRITE": True}, []),
        (S3, {"file_overwrite": False}, {}, ["E016"]),
        (S3, {"file_overwrite": False}, {"AWS_STORAGE_BUCKET_NAME": "b"}, []),
        (S3, {"bucket_name": "b", "file_overwrite": False, "secret_key": BUCKET_KEY, "access_key": "a"}, {}, ["E011"]),
        (S3, {"bucket_name": "b", "file_overwrite": False, "nonsense": 1}, {}, ["E016"]),
        (FILES["BACKEND"], {"location": "/srv/a", "allow_overwrite": True}, {}, ["E010"]),
        (FILES["BACKEND"], {"location": "/srv/a"}, {}, []),
        (f"{__name__}.Leaky", {"connection_string": BUCKET_KEY}, {}, ["E011", "E016"]),
        ("project.that.is.missing", {}, {}, ["E016"]),
        (f"{__name__}.Nameless", {}, {}, ["E016"]),
        (SITE_S3, {"site": "aurora"}, {}, []),
        (SITE_S3, {"site": "borealis"}, {}, ["E016"]),
    ],
)
def test_storage_that_is_not_the_sites_is_found(
    serve: Serve, settings: Any, backend: str, options: dict[str, object], globals_: dict[str, object], found: list[str]
) -> None:
    """Overwriting is E010, keys in OPTIONS are E011, no bucket and no storage at all are E016; no key is shown."""
    serve(a_site(storage=s3()))
    for name, value in globals_.items():
        setattr(settings, name, value)
    set_storage(settings, backend, **options)
    messages = check_storages(None)
    assert ids_of(messages) == found
    assert BUCKET_KEY not in str(messages)


def test_storage_that_cannot_be_used_is_told_with_the_reason(serve: Serve, settings: Any) -> None:
    """The message has the alias, and the kind of the error or what is missing."""
    serve(a_site(storage=s3()))
    told = []
    for backend in (f"{__name__}.Leaky", f"{__name__}.Nameless"):
        set_storage(settings, backend)
        told += [message.msg for message in check_storages(None)]
    assert told == [
        "STORAGES['own'] cannot be used: ValueError.",
        "STORAGES['own'] has no bucket, so writing the first file would fail.",
    ]
    settings.WAGTAILIMAGES_RENDITION_STORAGE = FileSystemStorage(allow_overwrite=True)
    assert check_storages(None)[1].msg.startswith("WAGTAILIMAGES_RENDITION_STORAGE overwrites files")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"SECRET_KEY": "x"}, "SECRET_KEY"),
        ({"sas_token": "x", "account_key": b"x"}, "account_key, sas_token"),
        ({"endpoint_url": "https://user:x@s3.example"}, "endpoint_url"),
        ({"cloudfront_key": "x", "cloudfront_key_id": "y"}, "cloudfront_key"),
        ({"url": "https://user:x@s3.example/a?next=http://b"}, "url"),
        *(({f"my_{word}": "x"}, f"my_{word}") for word in ("secret", "password", "token", "access_key")),
        *(({word: "x"}, word) for word in ("account_key", "connection_string", "credentials")),
    ],
)
def test_credentials_are_named(aurora: SiteSpec, settings: Any, options: dict[str, object], named: str) -> None:
    """The report names the options and not their values."""
    set_storage(settings, "django.core.files.storage.InMemoryStorage", **options)
    message = check_storages(None)[0]
    assert message.id == "wagtail_multihost.E011"
    assert f" has {named} in its OPTIONS" in message.msg


def test_options_that_are_no_credentials_are_quiet(aurora: SiteSpec, settings: Any) -> None:
    """Switches, paths and addresses with telling words in their names have no message."""
    options = {
        "querystring_auth": True,
        "signature_version": "s3v4",
        "secret_key": None,
        "token_path": "/x",
        "url": "//a",
        "secret_id": "x",
        "secret_name": "x",
        "secret_file": "x",
        "secret_token": True,
        "password": "",
        "mail": "a@b.example",
        "address": "https://s3.example/a@b/c",
    }
    set_storage(settings, "django.core.files.storage.InMemoryStorage", **options)
    assert "E011" not in ids_of(check_storages(None))


@pytest.mark.parametrize(
    ("renditions", "found"),
    [
        (S3, ["E010", "E016"]),
        ("own", []),
        ("project.that.is.missing", ["E016"]),
        (InMemoryStorage, []),
        (FileSystemStorage(allow_overwrite=True), ["E010"]),
        (Unequal(), []),
        (None, []),
    ],
)
def test_storage_of_renditions_is_checked(
    aurora: SiteSpec, settings: Any, renditions: object, found: list[str]
) -> None:
    """Wagtail takes an alias, a dotted path or a storage for renditions, and options of none of them are scoped."""
    set_storage(settings, "django.core.files.storage.InMemoryStorage")
    settings.WAGTAILIMAGES_RENDITION_STORAGE = renditions
    assert sorted(ids_of(check_storages(None))) == found


def test_storage_of_static_files_and_of_no_site_is_quiet(serve: Serve, settings: Any) -> None:
    """Static files are the project's and are meant to be overwritten; in build mode nothing is stored."""
    serve(a_site())
    s3_static = {"BACKEND": "storages.backends.s3.S3StaticStorage", "OPTIONS": {"secret_key": "x"}}
    settings.STORAGES = {"default": FILES, "staticfiles": s3_static}
    assert check_storages(None) == []
    serve(None)
    set_storage(settings, S3)
    assert check_storages(None) == []
