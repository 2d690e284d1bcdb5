"""How this node's sites are, as far as the monitor beside it says, and which of them are barred from healing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from wagtail_multihost.node.healing import UNSEEN, Sight, judge
from wagtail_multihost.node.reading import Table
from wagtail_multihost.nodeapi.heal_steps import IS_HELD, NODE_NOT_ACTIVE, NOT_ACTIVE, UNKNOWN_SITE
from wagtail_multihost.nodeapi.node_states import ACTIVE
from wagtail_multihost.nodeapi.probe_files import Observed
from wagtail_multihost.spec.site import STATES, SiteSpec


class Standing(NamedTuple):
    """
    What this node serves: the specs of its ``sites``, the ``tables`` that the registry has of them, and its own
    ``state``. Nothing is done for those that are ``held``, and nothing for any while ``is_held``; nor for those that
    are ``starting``.
    """

    sites: Mapping[str, SiteSpec]
    tables: Mapping[str, Table]
    state: str
    held: Collection[str] = ()
    is_held: bool = False
    starting: Collection[str] = ()


def find_sights(standing: Standing, observed: Observed | None) -> dict[str, Sight]:
    """Return how each enabled site is; all are unseen if the monitor says nothing of now."""
    told = {one.hostname: one for one in observed.observations} if observed else {}
    found = {}
    for name, site in standing.sites.items():
        if not site.enabled:
            continue
        observation = told.get(site.hostnames[0])
        table = standing.tables.get(name, {})
        found[name] = Sight(
            judge(observation) if observed else UNSEEN,
            observation.since if observation else 0.0,
            observed.at if observed else 0.0,
            str(site.uid),
            int(table.get("generation", 0)),
            bar_of(standing, name, site),
        )
    return found


def bar_of(standing: Standing, name: str, site: SiteSpec) -> str:
    """Return why nothing is done for a site, whatever the database says; blank where nothing bars it."""
    if standing.is_held or name in standing.held:
        return IS_HELD
    if standing.state != ACTIVE:
        return NODE_NOT_ACTIVE
    if site.state != STATES[0]:
        return NOT_ACTIVE
    table = standing.tables.get(name)
    if table is None or str(table.get("uid")) != str(site.uid):
        return UNKNOWN_SITE
    return NODE_NOT_ACTIVE if name in standing.starting else ""
