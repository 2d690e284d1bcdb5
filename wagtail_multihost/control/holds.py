"""
Holds: someone's wish that nothing is applied, healed or moved for a while, of one site, on one node, or anywhere.

A hold is no part of the registry: it takes no revision and makes no event. Nodes read it with everything else, and a
bell tells them to. It ends by itself, by the database's clock.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.audit import HELD, RELEASED, change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, NotAllowedError, NotNowError, UnknownSiteError
from wagtail_multihost.control.drafts import NO_SITE, is_closed
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.models import OPERATE, VIEW, Hold, ManagedSite, Node, Platform
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.time_lengths import DAY

EVERYTHING = "ALL"
#: Seconds: of an operator's hold, and of one of the people of a site.
LONGEST, LONGEST_OF_SITE = 7 * DAY, DAY
#: Of one site, node, or of everything, at a time.
MOST = 20
#: Days that a hold which has ended stays listed in the database.
KEPT = 30
#: Nodes take each bell for a reason to read, whatever it says.
BELL = json.dumps({"v": 1, "type": "hold.changed"})
OPERATORS = "Only an operator of the platform may hold a node, or everything."
NEEDS_OPERATE = "Only who may operate the site can hold it, or end a hold of it."
OF_OPERATORS = "An operator of the platform made this hold, and only operators end it."
NO_HOLD = "There is no such hold, or it has ended."
IS_CLOSED = "It is disabled or suspended, and only operators of the platform hold it then."
ENDED_BY_CLOSING = "An operator of the platform closed the site."
NO_REASON = "It is missing: people at night must know why."


class Target(NamedTuple):
    """What is held: a ``site``, a ``node``, or, with neither, everything."""

    site: ManagedSite | None = None
    node: Node | None = None

    @property
    def name(self) -> str:
        return self.site.identifier if self.site else self.node.pk if self.node else EVERYTHING


def find_target(authority: Authority, text: str) -> Target:
    """
    Return what a text means: ``ALL``, the id of a site or a node, or, where both have it, ``site:ID`` or ``node:ID``.
    Raises ConfigurationError.
    """
    if text == EVERYTHING:
        return Target()
    kind, _, rest = text.rpartition(":")
    sites = visible_sites(authority).filter(identifier=rest) if kind in ("", "site") else ()
    nodes = Node.objects.filter(pk=rest) if kind in ("", "node") and authority.may_operate else ()
    found = [*(Target(site=site) for site in sites), *(Target(node=node) for node in nodes)]
    if len(found) == 1:
        return found[0]
    message = (
        f"Both a site and a node have the id {shown(rest)}. State site:{rest} or node:{rest}."
        if found
        else f"There is no {kind} {shown(rest)}."
        if kind in ("site", "node")
        else f"There is no site and no node {shown(text)}. State the id of one, or {EVERYTHING}."
    )
    raise ConfigurationError.because(message, where="Hold")


def hold(
    authority: Authority, site: ManagedSite | None = None, node: Node | None = None, *, seconds: int, reason: str
) -> Hold:
    """
    Hold a site, a node, or with neither everything, for so many seconds from now; return the hold. Raises
    NotAllowedError, UnknownSiteError and ConfigurationError.
    """
    target = Target(site, node)
    refuse_target(authority, target)
    if site is not None and site.retired_at is not None:
        raise UnknownSiteError(NO_SITE)
    refuse_wish(authority, target, seconds, reason)
    with transaction.atomic():
        if site is not None and not authority.may_operate:
            refuse_closed(site)
        Hold.objects.filter(until__lt=Now() - timedelta(days=KEPT)).delete()
        if of_target(target).count() >= MOST:
            raise NotNowError.because(f"It is held {MOST} times already. End one of these first.", where="Hold")
        made = Hold.objects.create(
            site=site,
            node=node,
            reason=reason,
            actor=authority.actor,
            is_of_operator=authority.may_operate,
            since=Now(),
            until=Now() + timedelta(seconds=seconds),
        )
        made.refresh_from_db(fields=["since", "until"])
        log_hold(authority, made, HELD, None, made.until.isoformat(timespec="seconds"), reason)
        ring_bell()
    return made


def release_hold(authority: Authority, identifier: UUID, *, reason: str = "") -> Hold:
    """End a hold now; return it. Raises NotAllowedError, and UnknownSiteError for one that may not be seen or ended."""
    refuse_text(reason, "Reason")
    with transaction.atomic():
        found = visible_holds(authority).select_for_update(of=("self",)).filter(pk=identifier).first()
        if found is None:
            raise UnknownSiteError(NO_HOLD)
        refuse_target(authority, Target(found.site, found.node))
        if found.is_of_operator and not authority.may_operate:
            raise NotAllowedError.because(OF_OPERATORS, where="Hold")
        former = found.until
        found.until = Now()
        found.save(update_fields=["until"])
        found.refresh_from_db(fields=["until"])
        log_hold(authority, found, RELEASED, former.isoformat(timespec="seconds"), None, reason)
        ring_bell()
    return found


def release_target(authority: Authority, target: Target, *, reason: str = "") -> list[Hold]:
    """End all holds of a site, a node, or of everything, or none; return them. Raises as above."""
    refuse_target(authority, target)
    with transaction.atomic():
        # Locked first, so that none is ended by somebody else meanwhile.
        found = list(of_target(target).select_for_update(of=("self",)))
        return [release_hold(authority, one.pk, reason=reason) for one in found]


def refuse_closed(site: ManagedSite) -> None:
    """Raise NotAllowedError for a site that is closed, or is just being closed by somebody else."""
    if is_closed(ManagedSite.objects.select_for_update().get(pk=site.pk).record):
        raise NotAllowedError.because(IS_CLOSED, site=site.identifier)


def end_holds_of_people(authority: Authority, sites: Collection[UUID]) -> None:
    """End what the sites' own people hold: they keep no site open that an operator closes, in this transaction."""
    found = current_holds().filter(site__in=sites, is_of_operator=False)
    for one in found.select_for_update(of=("self",)):
        log_hold(authority, one, RELEASED, one.until.isoformat(timespec="seconds"), None, ENDED_BY_CLOSING)
        one.until = Now()
        one.save(update_fields=["until"])


def current_holds() -> QuerySet[Hold]:
    """Return all holds that have not ended, in the order of their ends, with their sites."""
    return Hold.objects.filter(until__gt=Now()).select_related("site", "node").order_by("until")


def visible_holds(authority: Authority) -> QuerySet[Hold]:
    """Return those of them that concern what may be seen: who sees not all learns nothing of nodes."""
    found = current_holds()
    if authority.sees_all:
        return found
    return found.filter(Q(site=None, node=None) | Q(site__in=authority.visible or ()))


def may_release(authority: Authority, found: Hold) -> bool:
    """Return whether someone may end a hold: its own site's people those that no operator has made."""
    if authority.may_operate:
        return True
    return found.site_id is not None and not found.is_of_operator and authority.may(OPERATE, found.site_id)


def holds_on(target: Target) -> QuerySet[Hold]:
    """Return all holds that hold a target: its own, and those of everything."""
    return current_holds().filter(Q(site=target.site, node=target.node) | Q(site=None, node=None))


def of_target(target: Target) -> QuerySet[Hold]:
    return current_holds().filter(site=target.site, node=target.node)


def refuse_target(authority: Authority, target: Target) -> None:
    """Raise an error if who asks may not hold this."""
    if target.site is None:
        if not authority.may_operate:
            raise NotAllowedError.because(OPERATORS, where="Hold")
        return
    if not authority.may(VIEW, target.site.uid):
        raise UnknownSiteError(NO_SITE)
    if not authority.may(OPERATE, target.site.uid):
        raise NotAllowedError.because(NEEDS_OPERATE, site=target.site.identifier)


def refuse_wish(authority: Authority, target: Target, seconds: int, reason: str) -> None:
    """Raise ConfigurationError for a length or a reason that is not accepted, with both problems."""
    most = LONGEST if authority.may_operate else LONGEST_OF_SITE
    site = target.site.identifier if target.site else ""
    problems: list[Problem] = []
    if not 1 <= seconds <= most:
        problems.append(Problem("For", f"It must be at least a second, and at most {most // DAY} d.", site))
    if not reason.strip():
        problems.append(Problem("Reason", NO_REASON, site))
    elif len(reason) > REASON_LENGTH:
        message = f"It has {len(reason)} characters; at most {REASON_LENGTH} are accepted."
        problems.append(Problem("Reason", message, site))
    if problems:
        raise ConfigurationError(problems)
    refuse_text(reason, "Reason")


def log_hold(authority: Authority, made: Hold, action: str, before: str | None, after: str | None, reason: str) -> None:
    subject = made.site or made.node or Platform.objects.get(pk=1)
    log_change(authority, subject, action, [change_row("hold", before, after)], reason=reason, hold=str(made.pk))


def ring_bell() -> None:
    """Tell nodes to read; it is heard when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, BELL])
