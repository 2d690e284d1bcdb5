"""Placing one site by hand: what plans leave to people, such as a site whose data was restored on another node."""

from __future__ import annotations

from django.db import transaction

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotNowError, UnknownSiteError
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.models import ManagedSite, Placement
from wagtail_multihost.control.node_rules import asked_placements
from wagtail_multihost.control.nodes import displace_sites, is_silent, place_sites, refuse_others
from wagtail_multihost.control.placing.wishes import read_wishes
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.control.texts import refuse_text

ALONE = "It has a part of its own on its node, and is placed on {node}. Take it from there first."
LAST = "No other node serves it. Place it on another one first, or disable it."


def place_by_hand(authority: Authority, site: ManagedSite, node: str, *, reason: str = "") -> None:
    """
    Place a site on a node, which is nothing new where it is placed already. Raises NotNowError where it cannot be on
    two nodes, ConfigurationError for a node that it cannot be on, NotAllowedError and UnknownSiteError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        lock_head()
        refuse_retired(site)
        placed = list(Placement.objects.filter(site=site, is_gone=False).values_list("node_id", flat=True))
        if node in placed:
            return
        if placed and any(wish.is_local for wish in read_wishes([site.uid])):
            raise NotNowError.because(
                ALONE.format(node=placed[0]), where=f"Site {site.identifier}", site=site.identifier
            )
        place_sites(authority, node, [site], reason=reason)


def take_by_hand(authority: Authority, site: ManagedSite, node: str, *, reason: str = "") -> None:
    """
    Take a site from a node, at once. Raises NotNowError where an enabled site would be served by no node (what a
    silent one serves nobody knows), NotAllowedError and UnknownSiteError.
    """
    refuse_others(authority)
    refuse_text(reason, "Reason")
    with transaction.atomic():
        now = lock_head().now
        refuse_retired(site)
        if not Placement.objects.filter(site=site, node=node, is_gone=False).exists():
            return
        others = asked_placements().filter(site=site).exclude(node=node)
        if site.enabled and not is_silent(node, now) and not others.exists():
            raise NotNowError.because(LAST, where=f"Site {site.identifier}", site=site.identifier)
        displace_sites(authority, node, [site], reason=reason)


def refuse_retired(site: ManagedSite) -> None:
    """Read again what a site is, now that nobody changes it; raise UnknownSiteError if it is no more."""
    site.refresh_from_db(fields=["enabled", "retired_at"])
    if site.retired_at is not None:
        raise UnknownSiteError(NO_SITE)
