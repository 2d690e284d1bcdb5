"""What is suitable for development only, in a platform and its sites."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.registry.nodes import local_parts
from wagtail_multihost.registry.platform_key import COMMAND, FILE_NAME
from wagtail_multihost.registry.servers import LOCAL, normalize_host
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT, account_name
from wagtail_multihost.spec.platform import PRODUCTION, PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

#: A platform that states one of these does not use the key that was made automatically.
STATED_KEYS = frozenset({"secret_key", "secret_key_file", "secret_keys"})
#: Names that lead to the visitor's own machine, or nowhere
#: (https://www.rfc-editor.org/rfc/rfc6761, https://www.rfc-editor.org/rfc/rfc2606).
PRIVATE_NAMES = ("localhost", "test", "invalid")
#: The values with which libpq authenticates a server before it sends a password.
ASKING = {"sslmode": ("verify-ca", "verify-full"), "require_auth": ("scram-sha-256",)}


def environment_findings(platform: PlatformSpec) -> Iterator[ProductionFinding]:
    """Yield a finding if the platform is not in production, where everything that separates sites is required."""
    if platform.environment != PRODUCTION:
        yield ProductionFinding(
            f"The platform's environment is {shown(platform.environment)}, in which a process may read every site's "
            "secrets, sites need no pins, and in development a missing key is made automatically.",
            'Set environment = "production" in [platform], or MULTIHOST_PLATFORM_ENVIRONMENT=production if the '
            "registry is environment variables.",
        )


def key_findings(platform: PlatformSpec, sites: Sequence[SiteSpec]) -> Iterator[ProductionFinding]:
    """Yield a finding if sites' keys derive from a platform key that was made automatically."""
    path = platform.data / FILE_NAME
    if STATED_KEYS.intersection(platform.sources) and platform.sources.get("secret_key") != str(path):
        return
    if any(site.secret_key is None for site in sites):
        yield ProductionFinding(
            f"[platform] has no secret_key, so every site's key derives from {shown(str(path))}, which the first "
            "process made, next to files that sites can read and images copy.",
            f"Move that file where only root can read it or, if nothing has been signed yet, make another: {COMMAND} "
            "Name it in secret_key_file.",
        )


def registry_findings(platform: PlatformSpec, files: Iterable[Path], account: int) -> Iterator[ProductionFinding]:
    """Yield the files of the registry that other accounts than root can read; ``account`` is this process's."""
    for file in () if platform.shares_registry else files:
        try:
            status = file.stat()
        except OSError:
            continue
        if status.st_mode & stat.S_IROTH:
            who = "every account of this machine"
        elif status.st_uid != ROOT or account != ROOT:
            who = f"the account {account_name(account if account != ROOT else status.st_uid)}"
        else:
            continue
        yield ProductionFinding(
            f"{shown(str(file))} can be read by {who}, with every secret in it and in the files that it names.",
            "Let only root read it (root, 0600), and serve each site from a snapshot (manage.py multihost_snapshot); "
            "or set shares_registry = true in [platform] if the sites trust each other.",
        )


def local_findings(platform: PlatformSpec, sites: Sequence[SiteSpec]) -> Iterator[ProductionFinding]:
    """Yield what exists on one machine only, if no nodes are stated; with nodes the registry refuses it."""
    if platform.nodes:
        return
    found: dict[str, str] = {}
    for site in sites:
        for key, what, _ in local_parts(site.database, site.cache, site.storage):
            found.setdefault(key, f"{what} ({site.id})")
    if found:
        yield ProductionFinding(
            f"Sites use {join_words(list(found.values()))}: each machine or container that serves them would have its "
            "own.",
            "Use PostgreSQL, Redis and S3, or list the machines as nodes in [platform]. If one machine serves "
            "all sites, and its data is backed up, silence this check.",
        )


def loopback_findings(sites: Iterable[SiteSpec]) -> Iterator[ProductionFinding]:
    """Yield the servers on a port of this machine to which sites send passwords without checking who listens."""
    for name, found in (("PostgreSQL", sends_database_password), ("Redis", sends_cache_password)):
        ids = [site.id for site in sites if found(site)]
        if ids:
            yield ProductionFinding(
                f"The sites {join_words(ids)} send their passwords to {name} at a port of this machine, where any "
                "account may listen while the server does not, or at an address of localhost where it never does.",
                HINTS[name],
            )


HINTS = {
    "PostgreSQL": 'Set host to the folder of its unix socket; or set options = { require_auth = "scram-sha-256" }, '
    "with libpq 16 or later, or an sslmode that verifies the server.",
    "Redis": "Set host to the path of its unix socket, in a folder of the server's account; or set tls = true.",
}


def sends_database_password(site: SiteSpec) -> bool:
    """Return whether the site sends a database password to a port of this machine without authenticating the server."""
    database = site.database
    if database.engine != "postgresql" or database.password is None or not is_local_host(database.host):
        return False
    options = dict(database.options)
    return not any(options.get(key) in accepted for key, accepted in ASKING.items())


def sends_cache_password(site: SiteSpec) -> bool:
    """Return whether the site sends its Redis password to a port of this machine without verifying the server."""
    cache = site.cache
    is_verified = cache.tls and cache.verify != "none"
    return cache.backend == "redis" and cache.password is not None and not is_verified and is_local_host(cache.host)


def is_local_host(host: str) -> bool:
    return not host.startswith("/") and normalize_host(host) == LOCAL


def is_public(sites: Iterable[SiteSpec]) -> bool:
    """Return whether visitors on other machines could reach a hostname of the sites."""
    return any(host.rpartition(".")[2] not in PRIVATE_NAMES for site in sites for host in site.hosts)


def join_words(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
