"""Storages that were set without the resolver, or after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.identifiers import shown

STATIC = "staticfiles"
RENDITIONS = "WAGTAILIMAGES_RENDITION_STORAGE"
# Parts of the names that django-storages' backends give to credentials.
CREDENTIALS = (
    "secret",
    "password",
    "token",
    "access_key",
    "account_key",
    "connection_string",
    "credentials",
    "cloudfront_key",
)
IDENTIFIERS = ("_id", "_name", "_file", "_path")


@register(TAG)
def check_storages(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E010, E011 and E016: a storage that overwrites files, that reveals its keys, or that cannot be used."""
    if own_site() is None:
        return []
    found: list[CheckMessage] = []
    for alias, options in settings.STORAGES.items():
        if alias != STATIC:  # the project's, for all sites; it is meant to overwrite, and no task has it
            found += credential_messages(alias, options.get("OPTIONS") or {})
            found += storage_messages(f"STORAGES[{shown(alias)}]", alias)
    renditions = getattr(settings, RENDITIONS, None)
    if renditions and not (isinstance(renditions, str) and renditions in settings.STORAGES):
        found += storage_messages(RENDITIONS, renditions)
    return found


def credential_messages(alias: str, options: Mapping[str, object]) -> Iterator[CheckMessage]:
    names = sorted(str(name) for name, value in options.items() if is_credential(str(name), value))
    if names:
        yield Error(
            f"STORAGES[{shown(alias)}] has {', '.join(names)} in its OPTIONS, which Wagtail writes into the queue with "
            "every task that deletes a file.",
            hint="State them in the site's storage in the registry: this package's storage keeps them out of queues.",
            id="wagtail_multihost.E011",
        )


def is_credential(name: str, value: object) -> bool:
    name = name.lower()
    has_user = isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]
    is_named = any(word in name for word in CREDENTIALS) and not name.endswith(IDENTIFIERS)
    return bool(value) and not isinstance(value, bool) and (has_user or is_named)


def storage_messages(where: str, reference: object) -> Iterator[CheckMessage]:
    try:
        storage = open_storage(reference)
    except Exception as error:  # of any class, and some repeat the options
        yield unusable_error(where, f"cannot be used: {type(error).__name__}")
        return
    if hasattr(storage, "bucket_name") and not storage.bucket_name:
        yield unusable_error(where, "has no bucket, so writing the first file would fail")
    if getattr(storage, "file_overwrite", False) or getattr(storage, "_allow_overwrite", False):
        yield Error(
            f"{where} overwrites files: an upload replaces another one with the same name.",
            hint="Set STORAGES before resolve().apply(globals()), or set file_overwrite (AWS_S3_FILE_OVERWRITE) or "
            "allow_overwrite to False.",
            id="wagtail_multihost.E010",
        )


def unusable_error(where: str, fault: str) -> CheckMessage:
    return Error(
        f"{where} {fault}.",
        hint="Set STORAGES before resolve().apply(globals()), and state the storage in the registry.",
        id="wagtail_multihost.E016",
    )


def open_storage(reference: object) -> object:
    """Return the storage that an alias, a dotted path, a class or an instance stands for, as Wagtail does."""
    if isinstance(reference, str):
        if reference in settings.STORAGES:
            return storages[reference]
        reference = import_string(reference)
    return reference() if isinstance(reference, type) else reference
