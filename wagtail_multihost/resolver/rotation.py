"""What a change of each key and password of a site invalidates. ``HOW_TO`` says how to change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wagtail_multihost.resolver.explain import NOWHERE, Located, source_of_field
from wagtail_multihost.resolver.secret_key import OWN_RULE, RULE, find_probe_key, source_of_platform_key
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

#: The steps of each change.
HOW_TO = "docs/how-to/change-keys-and-passwords.md"


class SiteCredential(NamedTuple):
    """
    A key or password of a site: its ``name``, how it is ``made`` or kept, the ``source`` that says so, and sentences on
    what a change ``invalidates``.
    """

    name: str
    made: str
    source: str
    invalidates: tuple[str, ...]


def site_credentials(platform: PlatformSpec, site: SiteSpec, located: Located = NOWHERE) -> Iterator[SiteCredential]:
    """Yield every key and password of the site. None of them is read."""
    if site.secret_key is None:
        yield derived_key_credential(platform, site, located)
        yield platform_key_credential(platform, site, located)
    else:
        yield own_key_credential(site, located)
    yield from probe_key_credential(platform, site, located)
    yield from database_password(site, located)
    yield from cache_password(site, located)
    yield from client_keys(site, located)
    yield from storage_keys(site, located)
    yield from mail_password(site, located)
    yield from frontend_keys(site, located)
    yield from certificate_key(site, located)


def derived_key_credential(platform: PlatformSpec, site: SiteSpec, located: Located) -> SiteCredential:
    source = site.sources.get("epoch", "")
    return SiteCredential(
        "SECRET_KEY",
        f"{RULE} {site.epoch}",
        located.get(source, source),
        effects_of_change(site, "secret_key"),
    )


def platform_key_credential(platform: PlatformSpec, site: SiteSpec, located: Located) -> SiteCredential:
    source = source_of_platform_key(platform)
    has_ring = "secret_keys" in platform.sources
    return SiteCredential(
        "The platform's key",
        f"named {site.key_id} by the site" if site.key_id else "a keyring" if has_ring else "one key for all sites",
        located.get(source, source),
        effects_of_change(platform, "secret_key"),
    )


def own_key_credential(site: SiteSpec, located: Located) -> SiteCredential:
    source = site.sources.get("secret_key") or site.sources.get("secret_key_file", "")
    return SiteCredential(
        "SECRET_KEY",
        describe_location(OWN_RULE, site.secret_key),
        located.get(source, source),
        effects_of_change(site, "secret_key"),
    )


def probe_key_credential(platform: PlatformSpec, site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    effects = effects_of_change(site, "probe_key")
    if site.probe_key is not None:
        source = site.sources.get("probe_key") or site.sources.get("probe_key_file", "")
        made = describe_location(OWN_RULE, site.probe_key)
        yield SiteCredential("The probe key", made, located.get(source, source), effects)
    elif site.secret_key is None or find_probe_key(platform, site) is not None:
        source = site.sources.get("epoch", "")
        yield SiteCredential("The probe key", f"{RULE} {site.epoch}", located.get(source, source), effects)


def database_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    database = site.database
    if database.password is None:
        return
    yield SiteCredential(
        "The database's password",
        describe_location(f"of the role {database.user} at {database.host}", database.password),
        source_in_part(site, "database", "password", located),
        effects_of_change(database, "password"),
    )


def cache_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    cache = site.cache
    if cache.password is None:
        return
    yield SiteCredential(
        "The cache's password",
        describe_location(f"of the user {cache.username or 'default'} at {cache.host}", cache.password),
        source_in_part(site, "cache", "password", located),
        effects_of_change(cache, "password"),
    )


def client_keys(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    """Yield the keys of the certificates by which the site's servers know it."""
    database, cache = site.database, site.cache
    if key := dict(database.options).get("sslkey"):
        yield SiteCredential(
            "The database's client key",
            f"of the role {database.user} at {database.host}, in the file {key}",
            source_in_part(site, "database", "options", located),
            effects_of_change(cache, "key"),
        )
    if cache.key is not None:
        yield SiteCredential(
            "The cache's client key",
            f"at {cache.host}, in the file {cache.key}",
            source_in_part(site, "cache", "key", located),
            effects_of_change(cache, "key"),
        )


def storage_keys(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    storage = site.storage
    if storage.access_key is None:
        return
    yield SiteCredential(
        "The storage's keys",
        describe_location(f"of the bucket {storage.bucket}", storage.secret_key),
        source_in_part(site, "storage", "secret_key", located),
        effects_of_change(storage, "secret_key"),
    )


def mail_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    mail = site.mail
    if mail is None or mail.password is None:
        return
    yield SiteCredential(
        "The mail account's password",
        describe_location(f"of {mail.username} at {mail.host}", mail.password),
        source_in_part(site, "mail", "password", located),
        effects_of_change(mail, "password"),
    )


def frontend_keys(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    frontend = site.frontend
    if frontend is None or (frontend.token is None and frontend.access_key is None):
        return
    key = "token" if frontend.token else "secret_key"
    yield SiteCredential(
        f"The frontend cache's {'token' if frontend.token else 'keys'}",
        describe_location(f"of {frontend.zone} at {frontend.backend}", frontend.token or frontend.secret_key),
        source_in_part(site, "frontend", key, located),
        effects_of_change(frontend, key),
    )


def certificate_key(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    if site.tls is None:
        return
    yield SiteCredential(
        "The certificate's key",
        f"in the file {site.tls.key}",
        source_in_part(site, "tls", "key", located),
        effects_of_change(site.tls, "key"),
    )


def effects_of_change(spec: object, key: str) -> tuple[str, ...]:
    """Return what a change of a key invalidates, as its declaration says."""
    return next(declared.invalidates for one, declared in declarations(type(spec)) if one.name == key)


def describe_location(what: str, secret: Secret | None) -> str:
    """Return ``what`` with where the secret is, without reading it."""
    if secret is None:
        return what
    if secret.file is not None:
        return f"{what}, in the file {secret.file}"
    return f"{what}, in the variable {secret.variable}" if secret.variable else f"{what}, in the registry itself"


def source_in_part(site: SiteSpec, part: str, key: str, located: Mapping[str, str]) -> str:
    source = source_of_field(site.sources.get(part, ""), site.id, key, located)
    return located.get(source, source)
