"""Every answer that is no success: problem details (RFC 9457) whose ``errors`` name a site, a key and a sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from wagtail.api.v3.errors import problem_response, register_exception_handlers

from wagtail_multihost.control.changes import (
    ClashError,
    NotAllowedError,
    NotNowError,
    StaleRecordError,
    UnconfirmedError,
    UnknownSiteError,
    WaveRunsError,
)
from wagtail_multihost.control.jobs import RefusedJobError, UnknownJobError
from wagtail_multihost.control.recipients import UnknownRecipientError
from wagtail_multihost.control.webhooks import UnknownWebhookError
from wagtail_multihost.exceptions import ConfigurationError, MultihostError, Problem
from wagtail_multihost.spec.printing import one_line

logger = logging.getLogger("django.request")
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, CONFLICT, GONE = 400, 401, 403, 404, 405, 409, 410
PRECONDITION_FAILED, TOO_LARGE, UNSUPPORTED, UNPROCESSABLE, PRECONDITION_REQUIRED = 412, 413, 415, 422, 428
FAILED, UNAVAILABLE = 500, 503
RETRY_SECONDS = 5
WHO_ASKS = "State a token that counts: Authorization: Bearer TOKEN."
INVALID = "What was sent cannot be accepted; the errors say why."
WAVE_RUNS = "It has to wait until a wave is done; the errors say why."
STATUSES: Sequence[tuple[type[Exception], int]] = (
    (NotAllowedError, FORBIDDEN),
    (ClashError, CONFLICT),
    (NotNowError, CONFLICT),
    (ConfigurationError, UNPROCESSABLE),
    (UnknownSiteError, NOT_FOUND),
    (StaleRecordError, PRECONDITION_FAILED),
    (UnconfirmedError, CONFLICT),
    (RefusedJobError, CONFLICT),
    (UnknownJobError, NOT_FOUND),
    (UnknownRecipientError, NOT_FOUND),
    (UnknownWebhookError, NOT_FOUND),
    (RequestDataTooBig, TOO_LARGE),
    (UnreadablePostError, BAD_REQUEST),
    (Http404, NOT_FOUND),
)
DETAILS = {
    FORBIDDEN: "It may not be changed by who asks; the errors say what.",
    CONFLICT: "Another site has it, or it cannot be done now; the errors say what.",
    UNPROCESSABLE: INVALID,
    TOO_LARGE: "The body is too large.",
    BAD_REQUEST: "The body could not be read.",
}


class RefusedRequestError(MultihostError):
    """A request that is answered with the ``status``, a sentence, and maybe problems."""

    def __init__(self, status: int, detail: str, problems: Iterable[Problem] = ()) -> None:
        self.status = status
        self.problems = tuple(problems)
        super().__init__(detail)


def add_handlers(api: NinjaAPI) -> None:
    """Make every exception an answer of this form."""
    register_exception_handlers(api)
    for kind, status in STATUSES:
        api.add_exception_handler(kind, status_handler(status))
    api.add_exception_handler(WaveRunsError, answer_running_wave)
    api.add_exception_handler(RefusedRequestError, answer_refusal)
    api.add_exception_handler(ValidationError, answer_invalid)
    api.add_exception_handler(HttpError, answer_http_error)
    api.add_exception_handler(AuthenticationError, answer_unknown_token)
    for kind in (OperationalError, InterfaceError):
        api.add_exception_handler(kind, answer_unavailable)
    api.add_exception_handler(Exception, answer_failure)


def status_handler(status: int) -> Any:
    def answer(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer_problem(status, DETAILS.get(status) or str(error) or "Not found.", problems_in(error))

    def answer_sentence(request: HttpRequest, error: Exception) -> HttpResponse:
        return answer_problem(status, str(error) or "Not found.", problems_in(error))

    return answer if status in DETAILS else answer_sentence


def answer_running_wave(request: HttpRequest, error: Any) -> HttpResponse:
    return answer_problem(CONFLICT, WAVE_RUNS, error.problems)


def problems_in(error: Exception) -> tuple[Problem, ...]:
    if isinstance(error, ConfigurationError | RefusedRequestError):
        return error.problems
    if isinstance(error, StaleRecordError):
        return (Problem(error.number, str(error), error.site),)
    if isinstance(error, RefusedJobError):
        return (Problem("kind", str(error)),)
    return (Problem("confirmed", str(error)),) if isinstance(error, UnconfirmedError) else ()


def answer_problem(status: int, detail: str, problems: Iterable[Problem] = ()) -> HttpResponse:
    """Return problem details. ``errors`` is always there, so that clients need not ask whether it is."""
    errors = [{"site": problem.site, "key": problem.key, "message": problem.message} for problem in problems]
    response: HttpResponse = problem_response(status=status, detail=detail, errors=errors)
    if status == UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    if status == UNAVAILABLE:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def answer_refusal(request: HttpRequest, error: Any) -> HttpResponse:
    return answer_problem(error.status, str(error), error.problems)


def answer_invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """Answer parameters and bodies of another form than the schema's."""
    problems = [
        Problem(".".join(map(str, one["loc"][1:])).removeprefix("body."), sentence(one["msg"])) for one in error.errors
    ]
    return answer_problem(UNPROCESSABLE, INVALID, problems)


def sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."


def answer_http_error(request: HttpRequest, error: Any) -> HttpResponse:
    # Ninja makes an HttpError of whatever its parser raises.
    cause = error.__cause__
    if isinstance(cause, RefusedRequestError):
        return answer_refusal(request, cause)
    return answer_problem(error.status_code, str(error))


def answer_unknown_token(request: HttpRequest, error: Any) -> HttpResponse:
    return answer_problem(UNAUTHORIZED, WHO_ASKS)


def answer_unavailable(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("The database did not answer: %s", one_line(request.path), exc_info=error)
    return answer_problem(UNAVAILABLE, "The database does not answer. Try again later.")


def answer_failure(request: HttpRequest, error: Any) -> HttpResponse:
    """Answer a defect without saying anything about it; the log and whoever Django tells have it."""
    logger.error("Internal Server Error: %s", one_line(request.path), exc_info=error)
    got_request_exception.send(sender=None, request=request)
    return answer_problem(FAILED, "Something is wrong here. It was logged.")
