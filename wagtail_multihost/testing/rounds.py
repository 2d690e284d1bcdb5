"""A round of canaries, from one site to the other."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from wagtail_multihost.testing.process import TenantError, TenantProcess
from wagtail_multihost.testing.report import Finding

TOKEN_LENGTH = 24
DATABASE_DEFAULT = 'DATABASES["default"]'


class PlantedCanary(NamedTuple):
    """A canary that has been planted."""

    path: str
    name: str
    setting: str
    repeats: bool
    token: str
    trace: Any


def run_canaries(paths: Sequence[str], source: TenantProcess, target: TenantProcess) -> Iterator[Finding]:
    """Plant every canary at ``source`` and look for it from ``target``."""
    planted: list[PlantedCanary] = []
    for path in paths:
        try:
            planted += [*plant_canary(path, source, target)]
        except TenantError as error:
            name = path.rpartition(".")[2]
            yield failure_finding(name, DATABASE_DEFAULT, error, source.site, target.site, "It could not be planted")
    told: set[str] = set()
    for step, tenant in (("crossed", target), ("disturb", target), ("lost", source), ("remove", source)):
        for canary in planted:
            for finding in run_step(step, tenant, canary, source, target):
                if not canary.repeats:
                    told.add(finding.setting)
                elif finding.setting in told:
                    continue
                yield finding


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
            canary.name, canary.setting, error, source.site, target.site, f"Its step {step} failed at {tenant.site}"
        )
        return
    for setting, evidence in crossings or ():
        # So that the evidence is the same in each run.
        yield Finding(canary.name, setting, evidence.replace(canary.token, "TOKEN"), source.site, target.site)


def failure_finding(canary: str, setting: str, error: TenantError, source: str, target: str, what: str) -> Finding:
    if "IdentityError" in error.kinds:
        # The fuse, or the mark on a bucket or a cache, has noticed before the canary could.
        return Finding(canary, setting, f"The identity check refused it: {error}", source, target)
    return Finding(canary, "", f"{what}: {error}\n{error.details}".rstrip(), source, target)


def new_token() -> str:
    # Only letters: a search engine treats them as one word.
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(TOKEN_LENGTH))
