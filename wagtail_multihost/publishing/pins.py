"""Writing uids and names into a registry file, so that no site gets another's, and none loses its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.files.locking import LOCK_SECONDS, lock_file
from wagtail_multihost.publishing.evidence import Evidence, find_local_evidence, is_filled, local_places
from wagtail_multihost.publishing.pin_decision import Decision, PinChoice, PinFacts, decide_pin
from wagtail_multihost.publishing.pin_text import add_pins, check_text, replace_file
from wagtail_multihost.registry.base import Contents, Registry, site_hint
from wagtail_multihost.registry.platform_record import read_platform
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.site_record import SiteReader
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.used import NAME_KEYS, USED, Holder, Used, live_uids
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.spec.names import Names, derive_names, successor_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

MOST_NAMED = 5
#: Returns what a site's database says about whom it belongs to, and why it could not be asked.
AskDatabase = Callable[[SiteSpec], tuple[Evidence | None, str]]


class PinChoices(NamedTuple):
    """The ids that the operator names: ``keep`` of sites in use, or ``keeps_all``, and ``new`` of new sites."""

    keep: Collection[str] = ()
    new: Collection[str] = ()
    keeps_all: bool = False

    def of(self, site: str) -> PinChoice:
        if site in self.new:
            return PinChoice.NEW
        return PinChoice.KEEP if self.keeps_all or site in self.keep else PinChoice.NOTHING


NO_CHOICES = PinChoices()


class Pin(NamedTuple):
    """What was written for a site that lacked a pin."""

    site: str
    uid: UUID
    is_new: bool
    why: str


class UnpinnedRegistry(NamedTuple):
    """A registry as it is, before the missing pins are decided."""

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    records: Mapping[str, Record]
    used: Used

    @property
    def live(self) -> frozenset[UUID]:
        """The uids that sites state."""
        return live_uids(self.records.values())


def ask_no_database(site: SiteSpec) -> tuple[Evidence | None, str]:
    """Return no evidence and no failure, without asking the database of ``site``."""
    return None, ""


def pin_sites(
    registry: Registry,
    choices: PinChoices = NO_CHOICES,
    ask: AskDatabase = ask_no_database,
    watch: Watch = watch_nothing,
) -> list[Pin]:
    """
    Write the uid and the names of each site that lacks one into the registry's file, and note who uses which id;
    comments, order and permissions stay. Sites that are in use keep what they have, others get a random uid.
    ``ask`` asks databases. Concurrent runs wait for each other.

    Raises ConfigurationError, and writes nothing, when the registry has problems or is not a TOML file, or when it
    is not known for a site whether it is in use.
    """
    if not isinstance(registry, TomlRegistry):
        message = "Only a registry in a TOML file can be pinned."
        if registry.is_for_operators:
            message = "There is nothing to pin: the control site pins each site when it registers it."
        raise ConfigurationError.because(message, where=registry.name)
    registry.document()  # reports a missing file more clearly than the lock does
    with locked_file(registry.path):
        return write_pins(registry, choices, ask, watch)


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Keep other runs away from a file that each of them replaces; raises ConfigurationError if that fails."""
    try:
        descriptor = lock_file(path.resolve(), time.monotonic() + LOCK_SECONDS)
    except BlockingIOError:
        message = "Another run, or another process, holds the file's lock. Nothing was written; try again."
        raise ConfigurationError.because(message, where=str(path)) from None
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be locked: {error.strerror}.", where=str(path)) from None
    try:
        yield
    finally:
        os.close(descriptor)


def write_pins(registry: TomlRegistry, choices: PinChoices, ask: AskDatabase, watch: Watch) -> list[Pin]:
    """Read the registry, decide what it lacks, and write it; return what was written."""
    found, before = read_unpinned(registry)
    problems = list(choice_problems(found, choices))
    pins, sites, owners = [], [], find_name_owners(found)
    for site in watch(len(found.sites), "sites")(found.sites):
        decision = decide_site(found, site, choices.of(site.id), ask)
        if isinstance(decision, str):
            problems.append(Problem(site.sources["id"], f"{decision}.", site.id))
            continue
        problems.extend(leftover_problems(found.platform, site) if decision.is_new else ())
        named = replace(site, uid=decision.uid, names=choose_names(found, site, decision, owners), pinned=True)
        sites.append(named)
        if not site.pinned:
            pins.append(Pin(site.id, decision.uid, decision.is_new, decision.why))
    if problems:
        raise ConfigurationError(registry.locate(problems))
    text = add_pins(before.decode("utf-8-sig"), sites, merge_holders(found.used, sites))
    if text != before.decode("utf-8-sig"):
        check_text(registry, text)
        if registry.bytes() != before:
            raise ConfigurationError.because("The file was changed in the meantime. Try again.", where=registry.name)
        replace_file(registry.path, text)
    return pins


def read_unpinned(registry: TomlRegistry) -> tuple[UnpinnedRegistry, bytes]:
    """
    Return the registry, its sites not compared with each other, and the bytes that it was read from. Raises
    ConfigurationError with the problems of each site.
    """
    registry.document()
    before = registry.bytes()
    record, records = registry.read_tables(reads_secrets=False)
    platform, defaults = read_platform(record)
    basis = platform or PlatformSpec(name="unknown", data=record.source.base)
    sites = [SiteReader(site, basis, defaults, requires_pin=False).read() for site in records]
    if record.problems or platform is None:
        raise ConfigurationError(registry.locate(dict.fromkeys(record.problems)))
    known = {found.site: found for found in records}
    return UnpinnedRegistry(platform, tuple(site for site in sites if site is not None), known, registry.used), before


def choice_problems(found: UnpinnedRegistry, choices: PinChoices) -> Iterator[Problem]:
    """Yield a problem for each id that the operator should not have named."""
    stated = {site.id: site for site in found.sites}
    for option, ids in (("--keep", choices.keep), ("--new", choices.new)):
        for site in ids:
            if site not in stated:
                yield Problem(option, f"The registry has no site {site}.{site_hint(site, stated)}", site)
    for site in choices.new:
        if site in choices.keep or choices.keeps_all:
            yield Problem("--new", f"The site {site} is to be kept as well. Give only one of the two.", site)
        if site in stated and "uid" in found.records[site].written:
            uid = stated[site].uid
            yield Problem("--new", f"The site {site} already has the uid {uid}, and a uid never changes.", site)


def decide_site(found: UnpinnedRegistry, site: SiteSpec, choice: PinChoice, ask: AskDatabase) -> Decision | str:
    """Return the decision about a site, or why the operator has to make it."""
    if "uid" in found.records[site.id].written:
        return Decision(site.uid, False, "its uid is stated, and names were missing")
    holders = found.used.get(site.id, ())
    facts = PinFacts(site.id, site.uid, holders, found.live)
    if not holders and choice is not PinChoice.NEW:
        evidence = list(find_local_evidence(found.platform, site))
        asked, unasked = (None, "") if evidence else ask(site)
        facts = facts._replace(found=[*evidence, *([asked] if asked else [])], unasked=unasked)
    return decide_pin(facts, choice)


def leftover_problems(platform: PlatformSpec, site: SiteSpec) -> Iterator[Problem]:
    """Yield a problem for each place on this machine that a new site would take over from an earlier one."""
    for what, path in local_places(platform, site):
        if is_filled(path):
            yield Problem(
                site.sources["id"],
                f"It is a new site, and {what} {path} of an earlier one is still there. Move it away or delete it.",
                site.id,
            )


def choose_names(
    found: UnpinnedRegistry, site: SiteSpec, decision: Decision, owners: Mapping[tuple[str, str], set[UUID | str]]
) -> Names:
    """Return the site's names: those that it states, else those that it had, else derived ones that are free."""
    table = found.records[site.id].written.get("names")
    stated = set(table.value) if table and isinstance(table.value, dict) else set()
    own = {key: getattr(site.names, key) for key in NAME_KEYS if key in stated}
    derived = derive_names(found.platform.name, site.id)
    if decision.names:
        return replace(derived, **{**decision.names, **own})
    missing = [key for key in NAME_KEYS if key not in stated]
    own_marks = {decision.uid, site.id}
    if any(owners.get((key, getattr(derived, key)), set()) - own_marks for key in missing):
        derived = successor_names(found.platform.name, site.id, decision.uid)
    return replace(derived, **own)


def find_name_owners(found: UnpinnedRegistry) -> dict[tuple[str, str], set[UUID | str]]:
    """Return who has or had each kind and name: the uids of recorded holders, and the ids of the sites."""
    owners: dict[tuple[str, str], set[UUID | str]] = {}
    for holders in found.used.values():
        for holder in holders:
            for item in holder.names.items():
                owners.setdefault(item, set()).add(holder.uid)
    for site in found.sites:
        for key in NAME_KEYS:
            owners.setdefault((key, getattr(site.names, key)), set()).add(site.id)
    return owners


def merge_holders(used: Used, sites: list[SiteSpec]) -> dict[str, tuple[Holder, ...]]:
    """Return who used which id, including ``sites``; holders that no site has any more are marked as removed."""
    live = {site.uid for site in sites}
    after = {
        site: tuple(holder._replace(removed=holder.uid not in live) for holder in holders)
        for site, holders in used.items()
    }
    for site in sites:
        holder = Holder(site.id, site.uid, {key: getattr(site.names, key) for key in NAME_KEYS})
        others = tuple(known for known in after.get(site.id, ()) if known != holder)
        after[site.id] = (*others, holder)  # the last one is the present one
    return after


def unrecorded_cautions(registry: Registry, contents: Contents) -> Iterator[str]:
    """Yield a caution about pinned sites that ``used`` lacks: once they are removed, nothing would know of them."""
    known = {(holder.site, holder.uid) for holders in registry.used.values() for holder in holders}
    missing = [site.id for site in contents.sites if site.pinned and (site.id, site.uid) not in known]
    if missing and isinstance(registry, TomlRegistry):
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        yield (
            f"The registry's table {USED} does not have the pins of {', '.join(missing[:MOST_NAMED])}{more}: once such "
            "a site is removed, a new one with its id could get its data. Run: manage.py multihost_sites --pin"
        )
