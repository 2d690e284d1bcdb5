"""What a plan changes, for all targets together, and which changes need to be allowed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from wagtail_multihost.emitters.apply.manifest import Manifest
from wagtail_multihost.emitters.apply.output_folder import NAME
from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.emitters.output import Change, State, compare, stale, stale_among
from wagtail_multihost.exceptions import ApplyError, EmitError, MultihostError
from wagtail_multihost.spec.identifiers import shown

#: This many files may be removed at once, however few there are.
FEW = 10
MOST_NAMED = 20


@dataclass(slots=True)
class Differences:
    """The changes by target, the new generations, and how many existing files are kept."""

    by_target: dict[str, list[Change]] = field(default_factory=dict)
    generations: dict[str, str] = field(default_factory=dict)
    kept: int = 0

    @property
    def changes(self) -> list[Change]:
        """The changes of all targets."""
        return [change for changes in self.by_target.values() for change in changes]

    @property
    def paths(self) -> dict[str, list[str]]:
        """The changed paths by target, of targets that have any."""
        return {target: [str(change.path) for change in changes] for target, changes in self.by_target.items()}


def compare_targets(
    emitters: Iterable[Emitter],
    plan: Plan,
    manifest: Manifest,
    watched: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    renewed: frozenset[str] = frozenset(),
) -> Differences:
    """
    Return what differs. Files of ours that are no longer emitted are removed; if sites are chosen, only theirs. A
    target whose files differ, or that is among the ``renewed``, gets a new generation, if it shows one.
    """
    found = Differences()
    taken: set[PurePosixPath] = set()
    for emitter in emitters:
        changes = list(compare_target(emitter, plan, manifest, watched, found, taken))
        if emitter.generation:
            is_new = bool(changes) or emitter.name in renewed
            changes += compare_generation(
                emitter.name, emitter.generation, plan.directory, manifest, found, is_new=is_new
            )
        if changes:
            found.by_target[emitter.name] = changes
    return found


def compare_target(
    emitter: Emitter,
    plan: Plan,
    manifest: Manifest,
    watched: Callable[[Iterable[Any]], Iterable[Any]],
    found: Differences,
    taken: set[PurePosixPath],
) -> Iterable[Change]:
    """Yield the changes of a target, except for its generation file. Its paths are added to those ``taken``."""
    marker = emitter.generation("none").path if emitter.generation else None
    emitted = call_target(emitter, emitter.emit, plan)
    files = refuse_misplaced(emitter, (file for file in emitted if file.path != marker), taken)
    seen = [marker] if marker else []
    for change in compare(plan.directory, watched(files), manifest.knows):
        seen.append(change.path)
        found.kept += change.state is not State.NEW
        if change.state is not State.SAME:
            yield change
    if plan.only and not emitter.emits_all:
        own = {path for site in plan.only for path in emitter.paths_of(site)}
        yield from stale_among(plan.directory, sorted(own.difference(seen)), manifest.knows)
    else:
        yield from stale(plan.directory, emitter.folders, seen, manifest.knows)


def call_target(emitter: Emitter, make: Callable[[Any], Iterable[Any]], given: object) -> Iterator[Any]:
    """Yield what a target's function yields; raises EmitError for any exception of another package's."""
    try:
        yield from make(given)
    except MultihostError:
        raise
    except Exception as error:
        raise EmitError(f"The target {emitter.name} failed with {type(error).__name__}: {error}.") from error


def refuse_misplaced(
    emitter: Emitter, files: Iterable[EmittedFile], taken: set[PurePosixPath]
) -> Iterator[EmittedFile]:
    """
    Yield the files; raises EmitError for one outside the target's folders, which could be anywhere on the machine and
    would never be removed, and for one whose path is ``taken``.
    """
    folders = [PurePosixPath(folder) for folder in emitter.folders]
    accepted: dict[PurePosixPath, bool] = {}
    for file in files:
        parent = file.path.parent
        if parent not in accepted:
            accepted[parent] = any(matches_folder(parent, folder) for folder in folders)
        if not accepted[parent] or file.path.name == "..":
            raise EmitError(f"The target {emitter.name} has a file outside its folders: {shown(str(file.path))}.")
        if file.path in taken:
            raise EmitError(
                f"The target {emitter.name} has a file that another one has already: {shown(str(file.path))}."
            )
        taken.add(file.path)
        yield file


def matches_folder(path: PurePosixPath, folder: PurePosixPath) -> bool:
    """Return whether ``path`` is ``folder``, in whose name a ``*`` stands for any characters."""
    if ".." in path.parts or path.parts[:1] == (NAME,):
        return False
    return path == folder or (len(path.parts) == len(folder.parts) > 0 and path.match(str(folder)))


def compare_generation(
    name: str,
    make: Callable[[str], EmittedFile],
    directory: Path,
    manifest: Manifest,
    found: Differences,
    *,
    is_new: bool,
) -> list[Change]:
    """Return the change of the file that shows a target's generation; none if it is up to date."""
    current = manifest.generations.get(name)
    if current and not is_new:
        (change,) = compare(directory, [make(current)], manifest.knows)
        if change.state is State.SAME:
            return []
    # Random, not a digest: an earlier answer is never mistaken for this one, even with the same contents.
    found.generations[name] = secrets.token_hex(8)
    return list(compare(directory, [make(found.generations[name])], manifest.knows))


def refuse_overwriting(changes: Iterable[Change], directory: Path) -> None:
    """Raise ApplyError when files of others are in the way, or ours have been edited."""
    for state, what in (
        (State.FOREIGN, "were not written by multihost_emit or multihost_apply"),
        (State.EDITED, "were edited after they were written"),
    ):
        paths = [str(directory / change.path) for change in changes if change.state is state]
        if paths:
            raise ApplyError(f"These files {what}, so nothing was changed: {list_paths(paths)}. --force replaces them.")


def refuse_mass_delete(found: Differences) -> None:
    """Raise ApplyError when more than half of the files would be removed, as with a registry that lost its sites."""
    removed = sum(not change.new for change in found.changes)
    there = found.kept + removed
    if removed > FEW and removed * 2 > there:
        raise ApplyError(
            f"{removed} of the {there} files would be removed, so nothing was changed. If the registry is right, "
            "give --allow-mass-delete."
        )


def list_paths(paths: list[str]) -> str:
    more = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
