"""
Recipients of alerts: who is told of incidents, of which sites and kinds. Only operators of the platform have them. A
recipient is a label here; its addresses are in a file of the courier's own account, and no process of the web knows
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Now

from wagtail_multihost.control.audit import RECIPIENT_DELETED, RECIPIENT_SAVED, change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.bells import ring
from wagtail_multihost.control.changes import NotAllowedError, NotNowError, StaleRecordError
from wagtail_multihost.control.models import Alert, ManagedSite, Recipient
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.nodeapi.alerts_v1 import LABEL_LENGTH, MOST_LABELS
from wagtail_multihost.nodeapi.incident_words import KINDS
from wagtail_multihost.spec.identifiers import parse_slug, shown

MOST_SITES = 1_000
OPERATORS = "Only an operator of the platform may see and change recipients of alerts."
NO_RECIPIENT = "There is no such recipient."
TOO_MANY = f"There are {MOST_LABELS} recipients already, which is the most."
NOT_SITES = f"They must be the ids of at least one site, and of {MOST_SITES} at most; state none at all for all sites."
UNKNOWN_KINDS = "There are no incidents of the kind {found}; accepted: {accepted}."


class UnknownRecipientError(MultihostError):
    """There is no such recipient."""


class StaleRecipientError(StaleRecordError):
    """A recipient was changed since it was read."""


def list_recipients(authority: Authority) -> QuerySet[Recipient]:
    """Return all recipients, each with how many alerts wait (``waiting``) and when the last one was sent."""
    refuse_readers(authority)
    return Recipient.objects.annotate(
        waiting=Count("alerts", filter=Q(alerts__ended_at=None)), sent_at=Max("alerts__sent_at")
    ).order_by("label")


def get_recipient(authority: Authority, label: str) -> Recipient:
    """Return a recipient with the same numbers; raises UnknownRecipientError."""
    found = list_recipients(authority).filter(pk=label).first()
    if found is None:
        raise UnknownRecipientError(NO_RECIPIENT)
    return found


def save_recipient(
    authority: Authority,
    label: str,
    *,
    sites: Sequence[str] | None = None,
    kinds: Sequence[str] = (),
    is_active: bool = True,
    expected: int | None = None,
    reason: str = "",
) -> Recipient:
    """
    Make a recipient, who is told of what begins from now on, or change one. ``sites`` are ids; None for all, and for
    nodes and processes too. It must have the ``expected`` generation. Raises ConfigurationError with all problems,
    NotAllowedError, NotNowError and StaleRecipientError.
    """
    refuse_others(authority)
    refuse_text(reason, "reason")
    uids = refuse_values(label, sites, kinds)
    with transaction.atomic():
        row = Recipient.objects.select_for_update().filter(pk=label).first()
        if expected is not None and (row.generation if row else 0) != expected:
            raise StaleRecipientError(row.generation if row else 0, expected)
        before = values_of(row) if row is not None else {}
        if row is None:
            if Recipient.objects.count() >= MOST_LABELS:
                raise NotNowError.because(TOO_MANY, where="label")
            row = Recipient(label=label, actor=authority.actor, made_at=Now())
        row.sites, row.kinds, row.is_active = uids, list(kinds), is_active
        after = values_of(row)
        row.generation += bool(before) and after != before
        row.save(update_fields=[*after, "generation"] if before else None)
        rows = [change_row(key, before.get(key), value) for key, value in after.items() if before.get(key) != value]
        if rows or not before:
            log_change(authority, row, RECIPIENT_SAVED, rows, reason=reason)
    return get_recipient(authority, label)


def delete_recipient(authority: Authority, label: str, *, expected: int | None = None, reason: str = "") -> None:
    """
    Delete a recipient, with what waits for it. It must have the ``expected`` generation. Raises NotAllowedError,
    UnknownRecipientError and StaleRecipientError.
    """
    refuse_others(authority)
    refuse_text(reason, "reason")
    with transaction.atomic():
        row = lock_recipient(label, expected)
        log_change(authority, row, RECIPIENT_DELETED, reason=reason)
        row.delete()


def want_test(authority: Authority, label: str) -> None:
    """Let the courier send a message without an incident. Raises NotAllowedError and UnknownRecipientError."""
    refuse_others(authority)
    with transaction.atomic():
        row = lock_recipient(label)
        row.test_wanted_at = Now()
        row.save(update_fields=["test_wanted_at"])
        ring()


def lock_recipient(label: str, expected: int | None = None) -> Recipient:
    found = Recipient.objects.select_for_update().filter(pk=label).first()
    if found is None:
        raise UnknownRecipientError(NO_RECIPIENT)
    if expected is not None and found.generation != expected:
        raise StaleRecipientError(found.generation, expected)
    return found


def list_alerts(authority: Authority, recipient: Recipient) -> QuerySet[Alert]:
    """Return the alerts to a recipient, the latest first."""
    refuse_readers(authority)
    return Alert.objects.filter(recipient=recipient).order_by("-made_at", "-pk")


def names_of_sites(recipients: Sequence[Recipient]) -> dict[str, str]:
    """Return the ids of the sites that recipients are told of, by their uids, in one query."""
    wanted = {uid for one in recipients for uid in one.sites or ()}
    found = ManagedSite.objects.filter(uid__in=wanted).values_list("uid", "identifier")
    return {str(uid): identifier for uid, identifier in found} if wanted else {}


def refuse_readers(authority: Authority) -> None:
    if not authority.sees_all:
        raise NotAllowedError.because(OPERATORS, where="Recipients")


def refuse_others(authority: Authority) -> None:
    if not authority.may_operate:
        raise NotAllowedError.because(OPERATORS, where="Recipients")


def refuse_values(label: str, sites: Sequence[str] | None, kinds: Sequence[str]) -> list[str] | None:
    """Return the uids of the sites; raises ConfigurationError for values that a recipient cannot have."""
    problems = []
    try:
        parse_slug(label, what="The label", length=LABEL_LENGTH)
    except ValueError as error:
        problems.append(Problem("label", str(error)))
    if unknown := [shown(one) for one in kinds if one not in KINDS]:
        sentence = UNKNOWN_KINDS.format(found=", ".join(unknown), accepted=", ".join(KINDS))
        problems.append(Problem("kinds", sentence))
    found: dict[str, UUID] = {}
    if sites is not None and not 1 <= len(sites) <= MOST_SITES:
        problems.append(Problem("sites", NOT_SITES))
    elif sites is not None:
        rows = ManagedSite.objects.filter(retired_at=None, identifier__in=sites)
        found = dict(rows.values_list("identifier", "uid"))
        problems += [Problem("sites", f"There is no site {shown(one)}.") for one in sites if one not in found]
    if problems:
        raise ConfigurationError(problems)
    return None if sites is None else sorted(str(uid) for uid in found.values())


def values_of(recipient: Recipient) -> dict[str, object]:
    return {"sites": recipient.sites, "kinds": recipient.kinds, "is_active": recipient.is_active}
