"""The base class of registries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.platform_record import read_platform
from wagtail_multihost.registry.record import PLATFORM, Record, RegistrySource, table_entries
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.used import NOTHING, Used, held_name_problems, live_uids, report_reused_ids
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.identifiers import is_slug, shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from datetime import datetime

SITES_PATH = ("sites",)
MOST_LISTED = 10
#: A site with one of them derives nothing from the platform's key.
OWN_SECRET_KEYS = frozenset({"secret_key", "secret_key_file"})


#: Is given sentences that whoever waits has to know.
Tell = Callable[[str], None]
Problems = Mapping[str, tuple[Problem, ...]]
NO_PROBLEMS: Problems = {}


class Contents(NamedTuple):
    """
    A whole registry: the platform and its sites, in the order of the registry. ``problems`` are those of the sites that
    are left out, by site.
    """

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    problems: Problems = NO_PROBLEMS

    @property
    def enabled(self) -> tuple[SiteSpec, ...]:
        """The sites that are served."""
        return tuple(site for site in self.sites if site.enabled)


class Registry(ABC):
    """Says which sites exist. Every call reads it again, and nothing is ever guessed."""

    #: Where it is, for messages.
    name: str
    #: What ``open_registry`` in another process takes to open it. No secret is in it.
    url: str
    #: The files that hold all of it.
    files: tuple[Path, ...] = ()
    #: Whether it also has what servers are configured from, and not only what sites' processes need.
    has_servers: bool = True
    #: Whether a platform that states no environment is one of development.
    assumes_development: bool = RegistrySource.assumes_development
    #: Whether sites' processes have no business with it: they are given snapshots.
    is_for_operators: bool = False
    #: Who had which id, as of the last read; empty if the registry does not keep that.
    used: Used = NOTHING

    @abstractmethod
    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        """Return the platform's record and one per site; raises ConfigurationError when it cannot be read."""

    def for_rendering(self, tell: Tell) -> Registry:
        """
        Return the registry for a command that renders what servers or sites' processes read: one that may be out of
        reach at times gives what it gave last, and tells that.
        """
        return self

    def read_tables_for(self, site: str, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        """Return the platform's record and at least that of ``site``, if there is one."""
        return self.read_tables(reads_secrets=reads_secrets)

    def private_files(self, site: str) -> tuple[Path, ...]:
        """Return further files that the process of ``site`` must not be able to read, as its record names them."""
        return ()

    def neighbour_files(self, site: str, suspects: Iterable[str]) -> Iterator[Path]:
        """Yield the other sites' files that this process can list, or else those that the ``suspects`` would have."""
        return iter(())

    def written_at(self, site: str) -> datetime | None:
        """Return when the record that was read of ``site`` was written; None if that is not known."""
        return None

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return the problems with the file and the line of each, where the registry has lines."""
        return tuple(problems)

    def load(
        self,
        *,
        requires_pins: bool = True,
        protected: Iterable[tuple[str, Path]] = (),
        keep_going: bool = False,
        watch: Watch = watch_nothing,
    ) -> Contents:
        """
        Return everything, without reading a secret; raises ConfigurationError with all problems of all sites.

        ``requires_pins=False`` accepts sites that are not pinned on a production platform. ``protected`` are names
        and paths that no site's folder may contain or be in, such as the folder of static files.

        ``keep_going`` leaves out the sites that have problems, and returns these beside the others. Of two sites that
        share something, such as a hostname, both are left out: a registry does not say which of them had it first, and
        a guess could hand one site's visitors to the other. A problem of the platform is always an error.

        ``watch`` is told of the progress.
        """
        # Only a whole registry is compared; a site's process starts without these modules.
        from wagtail_multihost.registry.accounts import account_problems
        from wagtail_multihost.registry.places import overlap_problems
        from wagtail_multihost.registry.uniqueness import conflict_problems

        record, site_records = self.read_tables(reads_secrets=False)
        platform, defaults = read_platform(record)
        problems = record.problems
        basis = platform or PlatformSpec(name="unknown", data=record.source.base)
        watched = watch(len(site_records), "sites")(site_records)
        read = [SiteReader(site, basis, defaults, requires_pins).read() for site in watched]
        sites = tuple(site for site in read if site is not None)
        report_reused_ids(self.used, site_records)
        problems.extend(held_name_problems(self.used, sites, live_uids(site_records)))
        problems.extend(conflict_problems(sites))
        problems.extend(account_problems(basis, sites))
        own = [("registry", file) for file in self.files]
        files = (*own, *(("secret file", file) for file in secret_files(record)), *protected)
        problems.extend(overlap_problems(basis, sites, files))
        located = self.locate(dict.fromkeys(problems)) if problems else ()
        left_out = problems_by_site(located)
        if platform is None or "" in left_out or (problems and not keep_going):
            raise ConfigurationError(located)
        return Contents(platform, tuple(site for site in sites if site.id not in left_out), left_out)

    def site(self, site: str, *, reads_secrets: bool = True) -> tuple[PlatformSpec, SiteSpec]:
        """
        Return the platform and the site whose id is ``site``, with its secrets read unless ``reads_secrets`` is False.

        Raises ConfigurationError when the site is unknown, disabled, or has problems of its own; the
        records of other sites are not checked.
        """
        record, site_records = self.read_tables_for(site, reads_secrets=reads_secrets)
        own = [candidate for candidate in site_records if candidate.site == site]
        if not own:
            raise ConfigurationError.because(
                self.unknown_site_message(site, [candidate.site for candidate in site_records])
            )
        platform, defaults = read_platform(record)
        basis = platform or PlatformSpec(name="unknown", data=record.source.base)
        spec = SiteReader(own[0], basis, defaults).read()
        report_reused_ids(self.used, own)
        if spec is not None:
            record.problems.extend(held_name_problems(self.used, [spec], live_uids(site_records)))
        if record.problems or platform is None or spec is None:
            raise ConfigurationError(self.locate(dict.fromkeys(record.problems)))
        if not spec.enabled:
            raise ConfigurationError([Problem("MULTIHOST_SITE", f"The site {site} is disabled in {self.name}.", site)])
        return platform, spec

    def read_sites(self, sites: Collection[str], *, watch: Watch = watch_nothing) -> Contents:
        """
        Return the platform and the ``sites`` with their secrets read; raises ConfigurationError with all their
        problems. They are not compared with other sites: ``load`` does that.
        """
        record, site_records = self.read_tables(reads_secrets=True)
        platform, defaults = read_platform(record)
        if platform is None:
            raise ConfigurationError(self.locate(dict.fromkeys(record.problems)))
        watched = watch(len(site_records), "sites")(site_records)
        read = [SiteReader(found, platform, defaults).read() for found in watched if found.site in sites]
        if record.problems:
            raise ConfigurationError(self.locate(dict.fromkeys(record.problems)))
        return Contents(platform, tuple(site for site in read if site is not None))

    def unknown_site_message(self, site: str, known: Iterable[str]) -> str:
        return f"{self.name} has no site {shown(site)}.{site_hint(site, known)}"


def site_hint(site: str, known: Iterable[str]) -> str:
    """Return which site may have been meant, or which there are, after a blank; nothing where there are many."""
    from wagtail_multihost.spec.suggestions import suggest  # loads only for the message

    known = list(known)
    there = f" The sites are: {', '.join(map(shown_id, known))}." if 0 < len(known) <= MOST_LISTED else ""
    return suggest(site, known) or there


def shown_id(site: str) -> str:
    return site if is_slug(site) else shown(site)


def chosen_ids(contents: Contents, only: Collection[str]) -> frozenset[str]:
    """Return the ids of the enabled sites, or of ``only``; raises ConfigurationError for each that is not enabled."""
    enabled = frozenset(site.id for site in contents.enabled)
    if problems := [choice_problem(contents, site) for site in dict.fromkeys(only) if site not in enabled]:
        raise ConfigurationError(problems)
    return frozenset(only) or enabled


def choice_problem(contents: Contents, site: str) -> Problem:
    """Return the problem of a site that was chosen and is not served."""
    known = [found.id for found in contents.sites]
    if site in known:
        return Problem("--site", f"The site {site} is disabled: its record has enabled = false.", site)
    return Problem("--site", f"The registry has no site {shown(site)}.{site_hint(site, known)}")


def problems_by_site(problems: Iterable[Problem]) -> Problems:
    """Return the problems by the sites that they concern; those of the platform are under a blank id."""
    found: dict[str, tuple[Problem, ...]] = {}
    for problem in dict.fromkeys(problems):
        for site in dict.fromkeys((problem.site, problem.other or problem.site)):
            found[site] = (*found.get(site, ()), problem)
    return found


def secret_files(platform: Record) -> Iterator[Path]:
    """Yield the files of the platform's own keys, which are not read where all sites are."""
    keyring = platform.written.get("secret_keys")
    entries = table_entries(keyring.value, keyring.path) if keyring and isinstance(keyring.value, dict) else {}
    for key, entry in [*platform.written.items(), *entries.items()]:
        if key.endswith("_file") and isinstance(entry.value, str):
            with suppress(ValueError):  # reported where the key is read
                yield platform.absolute_path(entry.value)


def records_of(platform: object, sites: object, source: RegistrySource) -> tuple[Record, list[Record]]:
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
            problems.append(Problem(source.label(path), "It must be a table.", site))
    if found and all(OWN_SECRET_KEYS.intersection(site.entries) for site in found):
        source.needs_platform_key = False
    return record, found
