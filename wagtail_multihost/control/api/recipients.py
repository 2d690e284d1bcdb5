"""Recipients of alerts: for operators of the platform alone; to others there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Status

from wagtail_multihost.control.api.answers import WITH_BODY, answers, current_revision
from wagtail_multihost.control.api.authentication import authority_in, refuse_unseeing
from wagtail_multihost.control.api.conditions import NOT_READ, IfMatch, etag_of, expected_generation
from wagtail_multihost.control.api.incident_schemas import (
    AlertList,
    AlertOut,
    RecipientBody,
    RecipientChanged,
    RecipientDeleted,
    RecipientList,
    RecipientOut,
)
from wagtail_multihost.control.api.problems import PRECONDITION_REQUIRED, RefusedRequestError
from wagtail_multihost.control.api.texts import Limit, ReasonInQuery
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.models import Alert, Recipient
from wagtail_multihost.control.recipients import (
    UnknownRecipientError,
    delete_recipient,
    get_recipient,
    list_alerts,
    list_recipients,
    names_of_sites,
    save_recipient,
    want_test,
)
from wagtail_multihost.nodeapi.alerts_v1 import LABEL_LENGTH

router = Router(tags=["Recipients"])
Label = Annotated[
    str, Path(max_length=LABEL_LENGTH, description="The label in the courier's file.", examples=["on-call"])
]
ONE = "/recipients/{label}"


def operator_in(request: HttpRequest) -> Authority:
    """Return who asks; to those who do not see all sites, nothing of this is there."""
    authority = authority_in(request)
    refuse_unseeing(authority)
    return authority


@router.get(
    "/recipients",
    operation_id="list_recipients",
    summary="List the recipients of alerts",
    response=answers(RecipientList, 404),
)
def read_recipients(request: HttpRequest) -> RecipientList:
    """Where their messages go is in a file of the courier's alone."""
    return RecipientList(recipients=recipients_out([*list_recipients(operator_in(request))]))


@router.get(ONE, operation_id="get_recipient", summary="Read a recipient", response=answers(RecipientOut, 404))
def read_recipient(request: HttpRequest, response: HttpResponse, label: Label) -> RecipientOut:
    """The `ETag` is its generation, which a change states in `If-Match`."""
    found = get_recipient(operator_in(request), label)
    response["ETag"] = etag_of(found.generation)
    return recipients_out([found])[0]


@router.put(
    ONE,
    operation_id="put_recipient",
    summary="Make or change a recipient",
    response=answers(RecipientChanged, 404, 409, 412, 428, *WITH_BODY),
)
def put_recipient(
    request: HttpRequest, response: HttpResponse, label: Label, body: RecipientBody, if_match: IfMatch = None
) -> RecipientChanged:
    """
    A new one is told of what begins from now on. The same again changes nothing and needs no `If-Match`.
    """
    authority = operator_in(request)
    expected = expectation_of(authority, label, body, if_match)
    values = body.model_dump(exclude={"reason"})
    made = save_recipient(authority, label, **values, expected=expected, reason=body.reason)
    response["ETag"] = etag_of(made.generation)
    return RecipientChanged(revision=current_revision(), recipient=recipients_out([made])[0])


def expectation_of(authority: Authority, label: str, body: RecipientBody, if_match: str | None) -> int | None:
    """Return the generation that a change must find: 0 for none, None for any."""
    try:
        found = get_recipient(authority, label)
    except UnknownRecipientError:
        return expected_generation(if_match, 0) if if_match is not None else 0
    stated = body.model_dump(exclude={"reason"})
    stated["sites"] = None if stated["sites"] is None else sorted(stated["sites"])
    shown = recipients_out([found])[0]
    if if_match is None and stated != {name: getattr(shown, name) for name in stated}:
        raise RefusedRequestError(PRECONDITION_REQUIRED, NOT_READ)
    return expected_generation(if_match, found.generation) if if_match is not None else found.generation


@router.delete(
    ONE,
    operation_id="delete_recipient",
    summary="Delete a recipient",
    response=answers(RecipientDeleted, 400, 404, 412, 428),
)
def remove_recipient(
    request: HttpRequest, label: Label, if_match: IfMatch = None, reason: ReasonInQuery = ""
) -> RecipientDeleted:
    """What waits for it is not sent any more."""
    authority = operator_in(request)
    found = get_recipient(authority, label)
    delete_recipient(authority, label, expected=expected_generation(if_match, found.generation), reason=reason)
    return RecipientDeleted(revision=current_revision())


@router.post(
    ONE + "/test",
    operation_id="test_recipient",
    summary="Send a test",
    response=answers(RecipientOut, 404, status=202),
)
def test_recipient(request: HttpRequest, label: Label) -> Status[RecipientOut]:
    """It is sent within seconds where a courier runs that knows the label; the alerts say what came of it."""
    authority = operator_in(request)
    want_test(authority, label)
    return Status(202, recipients_out([get_recipient(authority, label)])[0])


@router.get(
    ONE + "/alerts",
    operation_id="list_alerts",
    summary="List the alerts to a recipient",
    response=answers(AlertList, 404),
)
def read_alerts(request: HttpRequest, label: Label, limit: Limit = 100) -> AlertList:
    """The latest come first."""
    authority = operator_in(request)
    found = list_alerts(authority, get_recipient(authority, label))
    return AlertList(alerts=[alert_out(one) for one in found[:limit]])


def alert_out(alert: Alert) -> AlertOut:
    return AlertOut(
        id=alert.pk,
        incident=alert.incident_id,
        word=alert.word,
        made_at=alert.made_at,
        attempts=alert.attempts,
        due_at=alert.due_at,
        sent_at=alert.sent_at,
        ended_at=alert.ended_at,
        problem=alert.problem,
    )


def recipients_out(recipients: Sequence[Recipient]) -> list[RecipientOut]:
    names = names_of_sites(recipients)
    shown = ("label", "kinds", "is_active", "generation", "made_at", "known_at", "waiting", "sent_at", "problem")
    return [
        RecipientOut(
            sites=None if one.sites is None else sorted(names[uid] for uid in one.sites if uid in names),
            **{name: getattr(one, name) for name in shown},
        )
        for one in recipients
    ]
