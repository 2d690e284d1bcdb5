"""Which sites are served, and from which files: those that uWSGI has now, and those that the agent wants it to have."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from runner.children import Failure
from runner.registry import REGISTRY, Place
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.publishing.snapshots import publish, to_publish
from wagtail_multihost.registry import open_registry

#: What makes a site's process another one. When a snapshot was written, and at which revision, does not.
MADE_OF = ("platform", "site")


def publish_sites(place: Place) -> None:
    """Write the snapshots of all sites, as the agent does, of what the sites start from."""
    registry = open_registry(str(REGISTRY), {})
    try:
        publish(registry, to_publish(registry), place.snapshots)
    except MultihostError as error:
        raise Failure(str(error)) from None


def marks_of_running(place: Place) -> dict[str, str]:
    """Return a mark for each site that uWSGI runs, by its id, which is another one when its files are."""
    return marks_in(place.vassals, place)


def marks_of_wished(place: Place) -> dict[str, str] | None:
    """Return the marks of the sites that the agent has applied; None before it has."""
    return marks_in(place.wished, place) if (place.wished / "hosts.txt").exists() else None


def marks_in(folder: Path, place: Place) -> dict[str, str]:
    found = {path.stem: path for path in folder.glob("[a-z]*.ini")}
    return {site: mark_of(path, place.snapshots / f"{site}.json") for site, path in found.items()}


def mark_of(ini: Path, snapshot: Path) -> str:
    document = json.loads(snapshot.read_text()) if snapshot.exists() else {}
    made_of = json.dumps([document.get(name) for name in MADE_OF], sort_keys=True)
    return hashlib.sha256(ini.read_bytes() + made_of.encode()).hexdigest()


def use(changed: Iterable[str], ended: Iterable[str], place: Place) -> None:
    """Give uWSGI the files of the sites that ``changed``, which it restarts, and take those that ``ended`` away."""
    replace_file(place.wished / "hosts.txt", place.etc / "uwsgi-emperor" / "hosts.txt")
    for site in (*changed, *ended):
        # Another way of starting it, which this runner does not follow.
        (place.etc / "uwsgi-on-demand" / f"{site}.ini").unlink(missing_ok=True)
    for site in ended:
        (place.vassals / f"{site}.ini").unlink(missing_ok=True)
    for site in changed:
        replace_file(place.wished / f"{site}.ini", place.vassals / f"{site}.ini")


def replace_file(source: Path, target: Path) -> None:
    """Copy a file, in one moment."""
    draft = target.with_suffix(".new")
    shutil.copyfile(source, draft)
    draft.replace(target)


def changes_of(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the ids of the sites that are new or other ones, and of those that are there no more."""
    return (
        [site for site, mark in after.items() if before.get(site) != mark],
        [site for site in before if site not in after],
    )
