"""Settings in the form in which those of two processes are compared: what is said in two ways is said in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from wagtail_multihost.resolver.caches import REPLACED, move_password_to_options
from wagtail_multihost.resolver.plain import Plain, plain
from wagtail_multihost.resolver.setting import aliases_of
from wagtail_multihost.resolver.storages import STORAGE_DEFAULT, WHERE
from wagtail_multihost.spec.site import SiteSpec

Settings = Mapping[str, Plain]

POSTGRESQL_PORT = "5432"
USER_IN_URL = r"(^[a-z]+://)([^/?#:@,]+)@"
#: What django-storages takes from settings where a storage has no such option
#: (https://django-storages.readthedocs.io/en/stable/backends/amazon-S3.html).
AWS = {
    "access_key": ("AWS_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    "addressing_style": ("AWS_S3_ADDRESSING_STYLE",),
    "bucket_name": ("AWS_STORAGE_BUCKET_NAME",),
    "custom_domain": ("AWS_S3_CUSTOM_DOMAIN",),
    "endpoint_url": ("AWS_S3_ENDPOINT_URL",),
    "location": ("AWS_LOCATION",),
    "region_name": ("AWS_S3_REGION_NAME",),
    "secret_key": ("AWS_S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
}


def is_remote(settings: Settings) -> bool:
    """Return whether uploads are in a bucket."""
    return "s3" in str(aliases_of(settings, "STORAGES").get(STORAGE_DEFAULT, {}).get("BACKEND")).lower()


def comparable(settings: Settings, stated: Settings, site: SiteSpec | None = None) -> dict[str, Plain]:
    """
    Return settings in the form in which two processes' are compared: passwords of caches beside the address, ports that
    are not stated, and the place of uploads, which a site's storage does not have in its options.
    """
    made: dict[str, Plain] = dict(settings)
    if caches := aliases_of(settings, "CACHES"):
        made["CACHES"] = {alias: comparable_cache(options) for alias, options in caches.items()}
    databases = aliases_of(settings, "DATABASES")
    for options in databases.values():
        if "postg" in str(options.get("ENGINE")):
            options["PORT"] = str(options.get("PORT") or POSTGRESQL_PORT)
    storages = aliases_of(settings, "STORAGES")
    for alias, storage in storages.items():
        found = storage.get("OPTIONS")
        own = dict(found) if isinstance(found, Mapping) else {}
        own.pop("site", None)
        if alias == STORAGE_DEFAULT and is_remote(settings):
            own = {**(places_of_site(site) if site else places_of_project(stated)), **own}
        storage["OPTIONS"] = own
    made |= {"DATABASES": databases, "STORAGES": storages}
    if isinstance(logging := settings.get("LOGGING"), Mapping):
        made.update(log_files(logging))
        made["LOGGING"] = without_files(logging)
    return made


def comparable_cache(stated: dict[str, object]) -> dict[str, object]:
    """Return an alias whose address has neither a user nor a password; they are among its options."""
    named = stated.get("BACKEND")
    options = move_password_to_options({**stated, "BACKEND": REPLACED.get(str(named), named)})
    user = re.search(USER_IN_URL, str(options.get("LOCATION")))
    if user:
        more = options.get("OPTIONS")
        options["OPTIONS"] = {"username": unquote(user[2]), **(more if isinstance(more, Mapping) else {})}
        options["LOCATION"] = re.sub(USER_IN_URL, r"\1", str(options["LOCATION"]))
    return {**options, "BACKEND": named}


def places_of_project(settings: Settings) -> dict[str, Plain]:
    found = {
        option: next((settings[name] for name in names if settings.get(name)), None) for option, names in AWS.items()
    }
    return {option: value for option, value in found.items() if value}


def places_of_site(site: SiteSpec) -> dict[str, Plain]:
    return {option: plain(value) for option, key in WHERE.items() if key and (value := getattr(site.storage, key))}


def log_files(logging: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return each handler's file as a setting of its own."""
    handlers = logging.get("handlers")
    return {
        f"LOGGING.handlers.{name}.filename": handler["filename"]
        for name, handler in (handlers.items() if isinstance(handlers, Mapping) else ())
        if isinstance(handler, Mapping) and "filename" in handler
    }


def without_files(logging: Mapping[str, Plain]) -> dict[str, Plain]:
    handlers = aliases_of(logging, "handlers")
    for handler in handlers.values():
        handler.pop("filename", None)
    return {**logging, "handlers": handlers}
