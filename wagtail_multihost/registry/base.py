"""What every registry can do."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.platform_record import read_platform
from wagtail_multihost.registry.record import PLATFORM, Record, Source
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.uniqueness import conflicts, overlapping_folders
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

SITES_PATH = ("sites",)


class Contents(NamedTuple):
    """A whole registry: the platform and its sites, in the order of the registry."""

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]

    @property
    def enabled(self) -> tuple[SiteSpec, ...]:
        """The sites that are served."""
        return tuple(site for site in self.sites if site.enabled)


class Registry(ABC):
    """Says which sites exist. It is read anew by every call, and nothing is ever guessed."""

    #: Where it is, for messages.
    name: str
    #: What ``open_registry`` in another process takes to open it.
    url: str

    @abstractmethod
    def source(self, *, reads_secrets: bool) -> Source:
        """Return how this registry's keys are written."""

    @abstractmethod
    def tables(self, source: Source) -> tuple[Record, list[Record]]:
        """Return the platform's record and one per site; raises ConfigurationError when it cannot be read."""

    def load(self, *, requires_pins: bool = True) -> Contents:
        """
        Return everything, without reading a secret; raises ConfigurationError with all problems of all sites.

        ``requires_pins=False`` accepts sites that are not pinned on a production platform.
        """
        record, site_records = self.tables(self.source(reads_secrets=False))
        platform, defaults = read_platform(record)
        problems = record.problems
        basis = platform or PlatformSpec(name="unknown", data=record.source.base)
        read = [SiteReader(site, basis, defaults, requires_pins).read() for site in site_records]
        sites = tuple(site for site in read if site is not None)
        problems.extend(conflicts(sites))
        problems.extend(overlapping_folders(basis, sites))
        if problems or platform is None:
            raise ConfigurationError(dict.fromkeys(problems))
        return Contents(platform, sites)

    def site(self, site: str, *, reads_secrets: bool = True) -> tuple[PlatformSpec, SiteSpec]:
        """
        Return the platform and the site whose id is ``site``, with its secrets read unless told otherwise.

        Raises ConfigurationError when the site is unknown, disabled, or has problems of its own; the
        records of its neighbours are not looked at.
        """
        record, site_records = self.tables(self.source(reads_secrets=reads_secrets))
        own = [candidate for candidate in site_records if candidate.site == site]
        if not own:
            raise ConfigurationError.because(self.unknown(site, [candidate.site for candidate in site_records]))
        platform, defaults = read_platform(record)
        basis = platform or PlatformSpec(name="unknown", data=record.source.base)
        spec = SiteReader(own[0], basis, defaults).read()
        if record.problems or platform is None or spec is None:
            raise ConfigurationError(dict.fromkeys(record.problems))
        if not spec.enabled:
            raise ConfigurationError([Problem("MULTIHOST_SITE", f"The site {site} is disabled in {self.name}.", site)])
        return platform, spec

    def unknown(self, site: str, known: Iterable[str]) -> str:
        close = difflib.get_close_matches(site, known, 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        return f"{self.name} has no site {shown(site)}.{hint}"


def records_of(platform: object, sites: object, source: Source) -> tuple[Record, list[Record]]:
    """Return the records of the two tables of a registry."""
    problems: list[Problem] = []
    root = Record.of({PLATFORM: platform, "sites": sites}, (), source, problems)
    record = root.take_table(PLATFORM) or Record.of({}, (PLATFORM,), source, problems)
    table = sites if isinstance(sites, dict) else {}
    if not isinstance(sites, dict):
        root.report("It must be a table of sites.", SITES_PATH)
    found = []
    for site, values in table.items():
        path = (*SITES_PATH, site)
        if isinstance(values, dict):
            found.append(Record.of(values, path, source, problems, site))
        else:
            root.report("It must be a table.", path)
    return record, found
