"""Files that an emitter yields. Yielding writes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from wagtail_multihost.emitters.rendering import load_library, render
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.options import Stated
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.runner import RUNNERS, Runner
from wagtail_multihost.spec.site import SiteSpec

FILE_MODE = 0o644


@cache
def default_options(kind: type[Stated]) -> Stated:
    # Made once: they check themselves when they are made, and each site asks for them.
    return kind()


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """
    A file below the output folder: its relative ``path``, ``text`` and ``mode``. ``site`` is the id of
    the site that it belongs to, blank for a file that all sites share. ``group`` is the name of the group that it is
    given to where root writes it, blank for root's own.
    """

    path: PurePosixPath
    text: str
    mode: int = FILE_MODE
    site: str = ""
    group: str = ""


class RenderedFile(EmittedFile):
    """
    A file whose text is rendered from a ``template`` and ``values`` (quoted already) when it is first asked for. A run
    does not ask if the file on the disk has the seal of the same template and values.
    """

    __slots__ = ("made", "template", "templates", "values")

    template: str
    templates: Path | None
    values: Mapping[str, object]
    made: str | None

    def __init__(
        self,
        path: PurePosixPath,
        template: str,
        values: Mapping[str, object],
        templates: Path | None = None,
        *,
        mode: int = FILE_MODE,
        site: str = "",
        group: str = "",
    ) -> None:
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "templates", templates)
        object.__setattr__(self, "mode", mode)
        object.__setattr__(self, "site", site)
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "made", None)

    @property
    def text(self) -> str:
        """The text, made the first time."""
        made = self.made
        if made is None:
            made = render(self.template, templates=self.templates, **self.values)
            object.__setattr__(self, "made", made)
        return made

    def seal(self, text: str) -> str:
        """
        Return the digest of ``text`` and of everything the file's text is made from: templates, what renders them, and
        values. Blank if that is unknown.
        """
        renders = load_library(self.templates).digest
        try:
            made_of = json.dumps([renders, self.template, self.values])
        except (TypeError, ValueError):  # a value that JSON does not have
            return ""
        return hashlib.sha256(f"{made_of}\n{text}".encode()).hexdigest() if renders else ""


def rendered(file: EmittedFile) -> EmittedFile:
    """Return the file with its text, and without what it is made from."""
    if not isinstance(file, RenderedFile):
        return file
    return EmittedFile(file.path, file.text, file.mode, file.site, file.group)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What an emitter is given: the ``platform``, its enabled ``sites``, the ``codebase``, the ``registry`` as
    the sites' processes open it, and the absolute ``directory`` that the files will be written to. With
    ``only`` set, files of other sites are not rendered; shared files always are. ``node`` is the platform's node
    that the files are for, whose sites ``sites`` are; blank for the front server, and where all is on one machine.
    ``source`` is the registry as the operator's commands open it, blank where that is not known. ``digests`` are those
    of the sites' snapshots, by id, where processes are to be restarted when theirs has changed. ``serving`` are, for
    the front server of nodes that come and go, the names of those that serve each site now, by its id, whatever the
    site states; None where that is not known.
    """

    platform: PlatformSpec
    sites: tuple[SiteSpec, ...]
    codebase: Codebase
    registry: str
    directory: Path
    only: frozenset[str] = frozenset()
    node: str = ""
    source: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    serving: Mapping[str, tuple[str, ...]] | None = None

    def options(self, kind: type[Stated], site: SiteSpec | None = None) -> Stated:
        """Return the options of a target, which ``kind`` declares: a site's own over the platform's or the defaults."""
        shared = self.platform.options_of(kind) or default_options(kind)  # type: ignore[arg-type]  # classes are hashable
        return shared.with_overrides(site.options_of(kind.target)) if site else shared

    @property
    def runner(self) -> Runner:
        """What runs the sites' processes."""
        return RUNNERS[self.platform.runner]

    def request_seconds(self, site: SiteSpec | None = None) -> int:
        """Return how long the runner lets a request take: of the site, or of those that state nothing."""
        return self.runner.request_seconds_of(self.options(self.runner.options, site))

    def codebase_of(self, site: SiteSpec) -> Codebase:
        """Return the code that the site runs: the platform's, or in part its own."""
        return replace(self.codebase, **dict(site.code)) if site.code else self.codebase  # type: ignore[arg-type]

    def render(self, name: str, **values: object) -> str:
        """Return the template ``name``, the integrator's before the package's, with ``values`` (quoted already)."""
        return render(name, templates=self.platform.templates, **values)

    def file(self, path: PurePosixPath, name: str, values: Mapping[str, object], **options: Any) -> RenderedFile:
        """
        Return a file with the text of ``render``, which is skipped if the file on the disk is known to be made from the
        same; ``options`` are the mode, site and group of an ``EmittedFile``.
        """
        return RenderedFile(path, name, values, self.platform.templates, **options)

    def nodes_of(self, site: SiteSpec) -> tuple[str, ...]:
        """Return the names of the nodes that serve the site, sorted; without nodes, or where none serves it, none."""
        stated = site.nodes or tuple(name for name, _ in self.platform.nodes)
        return tuple(sorted(stated if self.serving is None else self.serving.get(site.id, ())))

    @property
    def chosen(self) -> tuple[SiteSpec, ...]:
        """The sites whose own files are rendered."""
        return tuple(site for site in self.sites if not self.only or site.id in self.only)


def listed(sites: Iterable[SiteSpec]) -> str:
    """Return the ids of the first sites, and how many more there are."""
    ids = [site.id for site in sites]
    if len(ids) > 3:
        return f"the sites {', '.join(ids[:3])} and {len(ids) - 3} more"
    return f"the site {ids[0]}" if len(ids) == 1 else f"the sites {', '.join(ids[:-1])} and {ids[-1]}"
