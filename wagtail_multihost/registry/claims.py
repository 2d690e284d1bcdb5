"""What each site must have to itself, in spellings that can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import normpath
from typing import NamedTuple

from wagtail_multihost.exceptions import MultihostError, Problem
from wagtail_multihost.registry.servers import normalize_endpoint, normalize_host, normalize_server
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.keys import key_fingerprint
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

# Starts the fingerprint of a secret's value, which is left out of reports.
UNSHOWN = "value "


class Claim(NamedTuple):
    """A kind of thing, its name, and the key of the site's record that says it."""

    what: str
    name: str
    key: str


def site_claims(site: SiteSpec) -> Iterator[Claim]:
    """Yield everything that no other site of the registry may have."""
    names, database, storage = site.names, site.database, site.storage
    yield Claim("uid", str(site.uid), "uid")
    for hostname in site.hostnames:
        yield Claim("hostname", hostname, "hostnames")
    for hostname in site.aliases:
        yield Claim("hostname", hostname, "aliases")
    yield Claim("bucket name", names.bucket, "names")
    yield Claim("key prefix", names.key_prefix, "names")
    yield Claim("socket", names.socket, "names")
    yield Claim("database name", names.database, "names")
    yield Claim("role", names.role, "names")
    if database.engine == "postgresql":
        place = normalize_server(database.host, database.port)
        yield Claim("database", f"{database.name} on {place}", "database")
        yield Claim("database user", f"{database.user} on {place}", "database")
        options = dict(database.options)
        if database.password is None and options.get("sslkey"):
            # It alone shows who connects, so who has it can be each of them.
            yield Claim("client's key", normpath(str(options["sslkey"])), "database")
    cache = site.cache
    if cache.password is None and cache.key is not None:
        yield Claim("client's key", normpath(str(cache.key)), "cache")
    if storage.backend == "s3":
        yield Claim("bucket", f"{storage.bucket} at {normalize_endpoint(storage.endpoint) or 'S3'}", "storage")
        if storage.public_endpoint:
            # The same server, which another site may name by this address.
            yield Claim(
                "bucket", f"{storage.bucket} at {normalize_endpoint(storage.public_endpoint) or 'S3'}", "storage"
            )
        if storage.domain:
            yield Claim("hostname", storage.domain, "storage")
    yield from account_claims(site)


def account_claims(site: SiteSpec) -> Iterator[Claim]:
    """Yield accounts and keys. Passwords may be equal, and mail and zones may be in one account of the platform."""
    storage = site.storage
    for key, secret in (("access key", storage.access_key), ("secret key", storage.secret_key)):
        if mark := secret_mark(secret):
            yield Claim(f"storage's {key}", f"{mark} at {normalize_endpoint(storage.endpoint) or 'S3'}", "storage")
    for key, secret in own_keys_of(site):
        if mark := secret_mark(secret):
            yield Claim(key.replace("_", " "), mark, key)
    if site.mail is not None and site.mail.username and "mail.username" in site.sources:
        yield Claim("mail account", f"{site.mail.username} on {normalize_host(site.mail.host)}", "mail")
    if site.frontend is not None and site.frontend.zone:
        yield Claim("frontend zone", f"{site.frontend.zone.lower()} of {site.frontend.backend}", "frontend")


def own_keys_of(site: SiteSpec) -> Iterator[tuple[str, Secret]]:
    """Yield the keys with which a site signs, each with the key of the record that says so."""
    for secret in (site.secret_key, *site.secret_key_fallbacks):
        if secret is not None:
            yield "secret_key", secret
    if site.probe_key is not None:
        yield "probe_key", site.probe_key


def secret_mark(secret: Secret | None) -> str:
    """Return what identifies a secret: its file, its variable, or the fingerprint of its value; blank without one."""
    if secret is None:
        return ""
    if secret.file is not None:
        return str(secret.file)
    if secret.variable:
        return f"env:{secret.variable}"
    try:
        return f"{UNSHOWN}{key_fingerprint(secret)}"
    except (MultihostError, ValueError):
        return ""


def site_label(site: SiteSpec, key: str) -> str:
    """Return ``key`` of the site's record as the operator wrote it, or else the record."""
    own = site.sources.get("id", f"sites.{site.id}")
    source = site.sources.get(key, "")
    return source if source.startswith(own) else own


def shared_problem(what: str, name: str, first: SiteSpec, second: SiteSpec, key: str) -> Problem:
    """Return the problem of two sites that share something; the fingerprint of a secret is left out."""
    said = "" if name.startswith(UNSHOWN) else f" {shown(name)}"
    return Problem(
        site_label(second, key),
        f"The {what}{said} belongs to the sites {first.id} and {second.id}; each must have its own.",
        second.id,
        first.id,
    )
