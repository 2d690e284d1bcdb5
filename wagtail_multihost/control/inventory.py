"""What sites run: which run a package, or an older version of it, and what is shown of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Func, OuterRef, QuerySet, TextField, Value

from wagtail_multihost.control.models import Inventory, Vulnerability
from wagtail_multihost.control.package_versions import PYTHON, is_older, parse_package, parse_version
from wagtail_multihost.control.releases import Mark, Releases

#: What is shown of each site in lists; the rest is on its own page.
MAIN_PACKAGES = (PYTHON, "django", "wagtail")


class Advisory(NamedTuple):
    """A known vulnerability of a ``package`` as a site has it."""

    package: str
    version: str
    advisory: str
    aliases: tuple[str, ...]
    fixed_in: tuple[str, ...]
    summary: str


class ShownPackage(NamedTuple):
    """A package of a site, with what is to be said of its version."""

    name: str
    version: str
    marks: tuple[Mark, ...]
    advisories: tuple[Advisory, ...]


class SiteInventory(NamedTuple):
    """What a site runs on a ``node``, as of ``seen_at``: ``main`` packages first, then the ``others``."""

    site: UUID
    node: str
    seen_at: datetime
    dropped: int
    main: tuple[ShownPackage, ...]
    others: tuple[ShownPackage, ...]

    @property
    def packages(self) -> tuple[ShownPackage, ...]:
        return (*self.main, *self.others)

    @property
    def advisories(self) -> tuple[Advisory, ...]:
        return tuple(advisory for package in self.packages for advisory in package.advisories)


def version_in(packages: Any, name: Any) -> Func:
    # Not Django's own, which takes a name of digits for a place in a list.
    return Func(packages, name, function="jsonb_extract_path_text", output_field=TextField())


def with_version(package: str) -> QuerySet[Any]:
    """Return what is said of sites that have a package, each with its version as ``stated``."""
    rows = Inventory.objects.order_by()
    if package == PYTHON:
        found: QuerySet[Any] = rows.exclude(python="").annotate(stated=F("python"))
    else:
        found = rows.filter(packages__has_key=package).annotate(stated=version_in(F("packages"), Value(package)))
    return found


def rows_running(package: str, older_than: str = "") -> QuerySet[Any]:
    """
    Return what is said of sites that run a package, or a version of it that is older; raises ValueError for what is no
    name or no version.
    """
    name = parse_package(package)
    limit = parse_version(older_than) if older_than else None
    rows: QuerySet[Any] = with_version(name)
    if limit is None:
        return rows
    # Few versions of a package are in use, and only Python compares them as packages do.
    stated = rows.values_list("stated", flat=True).distinct()
    older: QuerySet[Any] = rows.filter(stated__in=[version for version in stated if is_older(version, limit)])
    return older


def sites_running(sites: QuerySet[Any], package: str, older_than: str = "") -> QuerySet[Any]:
    """Return those of the sites that run it on some node; raises ValueError."""
    found: QuerySet[Any] = sites.filter(Exists(rows_running(package, older_than).filter(site=OuterRef("pk"))))
    return found


def with_main_packages(sites: QuerySet[Any]) -> QuerySet[Any]:
    """Return the sites, each with the versions of the main packages that it runs, as lists named after these."""
    found = {}
    for name in MAIN_PACKAGES:
        own = with_version(name).filter(site=OuterRef("pk")).order_by("stated")
        found[f"runs_{name}"] = ArraySubquery(own.values_list("stated", flat=True).distinct())
    annotated: QuerySet[Any] = sites.annotate(**found, is_vulnerable=is_vulnerable())
    return annotated


def vulnerable_sites(sites: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of the sites that run a version of a package of which a vulnerability is known."""
    found: QuerySet[Any] = sites.filter(is_vulnerable())
    return found


def is_vulnerable() -> Exists:
    stated = version_in(OuterRef("packages"), F("package"))
    rows = Inventory.objects.order_by().filter(Exists(Vulnerability.objects.order_by().filter(version=stated)))
    return Exists(rows.filter(site=OuterRef("pk")))


def find_inventories(sites: Collection[UUID], releases: Releases, today: date) -> dict[UUID, list[SiteInventory]]:
    """Return what each of the sites runs on its nodes, with what is known of the versions."""
    rows = [*Inventory.objects.filter(site__in=sites).order_by("site", "node")]
    names = {name for row in rows for name in row.packages}
    known = advisories_by_version(Vulnerability.objects.filter(package__in=names))
    found: dict[UUID, list[SiteInventory]] = {}
    for row in rows:
        found.setdefault(row.site_id, []).append(show_inventory(row, known, releases, today))
    return found


def advisories_by_version(rows: Iterable[Vulnerability]) -> Mapping[tuple[str, str], tuple[Advisory, ...]]:
    found: dict[tuple[str, str], tuple[Advisory, ...]] = {}
    for row in rows:
        texts = (tuple(map(str, row.aliases)), tuple(map(str, row.fixed_in)), row.summary)
        advisory = Advisory(row.package, row.version, row.advisory, *texts)
        key = (row.package, row.version)
        found[key] = (*found.get(key, ()), advisory)
    return found


def show_inventory(
    row: Inventory,
    known: Mapping[tuple[str, str], tuple[Advisory, ...]],
    releases: Releases,
    today: date,
) -> SiteInventory:
    stated = {**({PYTHON: row.python} if row.python else {}), **{str(k): str(v) for k, v in row.packages.items()}}

    def show(names: Iterable[str]) -> Iterator[ShownPackage]:
        for name in names:
            version = stated[name]
            marks = releases.marks_of(name, version, today)
            yield ShownPackage(name, version, marks, known.get((name, version), ()))

    main = [name for name in MAIN_PACKAGES if name in stated]
    others = sorted(name for name in stated if name not in main)
    return SiteInventory(row.site_id, row.node_id, row.seen_at, row.dropped, tuple(show(main)), tuple(show(others)))
