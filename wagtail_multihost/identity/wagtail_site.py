"""
Wagtail's ``Site`` rows, of which the default one has the site's canonical hostname.

Rows are read and written without their other columns and without signals: migrations may still be missing,
and a receiver of Wagtail's needs the cache, which need not be up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from django.apps import apps
from django.db import connections

from wagtail_multihost.identity.own import OwnIdentity
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.origins import origins_of, port_of
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.site import SiteSpec

#: What Wagtail's first migration makes, and also the migrations of projects made by ``wagtail start``.
INITIAL = ("localhost", 80)
FIELDS = ("pk", "hostname", "port", "is_default_site")
MOST_SHOWN = 5

logger = logging.getLogger("wagtail_multihost.identity")


class SiteRow(NamedTuple):
    """The columns of a Site row that matter here."""

    pk: int
    hostname: str
    port: int
    is_default: bool

    @property
    def address(self) -> str:
        return one_line(f"{self.hostname}:{self.port}")  # the site writes it


class SiteRowStep(NamedTuple):
    """New values of the row ``pk``."""

    pk: int
    values: dict[str, object]
    line: str


class SiteRowPlan(NamedTuple):
    """The changes to the rows: ``steps`` to take, ``kept`` rows, or the ``problem`` for which nothing is done."""

    steps: tuple[SiteRowStep, ...] = ()
    kept: tuple[SiteRow, ...] = ()
    problem: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(step.line for step in self.steps)


def canonical_address(own: OwnIdentity) -> tuple[str, int]:
    """Return the hostname and the port of the site's canonical origin."""
    return own.site.canonical, port_of(origins_of(own.platform, own.site)[0])


def site_rows(using: str) -> tuple[SiteRow, ...] | None:
    """Return all Site rows; None where Wagtail or its table is missing."""
    if not apps.is_installed("wagtail"):
        return None
    from wagtail.models import Site  # Wagtail may be missing

    if Site._meta.db_table not in connections[using].introspection.table_names():
        return None
    return tuple(SiteRow(*values) for values in Site._base_manager.using(using).order_by("pk").values_list(*FIELDS))


def hostnames_of_others(site: SiteSpec, found: Sequence[SiteRow]) -> list[str]:
    """Return the hostnames of the rows that the site does not have, as in a copy of another site's database."""
    own = {*site.hosts, INITIAL[0]}
    return [row.hostname for row in found if row.hostname.lower() not in own]


def is_canonical(wanted: tuple[str, int], found: Sequence[SiteRow]) -> bool:
    """Return whether the one default row has the hostname and port ``wanted``."""
    return [(row.hostname.lower(), row.port) for row in found if row.is_default] == [wanted]


def first_plan(own: OwnIdentity, found: Sequence[SiteRow]) -> SiteRowPlan:
    """
    Return what the first claim of a database does with its rows: the only one gets the site's hostname and port if its
    hostname is one of the site's, whatever its port. Nothing is done to several, or to another site's.
    """
    wanted = canonical_address(own)
    plan = plan_for(wanted, found)
    if plan.problem or not plan.steps:
        return plan
    address, how = "{}:{}".format(*wanted), f"Look at it: manage.py multihost_hostname {own.site.id} --dry-run"
    if len(found) > 1:
        named = ", ".join(row.address for row in found[:MOST_SHOWN])
        return SiteRowPlan(
            problem=f"There are {len(found)} Site rows ({named}), and the default is not {address}. {how}"
        )
    if others := hostnames_of_others(own.site, found):
        return SiteRowPlan(
            problem=f"The Site row has the hostname {shown(others[0])}, which the site {own.site.id} does not have, as "
            f"in another site's database. If it is the site's own: manage.py multihost_hostname {own.site.id}"
        )
    return plan


def is_untouched(found: Sequence[SiteRow]) -> bool:
    """Return whether there is nothing but the row that migrations make."""
    return [row[1:] for row in found] == [(*INITIAL, True)]


def plan_for(wanted: tuple[str, int], found: Sequence[SiteRow] | None) -> SiteRowPlan:
    """
    Return the steps that give the default row the hostname and port ``wanted``. Where another row has them already,
    that one becomes the default, because visitors of the hostname see its pages now. No row is deleted.
    """
    if found is None:
        return SiteRowPlan(problem="There is no table of Site rows. Run first: manage.py multihost_as SITE migrate")
    address = "{}:{}".format(*wanted)
    defaults = [row for row in found if row.is_default]
    named = next((row for row in found if (row.hostname, row.port) == wanted), None)
    if len(defaults) > 1:
        return SiteRowPlan(problem=f"{len(defaults)} Site rows are marked as the default. Keep one, in the admin.")
    if named is None and not defaults:
        return SiteRowPlan(problem="No Site row is marked as the default. Create or mark one in the admin.")
    if named is None:
        (row,) = defaults
        step = SiteRowStep(
            row.pk, {"hostname": wanted[0], "port": wanted[1]}, f"Site row {row.address} becomes {address}."
        )
        return SiteRowPlan((step,), tuple(other for other in found if other != row))
    steps = [
        SiteRowStep(row.pk, {"is_default_site": False}, f"Site row {row.address} is no longer the default.")
        for row in defaults
        if row != named
    ]
    if not named.is_default:
        steps.append(SiteRowStep(named.pk, {"is_default_site": True}, f"Site row {address} becomes the default."))
    return SiteRowPlan(tuple(steps), tuple(other for other in found if other not in (named, *defaults)))


def take_steps(plan: SiteRowPlan, using: str) -> None:
    """Take the steps of a plan."""
    if not plan.steps:
        return
    from wagtail.models import Site

    for step in plan.steps:
        Site._base_manager.using(using).filter(pk=step.pk).update(**step.values)


def forget_root_paths() -> bool:
    """Empty Wagtail's cache of the rows; return whether the cache could be reached."""
    from wagtail.models import Site

    try:
        Site.clear_site_root_paths_cache()
    except Exception:  # each cache server's client has its own errors
        logger.warning("The cache cannot be reached; Wagtail may use old addresses for an hour.", exc_info=True)
        return False
    return True
