"""
Silences: someone's wish that nobody is told of incidents for a while, of one site, of one node, or of any. Incidents
are seen all the same, and what is still wrong afterwards is told then. A silence ends by itself.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.audit import SILENCED, UNSILENCED, change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.bells import ring
from wagtail_multihost.control.changes import REASON_LENGTH, NotAllowedError, NotNowError, UnknownSiteError
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.models import OPERATE, VIEW, ManagedSite, Node, Platform, Silence
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.time_lengths import DAY

#: Seconds: of an operator's silence, and of one of the people of a site.
LONGEST, LONGEST_OF_SITE = 30 * DAY, 7 * DAY
#: Of one site, node, or of everything, at a time.
MOST = 20
#: Days that a silence which has ended stays in the database: what was over under it is not told later.
KEPT = 30
OPERATORS = "Only an operator of the platform may silence a node, or everything."
NEEDS_OPERATE = "Only who may operate the site can silence it, or end a silence of it."
OF_OPERATORS = "An operator of the platform made this silence, and only operators end it."
NO_SILENCE = "There is no such silence, or it has ended."
NO_REASON = "It is missing: people must know why they are told nothing."


def silence(
    authority: Authority, site: ManagedSite | None = None, node: Node | None = None, *, seconds: int, reason: str
) -> Silence:
    """
    Silence a site, a node, or with neither everything, for so many seconds from now; return the silence. Raises
    NotAllowedError, NotNowError, UnknownSiteError and ConfigurationError.
    """
    refuse_target(authority, site)
    if site is not None and site.retired_at is not None:
        raise UnknownSiteError(NO_SITE)
    refuse_wish(authority, site, seconds, reason)
    name = node.pk if node is not None else ""
    with transaction.atomic():
        Silence.objects.filter(until__lt=Now() - timedelta(days=KEPT)).delete()
        if current_silences().filter(site=site, node=name).count() >= MOST:
            raise NotNowError.because(f"It is silenced {MOST} times already. End one of these first.", where="Silence")
        made = Silence.objects.create(
            site=site,
            node=name,
            reason=reason,
            actor=authority.actor,
            is_of_operator=authority.may_operate,
            since=Now(),
            until=Now() + timedelta(seconds=seconds),
        )
        made.refresh_from_db(fields=["since", "until"])
        log_silence(authority, made, SILENCED, None, made.until.isoformat(timespec="seconds"), reason)
    return made


def end_silence(authority: Authority, identifier: UUID, *, reason: str = "") -> Silence:
    """End a silence now; return it. Raises NotAllowedError, and UnknownSiteError for one that may not be seen."""
    refuse_text(reason, "Reason")
    with transaction.atomic():
        found = visible_silences(authority).select_for_update(of=("self",)).filter(pk=identifier).first()
        if found is None:
            raise UnknownSiteError(NO_SILENCE)
        refuse_target(authority, found.site)
        if found.is_of_operator and not authority.may_operate:
            raise NotAllowedError.because(OF_OPERATORS, where="Silence")
        former = found.until
        found.until = Now()
        found.save(update_fields=["until"])
        found.refresh_from_db(fields=["until"])
        log_silence(authority, found, UNSILENCED, former.isoformat(timespec="seconds"), None, reason)
        ring()
    return found


def current_silences() -> QuerySet[Silence]:
    """Return all silences that have not ended, in the order of their ends, with their sites."""
    return Silence.objects.filter(until__gt=Now()).select_related("site").order_by("until")


def visible_silences(authority: Authority) -> QuerySet[Silence]:
    """Return those of them that concern what may be seen: who sees not all learns nothing of nodes."""
    found = current_silences()
    if authority.sees_all:
        return found
    return found.filter(Q(site=None, node="") | Q(site__in=authority.visible or ()))


def may_end(authority: Authority, found: Silence) -> bool:
    """Return whether someone may end a silence: its own site's people those that no operator has made."""
    if authority.may_operate:
        return True
    return found.site_id is not None and not found.is_of_operator and authority.may(OPERATE, found.site_id)


def refuse_target(authority: Authority, site: ManagedSite | None) -> None:
    """Raise an error if who asks may not silence this: a site, or, without one, a node or everything."""
    if site is None:
        if not authority.may_operate:
            raise NotAllowedError.because(OPERATORS, where="Silence")
        return
    if not authority.may(VIEW, site.uid):
        raise UnknownSiteError(NO_SITE)
    if not authority.may(OPERATE, site.uid):
        raise NotAllowedError.because(NEEDS_OPERATE, site=site.identifier)


def refuse_wish(authority: Authority, site: ManagedSite | None, seconds: int, reason: str) -> None:
    """Raise ConfigurationError for a length or a reason that is not accepted, with both problems."""
    most = LONGEST if authority.may_operate else LONGEST_OF_SITE
    name = site.identifier if site else ""
    problems: list[Problem] = []
    if not 1 <= seconds <= most:
        problems.append(Problem("For", f"It must be at least a second, and at most {most // DAY} d.", name))
    if not reason.strip():
        problems.append(Problem("Reason", NO_REASON, name))
    elif len(reason) > REASON_LENGTH:
        message = f"It has {len(reason)} characters; at most {REASON_LENGTH} are accepted."
        problems.append(Problem("Reason", message, name))
    if problems:
        raise ConfigurationError(problems)
    refuse_text(reason, "Reason")


def log_silence(
    authority: Authority, made: Silence, action: str, before: str | None, after: str | None, reason: str
) -> None:
    subject = made.site or Node.objects.filter(pk=made.node).first() or Platform.objects.get(pk=1)
    log_change(authority, subject, action, [change_row("silence", before, after)], reason=reason, silence=str(made.pk))
