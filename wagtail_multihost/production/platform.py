"""What in a platform and its sites suits only development."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wagtail_multihost.production import Finding
from wagtail_multihost.registry.nodes import local_parts
from wagtail_multihost.registry.platform_key import COMMAND, FILE_NAME
from wagtail_multihost.registry.servers import LOCAL, normalize_host
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import ROOT, account_name
from wagtail_multihost.spec.platform import PRODUCTION, PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

#: Keys of which a platform states one where its key is not the one that was made.
STATED_KEYS = frozenset({"secret_key", "secret_key_file", "secret_keys"})
#: Names that lead to the visitor's own machine, or nowhere
#: (https://www.rfc-editor.org/rfc/rfc6761, https://www.rfc-editor.org/rfc/rfc2606).
PRIVATE_NAMES = ("localhost", "test", "invalid")
#: The values with which libpq asks a server who it is before it sends a password.
ASKING = {"sslmode": ("verify-ca", "verify-full"), "require_auth": ("scram-sha-256",)}


def environment_findings(platform: PlatformSpec) -> Iterator[Finding]:
    """Yield that the platform is not in production, where everything that protects sites from each other is asked."""
    if platform.environment != PRODUCTION:
        yield Finding(
            f"The platform's environment is {shown(platform.environment)}, in which a process may read every site's "
            "secrets, sites need no pins, and in development a missing key is made automatically.",
            'State environment = "production" in [platform], or MULTIHOST_PLATFORM_ENVIRONMENT=production where '
            "variables are the registry.",
        )


def key_findings(platform: PlatformSpec, sites: Sequence[SiteSpec]) -> Iterator[Finding]:
    """Yield that keys of sites derive from a platform's key that nobody stated."""
    path = platform.data / FILE_NAME
    if STATED_KEYS.intersection(platform.sources) and platform.sources.get("secret_key") != str(path):
        return
    if any(site.secret_key is None for site in sites):
        yield Finding(
            f"No secret_key is stated in [platform], so every site's key derives from {shown(str(path))}, which the "
            "first process made, beside what sites can read and images copy.",
            f"Move that file to one that root alone reads, or where nothing is signed yet make another: {COMMAND} "
            "Name it in secret_key_file.",
        )


def registry_findings(platform: PlatformSpec, files: Iterable[Path], account: int) -> Iterator[Finding]:
    """Yield the files of the registry that more accounts than root can read; ``account`` is this process's."""
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
        yield Finding(
            f"All of {shown(str(file))} can be read by {who}, with every secret in it and in the files that it names.",
            "Let root alone read it (root, 0600), and serve each site from a snapshot (manage.py multihost_snapshot); "
            "or state shares_registry = true in [platform] where the sites trust each other.",
        )


def local_findings(platform: PlatformSpec, sites: Sequence[SiteSpec]) -> Iterator[Finding]:
    """Yield what is on one machine alone, where nobody said how many there are; where somebody did, it is refused."""
    if platform.nodes:
        return
    found: dict[str, str] = {}
    for site in sites:
        for key, what, _ in local_parts(site.database, site.cache, site.storage):
            found.setdefault(key, f"{what} ({site.id})")
    if found:
        yield Finding(
            f"Sites use {listed(list(found.values()))}: each machine or container that serves them would have its own.",
            "Use PostgreSQL, Redis and S3, or state the machines as nodes in [platform]. If one machine serves "
            "all, and its data is backed up, silence this check.",
        )


def loopback_findings(sites: Iterable[SiteSpec]) -> Iterator[Finding]:
    """Yield the servers on a port of this machine to which sites send passwords, whoever listens there."""
    for name, found in (("PostgreSQL", local_databases), ("Redis", local_caches)):
        ids = [site.id for site in sites if found(site)]
        if ids:
            yield Finding(
                f"The sites {listed(ids)} reach {name} by a port of this machine, where any account may listen while "
                "the server does not, or at an address of localhost at which it never does, and be sent their "
                "passwords.",
                HINTS[name],
            )


HINTS = {
    "PostgreSQL": 'Give the folder of its unix socket as host; or state options = { require_auth = "scram-sha-256" }, '
    "with libpq 16 or later, or an sslmode that verifies the server.",
    "Redis": "Give the path of its unix socket, in a folder of the server's account, as host; or state tls = true.",
}


def local_databases(site: SiteSpec) -> bool:
    """Return whether the site sends a password to a port of this machine without asking who listens there."""
    database = site.database
    if database.engine != "postgresql" or not is_loopback(database.host):
        return False
    options = dict(database.options)
    return not any(options.get(key) in accepted for key, accepted in ASKING.items())


def local_caches(site: SiteSpec) -> bool:
    """Return whether the site sends its password for Redis to a port of this machine in the clear."""
    cache = site.cache
    return cache.backend == "redis" and cache.password is not None and not cache.tls and is_loopback(cache.host)


def is_loopback(host: str) -> bool:
    return not host.startswith("/") and normalize_host(host) == LOCAL


def is_public(sites: Iterable[SiteSpec]) -> bool:
    """Return whether a hostname of the sites can lead visitors here from elsewhere."""
    return any(host.rpartition(".")[2] not in PRIVATE_NAMES for site in sites for host in site.hosts)


def listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
