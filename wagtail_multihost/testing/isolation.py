"""Two sites of a project, and what the canaries find about them."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import string
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.testing.canaries import CANARIES
from wagtail_multihost.testing.process import TenantError, TenantProcess
from wagtail_multihost.testing.registry import SITES, write_registry
from wagtail_multihost.testing.report import Finding, IsolationError

TOKEN_LENGTH = 24
DEFAULT = "default"
DATABASE_DEFAULT = 'DATABASES["default"]'

# The steps before the canaries: the canary and the setting to report, and the message.
STEPS = {
    "start": ("settings", "", "Django could not be set up"),
    "connect": ("database", DATABASE_DEFAULT, "The database could not be reached"),
}


class PlantedCanary(NamedTuple):
    """A canary that has been planted."""

    path: str
    name: str
    setting: str
    repeats: bool
    token: str
    trace: Any


class Isolation:
    """
    Two sites of the project with the settings module ``settings_module``, each in a process of its own.

    ``registry`` (a path or URL) and ``sites`` (two ids in it) are yours; without them the kit writes a registry with
    SQLite, a cache in the process and files in a temporary folder. ``canaries`` are dotted paths of classes.
    ``databases`` is a folder that keeps both sites' migrated SQLite files: the next ``Isolation`` with the same apps
    and migrations starts from them, and migrates nothing.
    """

    def __init__(
        self,
        settings_module: str,
        *,
        registry: Path | str | None = None,
        sites: tuple[str, str] = SITES,
        canaries: Sequence[str] = CANARIES,
        databases: Path | None = None,
    ) -> None:
        self.settings_module = settings_module
        self.registry = registry
        self.sites = sites
        self.canaries = tuple(canaries)
        self.databases = databases
        #: The folder of this project's migrated files, below ``databases``; known once a process has started.
        self.kept: Path | None = None
        self._findings: tuple[Finding, ...] | None = None

    def check(self) -> None:
        """Raise IsolationError with a report if anything crosses between the sites, or a canary could not find out."""
        findings = self.findings()
        if findings:
            raise IsolationError(self.settings_module, findings)

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of the canaries, which run only once."""
        if self._findings is None:
            with tempfile.TemporaryDirectory(prefix="multihost-isolation-") as name:
                self._findings = tuple(dict.fromkeys(self.find_all(Path(name))))
        return self._findings

    def find_all(self, folder: Path) -> Iterator[Finding]:
        registry = self.registry or write_registry(folder, self.sites)
        with self.tenants(folder, registry) as (left, right):
            failed = [*run_on_both("start", left, right)]
            self.kept = None if failed or not self.databases else self.databases / str(left.call("migrations"))
            if self.is_migrated():
                yield from self.find_crossings(left, right)
                return
            failed = failed or [*self.migrate(left, right)]
            yield from failed
            if failed:
                return
        # In new processes: the caches of one that has migrated differ from those of one that serves.
        with self.tenants(folder, registry) as (left, right):
            failed = [*run_on_both("start", left, right)]
            yield from failed or self.find_crossings(left, right)

    def find_crossings(self, left: TenantProcess, right: TenantProcess) -> Iterator[Finding]:
        """Yield the crossings between two sites whose databases are migrated."""
        self.restore(left, right)
        failed = [*run_on_both("connect", left, right)]
        yield from failed
        if not failed:
            yield from self.run_canaries(left, right)
            yield from self.run_canaries(right, left)

    @contextlib.contextmanager
    def tenants(self, folder: Path, registry: Path | str) -> Iterator[tuple[TenantProcess, TenantProcess]]:
        logs = [folder / f"{site}.log" for site in self.sites]
        with (
            TenantProcess(self.sites[0], self.settings_module, registry, logs[0]) as left,
            TenantProcess(self.sites[1], self.settings_module, registry, logs[1]) as right,
        ):
            yield left, right

    def migrate(self, left: TenantProcess, right: TenantProcess) -> Iterator[Finding]:
        """Migrate both sites' databases, in parallel if they are different files."""
        names = [tenant.call("databases") for tenant in (left, right)]
        apart = self.registry is None and all(names) and not set(names[0].values()) & set(names[1].values())
        if apart:
            for tenant in (left, right):
                tenant.send("migrate")
        for tenant, other in ((left, right), (right, left)):
            try:
                tenant.receive() if apart else tenant.call("migrate")
            except TenantError as error:
                what = "The database could not be migrated"
                yield failure_finding("database", DATABASE_DEFAULT, error, other, tenant, what)
                return
        if apart and self.kept:
            for tenant, files in zip((left, right), names, strict=True):
                keep_database(files[DEFAULT], self.kept / f"{tenant.site}.sqlite3")

    def is_migrated(self) -> bool:
        return self.kept is not None and all((self.kept / f"{site}.sqlite3").exists() for site in self.sites)

    def restore(self, *tenants: TenantProcess) -> None:
        """Give each site its migrated database if it has none yet."""
        if self.kept is None or not self.is_migrated():
            return
        for tenant in tenants:
            name = tenant.call("databases").get(DEFAULT)
            if name and not Path(name).exists():
                shutil.copyfile(self.kept / f"{tenant.site}.sqlite3", name)

    def run_canaries(self, source: TenantProcess, target: TenantProcess) -> Iterator[Finding]:
        """Plant every canary at ``source`` and look for it from ``target``."""
        planted: list[PlantedCanary] = []
        for path in self.canaries:
            try:
                planted += [*plant_canary(path, source, target)]
            except TenantError as error:
                name = path.rpartition(".")[2]
                yield failure_finding(name, DATABASE_DEFAULT, error, source, target, "It could not be planted")
        told: set[str] = set()
        for step, tenant in (("crossed", target), ("disturb", target), ("lost", source), ("remove", source)):
            for canary in planted:
                for finding in run_step(step, tenant, canary, source, target):
                    if not canary.repeats:
                        told.add(finding.setting)
                    elif finding.setting in told:
                        continue
                    yield finding


def keep_database(name: str, kept: Path) -> None:
    """Copy a migrated file, completely or not at all: several runs may share the folder."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{secrets.token_hex(8)}")
    shutil.copyfile(name, partial)
    partial.replace(kept)


def plant_canary(path: str, source: TenantProcess, target: TenantProcess) -> Iterator[PlantedCanary]:
    known = [tenant.call("meet", path=path) for tenant in (source, target)]
    if all(canary.pop("applies") for canary in known):
        token = new_token()
        yield PlantedCanary(
            path, **known[0], token=token, trace=source.call("step", path=path, step="plant", token=token)
        )


def run_step(
    step: str, tenant: TenantProcess, canary: PlantedCanary, source: TenantProcess, target: TenantProcess
) -> Iterator[Finding]:
    """Run a step of a canary and yield its findings."""
    try:
        crossings = tenant.call("step", path=canary.path, step=step, token=canary.token, planted=canary.trace)
    except TenantError as error:
        yield failure_finding(
            canary.name, canary.setting, error, source, target, f"Its step {step} failed at {tenant.site}"
        )
        return
    for setting, evidence in crossings or ():
        # So that the evidence is the same in each run.
        yield Finding(canary.name, setting, evidence.replace(canary.token, "TOKEN"), source.site, target.site)


def run_on_both(do: str, *tenants: TenantProcess) -> Iterator[Finding]:
    """Let both sites start or connect at the same time."""
    for tenant in tenants:
        tenant.send(do)
    for tenant, other in zip(tenants, reversed(tenants), strict=True):
        try:
            tenant.receive()
        except TenantError as error:
            canary, setting, what = STEPS[do]
            yield failure_finding(canary, setting, error, other, tenant, what)


def failure_finding(
    canary: str, setting: str, error: TenantError, source: TenantProcess, target: TenantProcess, what: str
) -> Finding:
    if "IdentityError" in error.kinds:
        # The fuse, or the mark on a bucket or a cache, has noticed before the canary could.
        return Finding(canary, setting, f"The identity check refused it: {error}", source.site, target.site)
    return Finding(canary, "", f"{what}: {error}\n{error.details}".rstrip(), source.site, target.site)


def new_token() -> str:
    # Only letters: a search engine treats them as one word.
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(TOKEN_LENGTH))
