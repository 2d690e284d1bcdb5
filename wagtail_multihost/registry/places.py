"""Local files and folders, and which of them are inside others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.claims import shared_problem, site_label
from wagtail_multihost.spec.declared import find_secrets
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

HOME, DATABASE, STORAGE, CODE = "folder", "database", "storage", "code"
#: What a site writes to, and its code can change at will.
WRITABLE = frozenset({HOME, DATABASE, STORAGE})
# SQLite keeps these beside a database (https://www.sqlite.org/tempfiles.html).
SIDECARS = ("-wal/", "-shm/", "-journal/")
DEEPEST = 100  # folders


class OwnedPath(NamedTuple):
    """A path, without symbolic links and with a slash at its end, that belongs to a site, or to the platform."""

    path: str
    what: str
    site: SiteSpec | None


class Links:
    """Resolves symbolic links. Every folder is looked up once, and nothing below a missing one."""

    def __init__(self) -> None:
        self.known = {"": ("", True)}

    def place(self, path: object, what: str, site: SiteSpec | None) -> OwnedPath:
        return OwnedPath(f"{self.real(str(path))}/", what, site)

    def real(self, path: str) -> str:
        """Return the absolute ``path`` without symbolic links and without a slash at its end."""
        if path.count("/") > DEEPEST:
            return os.path.realpath(path)
        return self.look(path.rstrip("/"))[0]

    def look(self, path: str) -> tuple[str, bool]:
        """Return where ``path`` leads, and whether anything is there."""
        if path not in self.known:
            parent, _, name = path.rpartition("/")
            folder, exists = self.look(parent)
            self.known[path] = self.entry(f"{folder}/{name}") if exists else (f"{folder}/{name}", False)
        return self.known[path]

    @staticmethod
    def entry(path: str) -> tuple[str, bool]:
        try:
            mode = os.lstat(path).st_mode
        except (OSError, ValueError):
            return path, False
        return (os.path.realpath(path).rstrip("/"), True) if stat.S_ISLNK(mode) else (path, True)


def overlap_problems(
    platform: PlatformSpec, sites: Iterable[SiteSpec], protected: Iterable[tuple[str, object]] = ()
) -> Iterator[Problem]:
    """
    Yield a problem for every local file or folder that is inside a folder of another site: uploads are served to
    everyone, and a site can change what it likes in its own folders. ``protected`` are further names and paths of the
    platform that no site may contain or be in.
    """
    links = Links()
    found = sorted(
        chain(platform_places(links, platform, protected), *(site_places(links, platform, site) for site in sites)),
        key=lambda place: place.path,
    )
    above: list[OwnedPath] = []
    for place in found:
        while above and not place.path.startswith(above[-1].path):
            above.pop()
        outer = next((outer for outer in above if is_conflict(place, outer)), None)
        if outer is not None:
            yield same_path_problem(place, outer) if place.path == outer.path else nesting_problem(place, outer)
        above.append(place)
    yield from sidecar_problems(found)


def platform_places(
    links: Links, platform: PlatformSpec, protected: Iterable[tuple[str, object]]
) -> Iterator[OwnedPath]:
    yield links.place(f"{platform.data}/platform.key", "key", None)
    yield links.place(platform.sockets, "folder of sockets", None)
    for what, path in protected:
        yield links.place(path, what, None)


def site_places(links: Links, platform: PlatformSpec, site: SiteSpec) -> Iterator[OwnedPath]:
    home = f"{platform.data}/sites/{site.id}"
    yield links.place(home, HOME, site)
    for what, written in ((DATABASE, site.database.path), (STORAGE, site.storage.path)):
        if written is not None:
            yield written_place(links, home, str(written), what, site)
    for path in code_paths(site):
        yield written_place(links, home, path, CODE, site)
    for secret in find_secrets(site):
        if secret.file is not None:
            yield links.place(secret.file, "secret file", site)
    if site.tls is not None:
        for host in site.hosts if "{hostname}" in site.tls.key else site.hosts[:1]:
            path = site.tls.key.replace("{site}", site.id).replace("{hostname}", host)
            yield links.place(path, "TLS key", site)


def code_paths(site: SiteSpec) -> Iterator[str]:
    """Yield the folders that a site's own code, if it has any, is imported from."""
    for name, value in site.code:
        if name in ("directory", "virtualenv"):
            yield str(value)
        elif name == "pythonpath" and isinstance(value, tuple):
            yield from value


def written_place(links: Links, home: str, path: str, what: str, site: SiteSpec) -> OwnedPath:
    """
    Return a place that a site writes to. Links inside its own folder are not followed: a site could make them to get
    the whole registry refused.
    """
    if path.startswith(f"{home}/"):
        return OwnedPath(f"{links.real(home)}{path[len(home) :]}/", what, site)
    return links.place(path, what, site)


def is_conflict(place: OwnedPath, outer: OwnedPath) -> bool:
    """Return whether ``place`` must not be inside ``outer``."""
    if place.what not in WRITABLE and outer.what not in WRITABLE:
        return False
    if outer.what == CODE and outer.site is place.site:  # a project with its uploads in it
        return False
    return outer.what != HOME or outer.site is not place.site


def sidecar_problems(places: Iterable[OwnedPath]) -> Iterator[Problem]:
    """Yield a problem for every place where SQLite keeps a part of a database."""
    places = tuple(places)
    databases = {place.path: place for place in places if place.what == DATABASE}
    for place in places:
        for beside, sidecar in sidecar_parts(place.path):
            if (database := databases.get(beside)) is not None:
                yield nesting_problem(place, OwnedPath(f"{beside[:-1]}{sidecar}", DATABASE, database.site))


def sidecar_parts(path: str) -> Iterator[tuple[str, str]]:
    """Yield the databases that a path could be a part of, each with the end of the part's name."""
    for sidecar in SIDECARS:
        end = path.find(sidecar)
        while end >= 0:
            yield f"{path[:end]}/", sidecar
            end = path.find(sidecar, end + 1)


def sidecar_paths(path: str) -> Iterator[str]:
    """Yield the databases that a path could be a part of, and the parts that there could be of one at the path."""
    yield from (beside for beside, _ in sidecar_parts(path))
    yield from (f"{path[:-1]}{sidecar}" for sidecar in SIDECARS)


def same_path_problem(place: OwnedPath, outer: OwnedPath) -> Problem:
    if place.site and outer.site and place.site is not outer.site and {place.what, outer.what} <= {DATABASE, STORAGE}:
        return shared_problem("file", place.path[:-1], outer.site, place.site, place.what)
    return nesting_problem(place, outer)


def nesting_problem(place: OwnedPath, outer: OwnedPath) -> Problem:
    # The platform decides where its own places and the sites' folders are; what overlaps with them is reported.
    holder = outer if outer.site and (place.site is None or place.what == HOME) else place
    others = {owner.id for owner in (place.site, outer.site) if owner and owner is not holder.site}
    names = [f"the site {owner.id}" if owner else "the platform" for owner in (place.site, outer.site)]
    return Problem(
        site_label(holder.site, holder.what) if holder.site else "",
        f"The {place.what} {shown(place.path[:-1])} of {names[0]} is inside the {outer.what} of {names[1]}, "
        f"{shown(outer.path[:-1])}; each must have its own place.",
        holder.site.id if holder.site else "",
        next(iter(others), ""),
    )
