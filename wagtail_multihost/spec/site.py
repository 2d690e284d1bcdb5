"""What a site is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING
from uuid import UUID

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import parse_hostname, parse_site_id, shown
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.validation import problem_of, refuse

if TYPE_CHECKING:
    from wagtail_multihost.spec.frontend import FrontendCacheSpec
    from wagtail_multihost.spec.mail import MailSpec
    from wagtail_multihost.spec.options import Overrides
    from wagtail_multihost.spec.overrides import SettingValue
    from wagtail_multihost.spec.tls import TlsSpec

STATES = ("active", "maintenance", "suspended")
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


@frozen
class SiteSpec(Frozen):
    """
    One Wagtail instance: ``id``, immutable ``uid``, ``hostnames`` (the first is canonical, the others
    redirect to it), ``aliases`` (hostnames that are served as they are), key ``epoch`` (1 or more),
    ``names``, ``database``, ``cache``, ``storage``, ``tls`` and its own ``settings``.
    ``mail`` (None: the project's), ``frontend`` (a cache in front of it that Wagtail purges), ``admins`` (mail
    addresses that get its error reports). ``secret_key`` and ``secret_key_fallbacks`` are keys of its own; where
    they are missing, keys derive from the platform's, the one named ``key_id`` or else the platform's choice.
    ``state`` is ``active``, or ``maintenance`` or ``suspended``: then the front server shows a page in its place.
    ``nodes`` are the platform's nodes that serve it; none of them stands for all. ``code``, ``nginx``, ``uwsgi`` and
    ``systemd`` are options of its own, over the platform's.
    ``pinned`` says whether the registry states the uid and the names; ``sources`` where each key was read.
    """

    id: str
    uid: UUID
    hostnames: tuple[str, ...]
    names: Names
    database: DatabaseSpec
    cache: CacheSpec
    storage: StorageSpec
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    epoch: int = 1
    tls: TlsSpec | None = None
    key_id: str = ""
    secret_key: Secret | None = None
    secret_key_fallbacks: tuple[Secret, ...] = ()
    mail: MailSpec | None = None
    frontend: FrontendCacheSpec | None = None
    admins: tuple[str, ...] = ()
    settings: tuple[tuple[str, SettingValue], ...] = ()
    state: str = "active"
    nodes: tuple[str, ...] = ()
    code: Overrides = ()
    nginx: Overrides = ()
    uwsgi: Overrides = ()
    systemd: Overrides = ()
    pinned: bool = False
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        refuse(site_problems(self))

    @property
    def canonical(self) -> str:
        """The hostname that the others redirect to."""
        return self.hostnames[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every hostname and alias."""
        return (*self.hostnames, *self.aliases)

    def has_tls(self, hostname: str) -> bool:
        """Return whether the front server has a certificate for ``hostname``."""
        return self.tls is not None and self.tls.is_on(hostname)


def site_problems(site: SiteSpec) -> Iterator[Problem]:
    yield from problem_of("id", parse_site_id, site.id)
    yield from hostname_problems(site)
    if site.epoch < 1:
        yield Problem("epoch", f"The epoch {site.epoch} is not accepted: it must be 1 or more.")
    if site.state not in STATES:
        yield Problem("state", f"The state {shown(site.state)} is not known; accepted: {', '.join(STATES)}.")
    for hostname in {*site.tls.pending, *site.tls.off} - set(site.hosts) if site.tls else ():
        yield Problem("tls", f"The hostname {shown(hostname)} is not one of the site's.")
    for address in site.admins:
        if not re.fullmatch(ADDRESS, address):
            yield Problem("admins", f"The mail address {shown(address)} is not accepted.")
    if site.settings:
        from wagtail_multihost.spec.overrides import override_problems  # loads only for a site that has settings

        yield from override_problems(site.settings)


def hostname_problems(site: SiteSpec) -> Iterator[Problem]:
    if not site.hostnames:
        yield Problem("hostnames", "A site needs at least one hostname.")
    for key in ("hostnames", "aliases"):
        for hostname in getattr(site, key):
            yield from problem_of(key, parse_hostname, hostname)
    if len(set(site.hosts)) < len(site.hosts):
        for hostname, count in Counter(site.hosts).items():
            if count > 1:
                yield Problem("hostnames", f"The hostname {shown(hostname)} is listed {count} times.")
