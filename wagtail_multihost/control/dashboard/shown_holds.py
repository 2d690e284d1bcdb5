"""How people see holds: what is held, until when, why and by whom, as far as that is theirs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils.formats import date_format
from django.utils.timezone import localtime

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import node_address, site_address
from wagtail_multihost.control.holds import Target, may_release, visible_holds
from wagtail_multihost.control.models import Hold, ManagedSite
from wagtail_multihost.spec.printing import one_line

#: So many are in the banner of each page.
MOST_IN_BANNER = 5
WHEN = "j F Y, H:i"


class ShownHold(NamedTuple):
    """
    A hold as someone sees it. ``name`` is what is held, ``url`` its page; ``reason`` is blank where it is for operators
    alone.
    """

    hold: Hold
    name: str
    url: str
    who: str
    reason: str
    may_end: bool

    @property
    def words(self) -> str:
        until = f"until {date_format(localtime(self.hold.until), WHEN)} by {self.who}"
        return f"{until}: {self.reason}" if self.reason else until


def show_holds(authority: Authority, holds: Iterable[Hold]) -> list[ShownHold]:
    """Return holds as someone sees them who may: the names of people come in one query."""
    found = list(holds)
    names = names_of_actors(authority, (one.actor for one in found))
    return [
        ShownHold(
            one,
            name_of(Target(one.site, one.node)),
            address_of(one),
            names[one.actor],
            one_line(one.reason) if one.site or authority.is_operator else "",
            may_release(authority, one),
        )
        for one in found
    ]


def name_of(target: Target) -> str:
    """Return what is held, in words."""
    if target.site is not None:
        return f"the site {target.site}"
    return f"the node {target.node}" if target.node is not None else "everything"


def address_of(hold: Hold) -> str:
    """Return the address of the page of what is held; blank if it has none."""
    if hold.site is not None:
        return site_address(hold.site.uid, "deployment") if hold.site.retired_at is None else ""
    return node_address(hold.node.pk) if hold.node is not None else ""


def holds_in_banner(authority: Authority, site: ManagedSite | None = None) -> tuple[list[ShownHold], bool]:
    """
    Return the holds that the banner of a page has, and whether there are more: those of everything first, then those
    of the page's own ``site``, then the ones that end first.
    """
    own = [When(site=site.uid, then=Value(1))] if site is not None else []
    first = When(site=None, node=None, then=Value(0))
    place = Case(first, *own, default=Value(2), output_field=IntegerField())
    found = list(visible_holds(authority).order_by(place, "until")[: MOST_IN_BANNER + 1])
    return show_holds(authority, found[:MOST_IN_BANNER]), len(found) > MOST_IN_BANNER


def holds_of(authority: Authority, target: Target) -> list[ShownHold]:
    """Return the holds of a site or a node, and those of everything."""
    of_it = Q(site=target.site, node=target.node) | Q(site=None, node=None)
    return show_holds(authority, visible_holds(authority).filter(of_it))


def holds_by_node(authority: Authority) -> Mapping[str | None, list[ShownHold]]:
    """Return the holds of nodes by node, and under None those of everything."""
    rows: QuerySet[Hold] = visible_holds(authority).filter(site=None)
    found: dict[str | None, list[ShownHold]] = {}
    for one in show_holds(authority, rows):
        found.setdefault(one.hold.node_id, []).append(one)
    return found
