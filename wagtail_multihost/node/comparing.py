"""Comparing this node with what it should be: files, snapshots, accounts and what serves. Nothing is changed."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from wagtail_multihost.emitters.apply.differences import Differences, compare_target
from wagtail_multihost.emitters.apply.lock import hold_lock
from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import OutputFolder
from wagtail_multihost.emitters.apply.verification import verify
from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.output import Change, State, compare, owner_of
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.node.applying import Applier
from wagtail_multihost.node.drift import Drift
from wagtail_multihost.node.listening import find_listeners, is_listening
from wagtail_multihost.node.on_disk import PASSING, digest_of
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.nodeapi import drift_kinds
from wagtail_multihost.publishing.snapshot_changes import FILE_MODE, SnapshotAction, SnapshotChange, parse_any_format
from wagtail_multihost.publishing.snapshots import publish
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.registry.release import Release, read_release
from wagtail_multihost.registry.snapshot import SUFFIX, signed_content
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.spec.permissions import NO_FOREIGN_WRITING, ROOT, access_problem, own_accounts
from wagtail_multihost.spec.site import SiteSpec

KINDS = {
    State.NEW: drift_kinds.MISSING,
    State.EDITED: drift_kinds.EDITED,
    State.FOREIGN: drift_kinds.FOREIGN,
    State.STALE: drift_kinds.UNLISTED,
    State.CHANGED: drift_kinds.CHANGED,
}
#: Seconds that another run may hold the lock: then the next look comes soon enough.
LOCK_SECONDS = 5
#: Seconds in which a site's process has to listen after its files were last written.
START_SECONDS = 60
#: Seconds that nginx is asked for.
ASK_SECONDS = 3


def find_drift(applier: Applier, specs: Specs, ignored: Collection[str] = ()) -> list[Drift]:
    """
    Return what differs from the specs; nothing of the ``ignored`` sites, of which something waits. Raises
    ConfigurationError and EmitError where that cannot be told.
    """
    release = read_release(applier.options.release)
    targets = applier.targets
    changes = find_snapshot_changes(applier, specs, release)
    plan = applier.make_plan(specs, specs.sites, frozenset(), release)
    # Servers' files go by what snapshots should say.
    wanted = {change.snapshot.site: digest_of(change.snapshot.document) for change in changes if change.snapshot}
    plan = replace(plan, digests={**plan.digests, **wanted})
    found = compare_output(applier.options, targets, plan, specs)
    found += compare_snapshots(specs, changes)
    found += compare_folders(applier.options.output, specs.platform.snapshots)
    if any(emitter.runs_sites for emitter in targets):
        found += compare_accounts(specs)
        found += compare_listeners(targets, plan, specs)
    return [one for one in found if not one.site or one.site not in ignored]


def compare_output(options: AgentOptions, targets: Collection[Emitter], plan: Plan, specs: Specs) -> list[Drift]:
    """
    Return what differs of the servers' files, and of what the server that is asked uses. Raises ConfigurationError and
    EmitError where that cannot be told.
    """
    output = OutputFolder(options.output)
    if not output.folder.is_dir():
        return [Drift(drift_kinds.MISSING, str(output.directory), "a folder that was applied to", "nothing")]
    with hold_lock(output, LOCK_SECONDS, quietly=True):
        manifest = Manifest(output)
        found = list(compare_files(targets, plan, manifest, specs))
    return [*found, *compare_generation(options, targets, plan, manifest)]


def compare_files(targets: Collection[Emitter], plan: Plan, manifest: Manifest, specs: Specs) -> Iterator[Drift]:
    """Yield each emitted file that is not as it should be, and those of ours that nothing emits."""
    taken: set[PurePosixPath] = set()
    for emitter in targets:
        owners = {path: site for site in (*specs.sites, *specs.refused) for path in emitter.paths_of(site)}
        changes = list(compare_target(emitter, plan, manifest, iter, Differences(), taken))
        token = manifest.generations.get(emitter.name)
        if emitter.generation and token:
            changes += compare(plan.directory, [emitter.generation(token)], manifest.knows)
        for change in changes:
            site = change.new.site if change.new else owners.get(change.path, "")
            # A site whose newest record is refused keeps what it has.
            if change.state is State.SAME or (change.new is None and site in specs.refused):
                continue
            yield describe_change(plan.directory, change, site)


def describe_change(directory: Path, change: Change, site: str) -> Drift:
    path = directory / change.path
    if change.new is None:
        return Drift(drift_kinds.UNLISTED, str(path), "", digest(change.old), site)
    if change.state is State.CHANGED and change.old == change.new.text:
        owner = owner_of(change.new.group)
        return Drift(drift_kinds.MODE, str(path), words_of(change.new.mode, owner), found_words(path), site)
    found = digest(change.old) if change.old else "" if change.state is State.NEW else found_words(path)
    return Drift(KINDS[change.state], str(path), digest(change.new.text), found, site)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def words_of(mode: int, owner: tuple[int, int] | None) -> str:
    return f"{mode:04o}" if owner is None else f"{mode:04o} {owner[0]}:{owner[1]}"


def found_words(path: Path) -> str:
    """Return the mode and the owner of what is at a path, which is not opened."""
    try:
        status = path.lstat()
    except OSError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    return words_of(stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def find_snapshot_changes(applier: Applier, specs: Specs, release: Release) -> list[SnapshotChange]:
    """Return what publishing would change, of the sites whose newest records are in use."""
    folder = specs.platform.snapshots
    if folder is None:
        return []
    wanted = [site for site in specs.sites.values() if site.enabled and site.id not in specs.refused]
    contents = Contents(specs.platform, tuple(with_own_keys(specs.platform, site) for site in wanted))
    return publish(applier.registry, contents, folder, removes=False, writes=False, replaces=True, releases=[release])


def compare_snapshots(specs: Specs, changes: Iterable[SnapshotChange]) -> Iterator[Drift]:
    """Yield each snapshot that has other contents, another mode or owner, and those that no site has."""
    folder = specs.platform.snapshots
    if folder is None:
        return
    wanted = {site.id for site in specs.sites.values() if site.enabled}
    for change in changes:
        if change.state is not SnapshotAction.RENEWED and change.snapshot is not None:
            yield describe_snapshot(change)
    for name in list_names(folder):
        site = name.removesuffix(SUFFIX)
        if name.endswith(SUFFIX) and site not in wanted and site not in specs.refused:
            owner = site if site in specs.sites else ""
            yield Drift(drift_kinds.UNLISTED, str(folder / name), "", found_digest(folder / name), owner)


def describe_snapshot(change: SnapshotChange) -> Drift:
    """Return how a snapshot differs: its digest leaves out when it was written."""
    site = change.snapshot.site if change.snapshot else ""
    document = change.snapshot.document if change.snapshot else {}
    expected = hashlib.sha256(signed_content(document, *PASSING)).hexdigest()
    if change.state is SnapshotAction.CREATED and not os.path.lexists(change.path):
        return Drift(drift_kinds.MISSING, str(change.path), expected, "", site)
    found = found_digest(change.path)
    if found == expected:
        owner = (ROOT, change.gid) if os.geteuid() == ROOT else None
        return Drift(drift_kinds.MODE, str(change.path), words_of(FILE_MODE, owner), found_words(change.path), site)
    return Drift(drift_kinds.EDITED, str(change.path), expected, found, site)


def found_digest(path: Path) -> str:
    """Return the digest of a snapshot, of what else there is in a regular file, or what it is instead."""
    try:
        data, status = read_no_follow(path)
    except OSError:
        return found_words(path)
    if not stat.S_ISREG(status.st_mode):
        return "no regular file"
    document = parse_any_format(data)
    return hashlib.sha256(signed_content(document, *PASSING) if document else data).hexdigest()


def list_names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def compare_folders(*folders: Path | None) -> Iterator[Drift]:
    """Yield each folder that others than root, and this account, can change."""
    for folder in folders:
        if folder is None:
            continue
        try:
            status = folder.stat()
        except OSError:
            continue  # its files are missing, which is said of them
        if access_problem(status, NO_FOREIGN_WRITING, own_accounts()):
            found = words_of(stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
            yield Drift(drift_kinds.MODE, str(folder), "no writing by its group or others", found)


def compare_accounts(specs: Specs) -> Iterator[Drift]:
    """Yield each site's account that this machine does not have, or that is root's."""
    if os.geteuid() != ROOT or "{site}" not in specs.platform.account:
        return
    for site in specs.sites.values():
        if not site.enabled:
            continue
        name = specs.platform.account_of(site.id)
        try:
            uid = pwd.getpwnam(name).pw_uid
        except KeyError:
            yield Drift(drift_kinds.ACCOUNT, name, "an account of this machine", "none", site.id)
            continue
        if uid == ROOT:
            yield Drift(drift_kinds.ACCOUNT, name, "an account without rights", "the uid 0", site.id)


def compare_listeners(targets: Collection[Emitter], plan: Plan, specs: Specs) -> Iterator[Drift]:
    """
    Yield each enabled site at whose socket nobody listens although there was time to, and each disabled one that is
    served. Where no site at all is served, that is one difference: their servers do not run.
    """
    listeners = find_listeners()
    if listeners is None:
        return
    sockets = {site: specs.platform.sockets / spec.names.socket for site, spec in specs.sites.items()}
    served = {site for site, path in sockets.items() if is_listening(path, listeners)}
    wanted = {site.id for site in plan.sites}
    late = sorted(site for site in wanted - served if had_time(targets, plan.directory, specs.sites[site]))
    if len(late) > 1 and not served & wanted:
        yield Drift(drift_kinds.SILENT, str(specs.platform.sockets), "servers of sites that run", "none")
    else:
        yield from (Drift(drift_kinds.SILENT, str(sockets[site]), "somebody listens", "nobody", site) for site in late)
    for site in sorted(served - wanted - specs.refused.keys()):
        yield Drift(drift_kinds.SERVING, str(sockets[site]), "nobody listens", "somebody", site)


def had_time(targets: Collection[Emitter], directory: Path, site: SiteSpec) -> bool:
    """Return whether the site's files are there, and have been for long enough that its process listens."""
    newest = 0.0
    for path in site_files(targets, directory, site.id):
        try:
            newest = max(newest, path.lstat().st_mtime)
        except OSError:
            continue
    return newest > 0 and time.time() - newest > START_SECONDS


def site_files(targets: Collection[Emitter], directory: Path, site: str) -> Iterator[Path]:
    """Yield the paths of the files of a site that make its server run."""
    for emitter in targets:
        if emitter.runs_sites:
            yield from (directory / path for path in emitter.paths_of(site))


def compare_generation(
    options: AgentOptions, targets: Collection[Emitter], plan: Plan, manifest: Manifest
) -> Iterator[Drift]:
    """Yield what the server that is asked for its generation does not answer."""
    tokens: Mapping[str, str] = manifest.generations
    token = next((tokens[emitter.name] for emitter in targets if tokens.get(emitter.name)), "")
    url = options.verify
    if not url or not token:
        return
    try:
        wants_line = any(emitter.wants_proxy_line(plan) for emitter in targets)
        verify(url, min(options.verify_timeout, ASK_SECONDS), token, wants_line=wants_line)
    except EmitError:
        yield Drift(drift_kinds.GENERATION, url, f"the generation {token}", "another answer, or none")
