"""
Webhooks: addresses of integrators that the courier tells of events. Only operators of the platform have them, since
they are told of every site.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from wagtail_multihost.control.audit import WEBHOOK_DELETED, WEBHOOK_SAVED, change_row, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.bells import ring
from wagtail_multihost.control.changes import NotAllowedError, NotNowError, StaleRecordError
from wagtail_multihost.control.models import CourierKey, Head, Webhook, WebhookDelivery
from wagtail_multihost.control.texts import can_be_kept, refuse_text
from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.http_client.client import NoAnswerError, Target
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES
from wagtail_multihost.nodeapi.webhooks_v1 import TEST_REVISION, TEST_TYPE
from wagtail_multihost.spec.identifiers import shown

MOST = 20
URL_LENGTH, TYPE_LENGTH, MOST_TYPES = 500, 40, 50
SCHEMES = ("https", "http")
OPERATORS = "Only an operator of the platform may see and change webhooks."
NO_WEBHOOK = "There is no such webhook."
TOO_MANY = f"There are {MOST} webhooks already, which is the most."
NOT_A_URL = "It must be an address such as https://hooks.example.org/multihost, without a user and without a fragment."
NOT_TYPES = (
    f"They must be at most {MOST_TYPES} types of events, such as site.changed, of up to {TYPE_LENGTH} characters."
)
UNKNOWN_TYPES = "There are no events of the type {found}; accepted: {accepted}."


class UnknownWebhookError(MultihostError):
    """There is no such webhook."""


class StaleWebhookError(StaleRecordError):
    """A webhook was changed since it was read."""


def list_webhooks(authority: Authority) -> QuerySet[Webhook]:
    """Return all webhooks, each with how many events wait for it (``waiting``) and when the last one arrived."""
    refuse_readers(authority)
    return Webhook.objects.annotate(
        waiting=Count("deliveries", filter=Q(deliveries__delivered_at=None, deliveries__revision__gt=TEST_REVISION)),
        arrived_at=Max("deliveries__delivered_at"),
    ).order_by("made_at", "pk")


def get_webhook(authority: Authority, identifier: UUID) -> Webhook:
    """Return a webhook with the same numbers; raises UnknownWebhookError."""
    found = list_webhooks(authority).filter(pk=identifier).first()
    if found is None:
        raise UnknownWebhookError(NO_WEBHOOK)
    return found


def save_webhook(
    authority: Authority,
    url: str,
    types: Sequence[str] = (),
    *,
    webhook: Webhook | None = None,
    is_active: bool = True,
    expected: int | None = None,
    reason: str = "",
) -> Webhook:
    """
    Make a webhook, which is told of what happens from now on, or change one. One that was paused and is active again is
    told of everything that happened meanwhile. It must have the ``expected`` generation. Raises ConfigurationError with
    all problems, NotNowError, NotAllowedError, UnknownWebhookError and StaleWebhookError.
    """
    refuse_others(authority)
    refuse_text(reason, "reason")
    refuse_values(url, types, types_of(webhook) if webhook is not None else ())
    with transaction.atomic():
        if webhook is None:
            if Webhook.objects.count() >= MOST:
                raise NotNowError.because(TOO_MANY, where="url")
            row, before = Webhook(actor=authority.actor, queued=Head.objects.get(pk=1).revision), {}
        else:
            row = lock_webhook(webhook, expected)
            before = values_of(row)
        if is_active and not row.is_active:
            row.problem = ""
            row.deliveries.filter(delivered_at=None).update(attempts=0, due_at=timezone.now())
        row.url, row.types, row.is_active = url, list(types), is_active
        after = values_of(row)
        row.generation += bool(before) and after != before
        row.save(update_fields=None if webhook is None else [*before, "generation", "problem"])
        rows = [change_row(key, before.get(key), value) for key, value in after.items() if before.get(key) != value]
        if rows:
            log_change(authority, row, WEBHOOK_SAVED, rows, reason=reason)
    return row


def delete_webhook(authority: Authority, webhook: Webhook, *, expected: int | None = None, reason: str = "") -> None:
    """
    Delete a webhook, with what waits for it. It must have the ``expected`` generation. Raises NotAllowedError,
    UnknownWebhookError and StaleWebhookError.
    """
    refuse_others(authority)
    refuse_text(reason, "reason")
    with transaction.atomic():
        row = lock_webhook(webhook, expected)
        log_change(authority, row, WEBHOOK_DELETED, reason=reason)
        row.delete()


def lock_webhook(webhook: Webhook, expected: int | None = None) -> Webhook:
    """
    Return the row as it is, which nobody else changes until the transaction ends: the courier makes deliveries of it
    meanwhile, and counts on in it. Raises UnknownWebhookError, and StaleWebhookError unless it has the ``expected``
    generation.
    """
    found = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if found is None:
        raise UnknownWebhookError(NO_WEBHOOK)
    if expected is not None and found.generation != expected:
        raise StaleWebhookError(found.generation, expected)
    return found


def send_test(authority: Authority, webhook: Webhook) -> WebhookDelivery:
    """
    Let the courier send a message without an event, once, also to a webhook that is paused. Raises NotAllowedError and
    UnknownWebhookError.
    """
    refuse_others(authority)
    with transaction.atomic():
        lock_webhook(webhook)
        WebhookDelivery.objects.filter(webhook=webhook, revision=TEST_REVISION).delete()
        now = timezone.now()
        body = {"v": 1, "revision": TEST_REVISION, "type": TEST_TYPE, "at": now.isoformat(timespec="milliseconds")}
        delivery = WebhookDelivery.objects.create(webhook=webhook, revision=TEST_REVISION, body=body, due_at=now)
        ring()
        return delivery


def list_deliveries(authority: Authority, webhook: Webhook) -> QuerySet[WebhookDelivery]:
    """Return the latest deliveries of a webhook first: those that wait, and those of some days that arrived."""
    refuse_readers(authority)
    return WebhookDelivery.objects.filter(webhook=webhook).order_by("-revision")


def list_courier_keys(authority: Authority) -> QuerySet[CourierKey]:
    """Return the public keys that couriers have signed with within some days, the one of the latest first."""
    refuse_readers(authority)
    return CourierKey.objects.all()


def refuse_readers(authority: Authority) -> None:
    if not authority.sees_all:
        raise NotAllowedError.because(OPERATORS, where="Webhooks")


def refuse_others(authority: Authority) -> None:
    if not authority.may_operate:
        raise NotAllowedError.because(OPERATORS, where="Webhooks")


def refuse_values(url: str, types: Sequence[str], kept: Collection[str]) -> None:
    """Raise ConfigurationError for values that a webhook cannot have; types that it has already are ``kept``."""
    problems = []
    if not is_address(url):
        problems.append(Problem("url", NOT_A_URL))
    if len(types) > MOST_TYPES or not all(one and len(one) <= TYPE_LENGTH and can_be_kept(one) for one in types):
        problems.append(Problem("types", NOT_TYPES))
    elif unknown := [shown(one) for one in types if one not in EVENT_TYPES and one not in kept]:
        sentence = UNKNOWN_TYPES.format(found=", ".join(unknown), accepted=", ".join(EVENT_TYPES))
        problems.append(Problem("types", sentence))
    if problems:
        raise ConfigurationError(problems)


def types_of(webhook: Webhook) -> list[str]:
    """Return the types that a webhook is told of; none stands for all. A later version may have stated others."""
    return [str(name) for name in webhook.types] if isinstance(webhook.types, list) else []


def is_address(url: str) -> bool:
    """Return whether the courier could ask this; it looks again, at what the name leads to as well."""
    if len(url) > URL_LENGTH or not url.isascii() or not url.isprintable() or "#" in url or " " in url:
        return False
    try:
        target = Target(url, takes_query=True)
    except NoAnswerError:
        return False
    return target.scheme in SCHEMES and not target.socket


def values_of(webhook: Webhook) -> dict[str, object]:
    return {"url": webhook.url, "types": webhook.types, "is_active": webhook.is_active}
