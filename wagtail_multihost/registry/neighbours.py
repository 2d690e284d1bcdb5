"""
Which sites could share something with some others. Where all the rest was compared before, only these are compared
again: whatever ``uniqueness`` and ``places`` find among all sites, they find among these.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.registry.places import Links, sidecar_paths, site_places
from wagtail_multihost.registry.uniqueness import compared_parts, marks_of, prefixes_of, rival_marks_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec


class Traits(NamedTuple):
    """
    What a site has: ``marks`` that no other may have, and ``texts`` that no other's may start with; and the ``rivals``,
    marks of others alone.
    """

    spec: SiteSpec
    marks: frozenset[str]
    texts: frozenset[str]
    rivals: frozenset[str]


class Neighbours:
    """The sites of a node, by what they have. Paths are looked up once, when a site's spec is another one."""

    def __init__(self) -> None:
        self.data: Path | None = None
        self.known: dict[str, Traits] = {}
        #: The ids of the sites that have a mark or a text, and all of the texts in order.
        self.owners: dict[str, tuple[str, ...]] = {}
        self.texts: list[str] = []

    def follow(self, platform: PlatformSpec, sites: Mapping[str, SiteSpec]) -> None:
        """Know these sites, and no others."""
        is_other = platform.data != self.data
        for site in [site for site, known in self.known.items() if is_other or sites.get(site) is not known.spec]:
            self.remove(site)
        self.data = platform.data
        links = Links()
        for site, spec in sites.items():
            if site not in self.known:
                self.add(site, traits_of(links, platform, spec))

    def add(self, site: str, traits: Traits) -> None:
        self.known[site] = traits
        for text in traits.texts - self.owners.keys():
            insort(self.texts, text)
        for name in traits.marks | traits.texts:
            self.owners[name] = (*self.owners.get(name, ()), site)

    def remove(self, site: str) -> None:
        traits = self.known.pop(site)
        for name in traits.marks | traits.texts:
            self.owners[name] = tuple(owner for owner in self.owners[name] if owner != site)
            if not self.owners[name]:
                del self.owners[name]
        for text in traits.texts - self.owners.keys():
            del self.texts[bisect_left(self.texts, text)]

    def near(self, sites: Iterable[str]) -> set[str]:
        """Return the ids of the sites, and of all that could share something with one of them."""
        names = {name for site in sites if site in self.known for name in self.asked_for(self.known[site])}
        return {owner for name in names for owner in self.owners.get(name, ())}

    def asked_for(self, traits: Traits) -> Iterator[str]:
        """Yield the marks and texts of others that a site must not meet."""
        yield from traits.marks | traits.rivals
        for own in traits.texts:
            for text in (own, *sidecar_paths(own)):
                # Those that it starts with, and those that start with it.
                yield from (text[:end] for end in range(len(text)))
                start = bisect_left(self.texts, text)
                while start < len(self.texts) and self.texts[start].startswith(text):
                    yield self.texts[start]
                    start += 1


def traits_of(links: Links, platform: PlatformSpec, site: SiteSpec) -> Traits:
    parts = compared_parts(site)
    texts = {*prefixes_of(parts), *(place.path for place in site_places(links, platform, site))}
    return Traits(site, frozenset(marks_of(parts)), frozenset(texts), frozenset(rival_marks_of(parts)))
