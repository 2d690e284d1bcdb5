"""What a site is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.identifiers import parse_hostname, parse_site_id, shown
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.overrides import SettingValue, override_problems
from wagtail_multihost.spec.server import TlsSpec
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.validation import problem_of, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """
    One Wagtail instance: ``id``, immutable ``uid``, ``hostnames`` (the first is canonical, the others
    redirect to it), ``aliases`` (hostnames that are served as they are), key ``epoch`` (1 or more),
    ``names``, ``database``, ``cache``, ``storage``, ``tls`` and its own ``settings``.
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
    settings: tuple[tuple[str, SettingValue], ...] = ()
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


def site_problems(site: SiteSpec) -> Iterator[Problem]:
    yield from problem_of("id", parse_site_id, site.id)
    if not site.hostnames:
        yield Problem("hostnames", "A site needs at least one hostname.")
    for key in ("hostnames", "aliases"):
        for hostname in getattr(site, key):
            yield from problem_of(key, parse_hostname, hostname)
    if len(set(site.hosts)) < len(site.hosts):
        for hostname, count in Counter(site.hosts).items():
            if count > 1:
                yield Problem("hostnames", f"The hostname {shown(hostname)} is listed {count} times.")
    if site.epoch < 1:
        yield Problem("epoch", f"The epoch {site.epoch} is not accepted: it must be 1 or more.")
    yield from override_problems(site.settings)
