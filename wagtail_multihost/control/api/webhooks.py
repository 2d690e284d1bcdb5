"""Webhooks: for operators of the platform alone; to others there are none."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in, refuse_unseeing
from wagtail_multihost.control.api.conditions import NOT_READ, IfMatch, etag_of, expected_generation
from wagtail_multihost.control.api.notes import Before
from wagtail_multihost.control.api.problems import PRECONDITION_REQUIRED, RefusedRequestError
from wagtail_multihost.control.api.schemas import (
    DeliveryOut,
    DeliveryPage,
    TestSent,
    WebhookBody,
    WebhookChanged,
    WebhookDeleted,
    WebhookKeyList,
    WebhookKeyOut,
    WebhookList,
    WebhookOut,
)
from wagtail_multihost.control.api.texts import Limit, ReasonInQuery
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import Webhook, WebhookDelivery
from wagtail_multihost.control.webhooks import (
    delete_webhook,
    get_webhook,
    list_courier_keys,
    list_deliveries,
    list_webhooks,
    save_webhook,
    send_test,
    values_of,
)

router = Router(tags=["Webhooks"])
WebhookId = Annotated[UUID, Path(description="The id of the webhook.")]
ONE = "/webhooks/{webhook}"


def operator_in(request: HttpRequest) -> Authority:
    """Return who asks; to those who do not see all sites, nothing of this is there."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    return authority


@router.get("/webhooks", operation_id="list_webhooks", summary="List webhooks", response=answers(WebhookList, 404))
def read_webhooks(request: HttpRequest) -> WebhookList:
    """The oldest come first."""
    found = list_webhooks(operator_in(request))
    return WebhookList(webhooks=[WebhookOut.from_orm(one) for one in found])


@router.post(
    "/webhooks",
    operation_id="add_webhook",
    summary="Add a webhook",
    response=answers(WebhookChanged, 404, 409, *WITH_BODY, status=201),
)
def add_webhook(request: HttpRequest, response: HttpResponse, body: WebhookBody) -> Status[WebhookChanged]:
    """It is told of what happens from now on."""
    authority = operator_in(request)
    made = save_webhook(authority, body.url, body.types, is_active=body.is_active, reason=body.reason)
    return Status(201, webhook_changed(response, authority, made))


@router.get(
    "/webhook-keys",
    operation_id="list_webhook_keys",
    summary="List the keys that messages to webhooks are signed with",
    response=answers(WebhookKeyList, 404),
)
def read_webhook_keys(request: HttpRequest) -> WebhookKeyList:
    """
    Those that couriers have signed with within seven days, as they said themselves. The control site could state
    another one: compare it once with what `multihost-courier key` prints.
    """
    found = list_courier_keys(operator_in(request))
    return WebhookKeyList(keys=[WebhookKeyOut.from_orm(one) for one in found])


@router.get(ONE, operation_id="get_webhook", summary="Read a webhook", response=answers(WebhookOut, 404))
def read_webhook(request: HttpRequest, response: HttpResponse, webhook: WebhookId) -> WebhookOut:
    """With how much waits for it. The `ETag` is its generation, which a change states in `If-Match`."""
    found = get_webhook(operator_in(request), webhook)
    response["ETag"] = etag_of(found.generation)
    return WebhookOut.from_orm(found)


@router.put(
    ONE,
    operation_id="put_webhook",
    summary="Change a webhook, pause or resume it",
    response=answers(WebhookChanged, 404, 412, 428, *WITH_BODY),
)
def put_webhook(
    request: HttpRequest, response: HttpResponse, webhook: WebhookId, body: WebhookBody, if_match: IfMatch = None
) -> WebhookChanged:
    """
    One that is resumed is told of everything that happened meanwhile, as far as the events are kept. The same again
    changes nothing and needs no `If-Match`. What the courier pauses has another `ETag`.
    """
    authority = operator_in(request)
    found = get_webhook(authority, webhook)
    expected = expectation_of(found, body, if_match)
    save_webhook(
        authority,
        body.url,
        body.types,
        webhook=found,
        is_active=body.is_active,
        expected=expected,
        reason=body.reason,
    )
    return webhook_changed(response, authority, found)


def expectation_of(found: Webhook, body: WebhookBody, if_match: str | None) -> int | None:
    """
    Return the generation that a change must find, None for any. What changes nothing needs no If-Match; if somebody
    else changes it meanwhile, it must not be changed back.
    """
    if if_match is None and values_of(found) != body.model_dump(exclude={"reason"}):
        raise RefusedRequestError(PRECONDITION_REQUIRED, NOT_READ)
    return expected_generation(if_match, found.generation) if if_match is not None else found.generation


@router.delete(
    ONE,
    operation_id="delete_webhook",
    summary="Delete a webhook",
    response=answers(WebhookDeleted, 400, 404, 412, 428),
)
def remove_webhook(
    request: HttpRequest, webhook: WebhookId, if_match: IfMatch = None, reason: ReasonInQuery = ""
) -> WebhookDeleted:
    """What waits for it is not sent any more."""
    authority = operator_in(request)
    found = get_webhook(authority, webhook)
    delete_webhook(authority, found, expected=expected_generation(if_match, found.generation), reason=reason)
    return WebhookDeleted(revision=current_revision())


@router.post(
    ONE + "/test", operation_id="test_webhook", summary="Send a test", response=answers(TestSent, 404, status=202)
)
def test_webhook(request: HttpRequest, webhook: WebhookId) -> Status[TestSent]:
    """It is sent once, within seconds where a courier runs; the deliveries say what came of it."""
    authority = operator_in(request)
    sent = send_test(authority, get_webhook(authority, webhook))
    return Status(202, TestSent(revision=current_revision(), delivery=delivery_out(sent)))


@router.get(
    ONE + "/deliveries",
    operation_id="list_deliveries",
    summary="List the messages to a webhook",
    response=answers(DeliveryPage, 404),
)
def read_deliveries(
    request: HttpRequest, webhook: WebhookId, before: Before = None, limit: Limit = 100
) -> DeliveryPage:
    """The latest events come first."""
    authority = operator_in(request)
    found = list_deliveries(authority, get_webhook(authority, webhook))
    page = [*(found if before is None else found.filter(revision__lt=before))[: limit + 1]]
    return DeliveryPage(
        deliveries=[delivery_out(one) for one in page[:limit]],
        next=page[limit - 1].revision if len(page) > limit else None,
    )


def webhook_changed(response: HttpResponse, authority: Authority, webhook: Webhook) -> WebhookChanged:
    found = get_webhook(authority, webhook.pk)
    response["ETag"] = etag_of(found.generation)
    return WebhookChanged(revision=current_revision(), webhook=WebhookOut.from_orm(found))


def delivery_out(delivery: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut.from_orm(delivery)
