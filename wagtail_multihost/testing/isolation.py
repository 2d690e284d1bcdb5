"""Two sites of a project, and what the canaries find about them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wagtail_multihost.testing.canaries import CANARIES
from wagtail_multihost.testing.databases import MigratedDatabases, copy_database
from wagtail_multihost.testing.process import TenantError, TenantProcess
from wagtail_multihost.testing.progress import Progress, tell_on_stderr
from wagtail_multihost.testing.registry import SITES, write_registry
from wagtail_multihost.testing.report import Finding, IsolationError
from wagtail_multihost.testing.rounds import DATABASE_DEFAULT, failure_finding, run_canaries

DEFAULT = "default"

NOT_MIGRATED = "The database could not be migrated"

# The steps before the canaries: the canary and the setting to report, and the message.
STEPS = {
    "start": ("settings", "", "Django could not be set up"),
    "migrate": ("database", DATABASE_DEFAULT, NOT_MIGRATED),
    "migrate_new": ("database", DATABASE_DEFAULT, NOT_MIGRATED),
    "claim": ("database", DATABASE_DEFAULT, "The database could not be claimed"),
    "connect": ("database", DATABASE_DEFAULT, "The database could not be reached"),
}


class Isolation:
    """
    Two sites of the project with the settings module ``settings_module``, each in a process of its own.

    ``registry`` (a path or URL) and ``sites`` (two ids in it) are yours; without them the kit writes a registry with
    SQLite, a cache in the process and files in a temporary folder. ``canaries`` are dotted paths of classes.
    ``databases`` is a folder that keeps the migrated SQLite file of which both sites get a copy: the next
    ``Isolation`` with the same apps and migrations starts from it, and migrates nothing. ``tell`` is called with
    lines for a person who waits.
    """

    def __init__(
        self,
        settings_module: str,
        *,
        registry: Path | str | None = None,
        sites: tuple[str, str] = SITES,
        canaries: Sequence[str] = CANARIES,
        databases: Path | None = None,
        tell: Callable[[str], None] = tell_on_stderr,
    ) -> None:
        self.settings_module = settings_module
        self.registry = registry
        self.sites = sites
        self.canaries = tuple(canaries)
        self.databases = databases
        self.tell = tell
        self.progress = Progress(tell)
        self._findings: tuple[Finding, ...] | None = None

    def check(self) -> None:
        """Raise IsolationError with a report if anything crosses between the sites, or a canary could not find out."""
        findings = self.findings()
        if findings:
            raise IsolationError(self.settings_module, findings)

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the canaries, which run only once."""
        if self._findings is None:
            self.progress = Progress(self.tell)
            with tempfile.TemporaryDirectory(prefix="multihost-isolation-") as name:
                self._findings = tuple(dict.fromkeys(self.find_all(Path(name))))
        return self._findings

    def find_all(self, folder: Path) -> Iterator[Finding]:
        if self.registry is not None:
            failed = [*self.migrate_both(folder, self.registry)]
            yield from failed or self.find_crossings(folder, self.registry)
            return
        registry = write_registry(folder, self.sites)
        kept = MigratedDatabases(self.databases or folder / "databases")
        found = self.find_with_kept(folder, registry, kept)
        yield from self.find_with_new(folder, registry, kept) if found is None else found

    def find_with_kept(self, folder: Path, registry: Path, kept: MigratedDatabases) -> list[Finding] | None:
        """Return the findings with databases that an earlier run has migrated; None if none fits."""
        if not kept:
            return None
        with self.tenants(folder, registry) as (left, right):
            failed = [*self.start(left, right)]
            migrated = None if failed else kept.find(str(left.call("migrations")))
            return [*self.find_in(left, right, migrated)] if migrated else failed or None

    def find_with_new(self, folder: Path, registry: Path, kept: MigratedDatabases) -> Iterator[Finding]:
        """Migrate one database for both sites, or where the project's settings prevent that, one for each."""
        migrated = None
        with self.tenant(folder, registry, self.sites[0]) as left:
            self.progress.begin(f"starting {left.site}")
            failed = [*run_steps("start", (left, self.sites[1]))]
            name = "" if failed else left.call("new_database")
            if name:
                self.progress.begin("migrating a database, of which both sites get a copy")
                failed = [*run_steps("migrate_new", (left, self.sites[1]))]
                migrated = None if failed else kept.keep(Path(name), str(left.call("migrations")))
        if not failed and migrated is None:
            failed = [*self.migrate_both(folder, registry)]
        yield from failed or self.find_crossings(folder, registry, migrated)

    def find_crossings(self, folder: Path, registry: Path | str, migrated: Path | None = None) -> Iterator[Finding]:
        """Yield the crossings, in new processes: the caches of one that has migrated differ from those of others."""
        with self.tenants(folder, registry) as (left, right):
            failed = [*self.start(left, right)]
            yield from failed or self.find_in(left, right, migrated)

    def find_in(self, left: TenantProcess, right: TenantProcess, migrated: Path | None) -> Iterator[Finding]:
        """Yield the crossings between two sites, which get copies of the file ``migrated`` first."""
        failed: list[Finding] = []
        if migrated:
            for tenant in (left, right):
                copy_database(migrated, tenant.call("databases").get(DEFAULT, ""))
            failed = [*run_steps("claim", (left, right.site), (right, left.site))]
        failed = failed or [*run_steps("connect", (left, right.site), (right, left.site))]
        yield from failed
        if not failed:
            for source, target in ((left, right), (right, left)):
                self.progress.begin(f"planting canaries in {source.site} and looking for them from {target.site}")
                yield from run_canaries(self.canaries, source, target)

    def tenant(self, folder: Path, registry: Path | str, site: str) -> TenantProcess:
        log = folder / f"{site}.log"
        return TenantProcess(site, self.settings_module, registry, log, self.progress.tick)

    @contextlib.contextmanager
    def tenants(self, folder: Path, registry: Path | str) -> Iterator[tuple[TenantProcess, TenantProcess]]:
        with (
            self.tenant(folder, registry, self.sites[0]) as left,
            self.tenant(folder, registry, self.sites[1]) as right,
        ):
            yield left, right

    def migrate_both(self, folder: Path, registry: Path | str) -> Iterator[Finding]:
        """Migrate both sites' databases, one after the other: they may be one."""
        with self.tenants(folder, registry) as (left, right):
            failed = [*self.start(left, right)]
            for tenant, other in ((left, right), (right, left)):
                self.progress.begin(f"migrating the database of {tenant.site}")
                failed = failed or [*run_steps("migrate", (tenant, other.site))]
            yield from failed

    def start(self, left: TenantProcess, right: TenantProcess) -> Iterator[Finding]:
        self.progress.begin(f"starting {left.site} and {right.site}")
        return run_steps("start", (left, right.site), (right, left.site))


def run_steps(do: str, *tenants: tuple[TenantProcess, str]) -> Iterator[Finding]:
    """Let each process do a step of STEPS, all at the same time; yield the failures, with the id of the other site."""
    for tenant, _ in tenants:
        tenant.send(do)
    for tenant, other in tenants:
        try:
            tenant.receive()
        except TenantError as error:
            canary, setting, what = STEPS[do]
            yield failure_finding(canary, setting, error, other, tenant.site, what)
