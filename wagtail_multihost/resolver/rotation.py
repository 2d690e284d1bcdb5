"""What a change of each key and password of a site invalidates, and how to change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wagtail_multihost.resolver.explain import NOWHERE, Located, source_of_field
from wagtail_multihost.resolver.secret_key import OWN_RULE, RULE, source_of_platform_key
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec


class SiteCredential(NamedTuple):
    """
    A key or password of a site: its ``name``, how it is ``made`` or kept, the ``source`` that says so, sentences on
    what a change ``invalidates``, and the ``steps`` of a change.
    """

    name: str
    made: str
    source: str
    invalidates: tuple[str, ...]
    steps: tuple[str, ...]


RELOAD = "Reload the site's process; where it reads a snapshot, write that anew first."
RELOAD_ALL = "Reload the processes of the sites that move; where they read snapshots, write those anew first."
CACHED_PAGES = "Empty the caches of pages if addresses of images are signed."


def site_credentials(platform: PlatformSpec, site: SiteSpec, located: Located = NOWHERE) -> Iterator[SiteCredential]:
    """Yield every key and password that the site has; none of them is read."""
    if site.secret_key is None:
        yield derived_key_credential(platform, site, located)
        yield platform_key_credential(platform, site, located)
    else:
        yield own_key_credential(site, located)
    yield from database_password(site, located)
    yield from cache_password(site, located)
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
        (
            f"Set the site's epoch to {site.epoch + 1}.",
            RELOAD,
            CACHED_PAGES,
            "The old key is a fallback until the epoch is raised again. A key that was stolen must be none: raise the "
            f"epoch by two, to {site.epoch + 2}.",
        ),
    )


def platform_key_credential(platform: PlatformSpec, site: SiteSpec, located: Located) -> SiteCredential:
    source = source_of_platform_key(platform)
    has_ring = "secret_keys" in platform.sources
    first = (
        "Add the new key to the platform's secret_keys, under an id of its own. Write it down where the old one is."
        if has_ring
        else "Write secret_keys in the place of secret_key: the old key and the new one, each under an id of its own, "
        "and key_id with the id of the old one. Write the new key down where the old one is."
    )
    return SiteCredential(
        "The platform's key",
        f"named {site.key_id} by the site" if site.key_id else "a keyring" if has_ring else "one key for all sites",
        located.get(source, source),
        effects_of_change(platform, "secret_key"),
        (
            first,
            "Set the platform's key_id to the id of the new key. To move single sites first, set their own key_id.",
            RELOAD_ALL,
            CACHED_PAGES,
            "Take the old key out of secret_keys when no site's key_id names it and its sessions and API tokens are "
            "renewed; until then it is a fallback. A key that was stolen is taken out at once.",
        ),
    )


def own_key_credential(site: SiteSpec, located: Located) -> SiteCredential:
    source = site.sources.get("secret_key") or site.sources.get("secret_key_file", "")
    return SiteCredential(
        "SECRET_KEY",
        describe_storage(OWN_RULE, site.secret_key),
        located.get(source, source),
        effects_of_change(site, "secret_key"),
        (
            "Put the old key into the site's secret_key_fallbacks, unless it was stolen.",
            "Put a new key of at least 50 characters in its place.",
            RELOAD,
            CACHED_PAGES,
            "Take the old key out of secret_key_fallbacks when sessions and API tokens are renewed.",
        ),
    )


def database_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    database = site.database
    if database.password is None:
        return
    yield SiteCredential(
        "The database's password",
        describe_storage(f"of the role {database.user} at {database.host}", database.password),
        source_in_part(site, "database", "password", located),
        effects_of_change(database, "password"),
        (
            f'Give the role the new password: ALTER ROLE "{database.user}" PASSWORD …; psql\'s \\password keeps it out '
            "of the server's log.",
            "Put the new password in the place of the old one.",
            f"{RELOAD} New connections fail between the first step and this one.",
        ),
    )


def cache_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    cache = site.cache
    if cache.password is None:
        return
    user = cache.username or "default"
    yield SiteCredential(
        "The cache's password",
        describe_storage(f"of the user {user} at {cache.host}", cache.password),
        source_in_part(site, "cache", "password", located),
        effects_of_change(cache, "password"),
        (
            f"Give the user a second password: ACL SETUSER {user} >NEW. (With requirepass alone, there is one.)",
            "Put the new password in the place of the old one.",
            RELOAD,
            f"Take the old password away: ACL SETUSER {user} <OLD.",
        ),
    )


def storage_keys(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    storage = site.storage
    if storage.access_key is None:
        return
    yield SiteCredential(
        "The storage's keys",
        describe_storage(f"of the bucket {storage.bucket}", storage.secret_key),
        source_in_part(site, "storage", "secret_key", located),
        effects_of_change(storage, "secret_key"),
        (
            "Make a second access key for the same account.",
            "Put both parts of it, access_key and secret_key, in the place of the old ones.",
            RELOAD,
            "Take the old key away when the signed addresses of cached pages are out of date.",
        ),
    )


def mail_password(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    mail = site.mail
    if mail is None or mail.password is None:
        return
    yield SiteCredential(
        "The mail account's password",
        describe_storage(f"of {mail.username} at {mail.host}", mail.password),
        source_in_part(site, "mail", "password", located),
        effects_of_change(mail, "password"),
        (
            "Make a second password or account, if the server has that; otherwise change the password.",
            "Put the new one in the place of the old one.",
            RELOAD,
            f"Send a mail: manage.py multihost_as {site.id} sendtestemail ADDRESS",
        ),
    )


def frontend_keys(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    frontend = site.frontend
    if frontend is None or (frontend.token is None and frontend.access_key is None):
        return
    key = "token" if frontend.token else "secret_key"
    yield SiteCredential(
        f"The frontend cache's {'token' if frontend.token else 'keys'}",
        describe_storage(f"of {frontend.zone} at {frontend.backend}", frontend.token or frontend.secret_key),
        source_in_part(site, "frontend", key, located),
        effects_of_change(frontend, key),
        (
            "Make a second one that may purge this zone or distribution alone.",
            "Put it in the place of the old one.",
            RELOAD,
            "Take the old one away.",
        ),
    )


def certificate_key(site: SiteSpec, located: Located) -> Iterator[SiteCredential]:
    if site.tls is None:
        return
    yield SiteCredential(
        "The certificate's key",
        f"in the file {site.tls.key}",
        source_in_part(site, "tls", "key", located),
        effects_of_change(site.tls, "key"),
        ("Put the new certificate and its key in the place of the old ones.", "Reload the front server."),
    )


def effects_of_change(spec: object, key: str) -> tuple[str, ...]:
    """Return what a change of a key invalidates, as its declaration says."""
    return next(declared.invalidates for one, declared in declarations(type(spec)) if one.name == key)


def describe_storage(what: str, secret: Secret | None) -> str:
    """Return ``what`` with where the secret is, without reading it."""
    if secret is None:
        return what
    if secret.file is not None:
        return f"{what}, in the file {secret.file}"
    return f"{what}, in the variable {secret.variable}" if secret.variable else f"{what}, in the registry itself"


def source_in_part(site: SiteSpec, part: str, key: str, located: Mapping[str, str]) -> str:
    source = source_of_field(site.sources.get(part, ""), site.id, key, located)
    return located.get(source, source)
